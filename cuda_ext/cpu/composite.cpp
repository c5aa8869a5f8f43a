// Compositing on the CPU: a ray belongs to one thread.

#include "../include/composite.h"

#include "../include/abi.h"

// Threads below this many samples cost more than they bring.
#define NT_FOR_EACH_RAY _Pragma("omp parallel for schedule(static) if (samples > 4096)")

#define NT_COMPOSITE(T, SUFFIX)                                                                    \
    NT_API int nt_render_weights_##SUFFIX(const T* density, const T* steps,                        \
                                          const int64_t* offsets, int64_t rays, int64_t samples,   \
                                          T* weights) {                                            \
        if (!nt::offsets_fit(offsets, rays, samples)) return nt::BAD_OFFSETS;                      \
        NT_FOR_EACH_RAY                                                                            \
        for (int64_t n = 0; n < rays; ++n) {                                                       \
            const int64_t at = offsets[2 * n];                                                     \
            nt::weights_of_ray(density + at, steps + at, offsets[2 * n + 1], weights + at);        \
        }                                                                                          \
        return nt::OK;                                                                             \
    }                                                                                              \
    NT_API int nt_render_weights_backward_##SUFFIX(                                                \
        const T* gradient, const T* density, const T* steps, const int64_t* offsets, int64_t rays, \
        int64_t samples, T* d_density, T* d_steps) {                                               \
        if (!nt::offsets_fit(offsets, rays, samples)) return nt::BAD_OFFSETS;                      \
        NT_FOR_EACH_RAY                                                                            \
        for (int64_t n = 0; n < rays; ++n) {                                                       \
            const int64_t at = offsets[2 * n];                                                     \
            nt::weights_gradient(density + at, steps + at, gradient + at, offsets[2 * n + 1],      \
                                 d_density + at, d_steps + at);                                    \
        }                                                                                          \
        return nt::OK;                                                                             \
    }                                                                                              \
    NT_API int nt_composite_##SUFFIX(const T* density, const T* values, const T* steps,            \
                                     const int64_t* offsets, int64_t rays, int64_t samples,        \
                                     int channels, T* summed, T* opacity) {                        \
        if (!nt::offsets_fit(offsets, rays, samples)) return nt::BAD_OFFSETS;                      \
        NT_FOR_EACH_RAY                                                                            \
        for (int64_t n = 0; n < rays; ++n) {                                                       \
            const int64_t at = offsets[2 * n];                                                     \
            nt::composite_ray(density + at, values + at * channels, steps + at,                    \
                              offsets[2 * n + 1], channels, summed + n * channels, opacity + n);   \
        }                                                                                          \
        return nt::OK;                                                                             \
    }                                                                                              \
    NT_API int nt_composite_backward_##SUFFIX(                                                     \
        const T* density, const T* values, const T* steps, const int64_t* offsets, int64_t rays,   \
        int64_t samples, int channels, const T* summed, const T* opacity, const T* d_summed,       \
        const T* d_opacity, T* d_density, T* d_values, T* d_steps) {                               \
        if (!nt::offsets_fit(offsets, rays, samples)) return nt::BAD_OFFSETS;                      \
        NT_FOR_EACH_RAY                                                                            \
        for (int64_t n = 0; n < rays; ++n) {                                                       \
            const int64_t at = offsets[2 * n], c = n * channels, v = at * channels;                \
            nt::composite_gradient(density + at, values + v, steps + at, offsets[2 * n + 1],       \
                                   channels, summed + c, opacity[n], d_summed + c, d_opacity[n],   \
                                   d_density + at, d_values + v, d_steps + at);                    \
        }                                                                                          \
        return nt::OK;                                                                             \
    }

NT_COMPOSITE(float, f32)
NT_COMPOSITE(double, f64)
