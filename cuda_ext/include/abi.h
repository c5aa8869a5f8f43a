// What the C functions share: how they are exported and numbered, and the check of packed rays.
#pragma once

#include "host_device.h"

// Bumped whenever an argument list or a meaning changes; the loader refuses another number.
#define NT_ABI 2

#define NT_API extern "C" __attribute__((visibility("default"), used))

namespace nt {

// Every ray's [first, first + count) lies inside the packed samples.
inline bool offsets_fit(const int64_t* offsets, int64_t rays, int64_t samples) {
    for (int64_t n = 0; n < rays; ++n) {
        const int64_t first = offsets[2 * n], count = offsets[2 * n + 1];
        if (first < 0 || count < 0 || count > samples || (count && first > samples - count))
            return false;
    }
    return true;
}

}  // namespace nt
