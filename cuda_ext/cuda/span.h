// The packed samples of one ray, as a kernel finds them.
#pragma once

#include "device.h"

namespace ntc {

struct Span {
    int64_t first, count;
    bool fits;  // inside the samples; a kernel cannot raise, and reads nothing of others
};

__device__ __forceinline__ Span span_of(const int64_t* offsets, int64_t ray, int64_t samples) {
    const int64_t first = offsets[2 * ray], count = offsets[2 * ray + 1];
    const bool fits = first >= 0 && count >= 0 && count <= samples && first <= samples - count;
    return {first, count, fits || count == 0};
}

}  // namespace ntc
