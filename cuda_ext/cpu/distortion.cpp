// Distortion along rays on the CPU: a ray belongs to one thread.

#include "../include/distortion.h"

#include "../include/abi.h"

// Threads below this many samples cost more than they bring.
#define NT_FOR_EACH_RAY _Pragma("omp parallel for schedule(static) if (samples > 4096)")

#define NT_DISTORTION(T, SUFFIX)                                                                   \
    NT_API int nt_distortion_##SUFFIX(const T* weights, const T* middles, const T* lengths,        \
                                      const int64_t* offsets, int64_t rays, int64_t samples,       \
                                      T* out) {                                                    \
        if (!nt::offsets_fit(offsets, rays, samples)) return nt::BAD_OFFSETS;                      \
        NT_FOR_EACH_RAY                                                                            \
        for (int64_t n = 0; n < rays; ++n) {                                                       \
            const int64_t at = offsets[2 * n];                                                     \
            out[n] = nt::distortion_of_ray(weights + at, middles + at, lengths + at,               \
                                           offsets[2 * n + 1]);                                    \
        }                                                                                          \
        return nt::OK;                                                                             \
    }                                                                                              \
    NT_API int nt_distortion_backward_##SUFFIX(                                                    \
        const T* gradient, const T* weights, const T* middles, const T* lengths,                   \
        const int64_t* offsets, int64_t rays, int64_t samples, T* d_weights) {                     \
        if (!nt::offsets_fit(offsets, rays, samples)) return nt::BAD_OFFSETS;                      \
        NT_FOR_EACH_RAY                                                                            \
        for (int64_t n = 0; n < rays; ++n) {                                                       \
            const int64_t at = offsets[2 * n];                                                     \
            nt::distortion_gradient(weights + at, middles + at, lengths + at, offsets[2 * n + 1],  \
                                    gradient[n], d_weights + at);                                  \
        }                                                                                          \
        return nt::OK;                                                                             \
    }

NT_DISTORTION(float, f32)
NT_DISTORTION(double, f64)
