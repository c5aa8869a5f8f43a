// Encodings of single vectors on the CPU: spherical harmonics and frequencies.

#include "../include/abi.h"
#include "../include/frequency.h"
#include "../include/sh.h"

namespace nt {
namespace {

constexpr int FEW = 1024;  // vectors for which waking threads costs more than it brings

template <class T, class Each> void for_each(int64_t count, const Each& each) {
#pragma omp parallel for schedule(static) if (count > FEW)
    for (int64_t n = 0; n < count; ++n) each(n);
}

template <class T> int harmonics(const T* directions, int degree, int64_t count, T* out) {
    const bool known = with_degree(degree, [&](auto d) {
        constexpr int DEGREE = decltype(d)::value;
        for_each<T>(count, [&](int64_t n) {
            const T* v = directions + 3 * n;
            spherical_harmonics<DEGREE>(v[0], v[1], v[2], out + DEGREE * DEGREE * n);
        });
    });
    return known ? OK : BAD_SIZE;
}

template <class T>
int harmonics_backward(const T* gradient, const T* directions, int degree, int64_t count, T* out) {
    const bool known = with_degree(degree, [&](auto d) {
        constexpr int DEGREE = decltype(d)::value;
        for_each<T>(count, [&](int64_t n) {
            const T* v = directions + 3 * n;
            spherical_harmonics_gradient<DEGREE>(v[0], v[1], v[2], gradient + DEGREE * DEGREE * n,
                                                 out + 3 * n);
        });
    });
    return known ? OK : BAD_SIZE;
}

}  // namespace
}  // namespace nt

#define NT_ENCODINGS(T, SUFFIX)                                                                    \
    NT_API int nt_sh_##SUFFIX(const T* directions, int degree, int64_t count, T* out) {            \
        return nt::harmonics(directions, degree, count, out);                                      \
    }                                                                                              \
    NT_API int nt_sh_backward_##SUFFIX(const T* gradient, const T* directions, int degree,         \
                                       int64_t count, T* d_directions) {                           \
        return nt::harmonics_backward(gradient, directions, degree, count, d_directions);          \
    }                                                                                              \
    NT_API int nt_frequency_##SUFFIX(const T* points, int coordinates, int octaves, int identity,  \
                                     int64_t count, T* out) {                                      \
        const nt::Frequencies plan{coordinates, octaves, identity != 0};                           \
        nt::for_each<T>(count, [&](int64_t n) {                                                    \
            for (int d = 0; d < coordinates; ++d)                                                  \
                nt::waves_of(plan, d, points[n * coordinates + d], out + n * plan.width());        \
        });                                                                                        \
        return nt::OK;                                                                             \
    }                                                                                              \
    NT_API int nt_frequency_backward_##SUFFIX(const T* gradient, const T* points, int coordinates, \
                                              int octaves, int identity, int64_t count,            \
                                              T* d_points) {                                       \
        const nt::Frequencies plan{coordinates, octaves, identity != 0};                           \
        nt::for_each<T>(count, [&](int64_t n) {                                                    \
            for (int d = 0; d < coordinates; ++d)                                                  \
                d_points[n * coordinates + d] =                                                    \
                    nt::waves_gradient(plan, d, points[n * coordinates + d],                       \
                                       gradient + n * plan.width());                               \
        });                                                                                        \
        return nt::OK;                                                                             \
    }

NT_ENCODINGS(float, f32)
NT_ENCODINGS(double, f64)
