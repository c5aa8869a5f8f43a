// What every header needs: where a function may run, the few scalar functions, and error codes.
//
// Letters: N rays, M packed samples or points, L levels, F features of a grid entry, C channels.
#pragma once

#include <math.h>
#include <stdint.h>

#if defined(__CUDACC__)
#define NT_HD __host__ __device__ __forceinline__
#elif defined(_MSC_VER)
#define NT_HD inline
#else
#define NT_HD inline __attribute__((always_inline))
#endif

namespace nt {

// Return codes of the C functions; the CUDA launchers return cudaError_t instead.
enum Code : int {
    OK = 0,
    BAD_OFFSETS = 1,    // a ray points outside the packed samples
    NOT_FINITE = 2,     // a ray that hits has no finite end
    BAD_SIZE = 3,       // a width that no driver is built for, or a level without a cell
    BAD_INDEX = 4,      // a sample names a ray or a frame that does not exist
};

template <class T> NT_HD T lesser(T a, T b) { return b < a ? b : a; }
template <class T> NT_HD T greater(T a, T b) { return a < b ? b : a; }
// Not a number becomes `low`, so that what follows is an index in any case.
template <class T> NT_HD T clamp(T value, T low, T high) {
    return lesser(greater(low, value), high);
}

// a * b + c rounded once where the machine can; never the slow library call.
NT_HD float multiply_add(float a, float b, float c) {
#if defined(__FMA__) || defined(__CUDA_ARCH__)
    return fmaf(a, b, c);
#else
    return a * b + c;
#endif
}
NT_HD double multiply_add(double a, double b, double c) {
#if defined(__FMA__) || defined(__CUDA_ARCH__)
    return fma(a, b, c);
#else
    return a * b + c;
#endif
}

NT_HD float exponential(float x) { return expf(x); }
NT_HD double exponential(double x) { return exp(x); }
// 1 - exp(-x) without cancellation for a small x.
NT_HD float opacity(float depth) { return -expm1f(-depth); }
NT_HD double opacity(double depth) { return -expm1(-depth); }

}  // namespace nt
