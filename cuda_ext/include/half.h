// Sixteen-bit floats as a table stores them: read as float, never computed with.
#pragma once

#include <string.h>

#include "host_device.h"

#if defined(__CUDACC__)
#include <cuda_fp16.h>
#elif defined(__F16C__)
#include <immintrin.h>
#endif

namespace nt {

struct Half {
    uint16_t bits;
};

NT_HD float number(float value) { return value; }
NT_HD double number(double value) { return value; }
NT_HD float number(Half value) {
#if defined(__CUDA_ARCH__)
    return __half2float(__ushort_as_half(value.bits));
#elif defined(__F16C__)
    return _cvtsh_ss(value.bits);
#else
    // The exponent moves to its new place; a product with 2^112 mends its bias, also of denormals.
    uint32_t bits = (uint32_t)(value.bits & 0x7fff) << 13;
    float scaled;
    memcpy(&scaled, &bits, sizeof scaled);
    scaled *= 5.192296858534828e33f;
    memcpy(&bits, &scaled, sizeof bits);
    if ((value.bits & 0x7c00) == 0x7c00) bits |= 0x7f800000u;  // infinite or no number
    bits |= (uint32_t)(value.bits & 0x8000) << 16;
    memcpy(&scaled, &bits, sizeof scaled);
    return scaled;
#endif
}

}  // namespace nt
