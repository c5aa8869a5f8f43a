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

constexpr int BLOCK = 64;  // points side by side, so that their sines are computed as vectors

// Calls each(first point, how many) for every block of points.
template <class Each> void for_each_block(int64_t count, const Each& each) {
#pragma omp parallel for schedule(static) if (count > FEW)
    for (int64_t begin = 0; begin < count; begin += BLOCK)
        each(begin, (int)lesser<int64_t>(BLOCK, count - begin));
}

// Sines and cosines of one octave of a block, whose coordinates go on to the next.
template <class T> void next_octave(T* x, T* sine, T* cosine) {
#pragma omp simd
    for (int i = 0; i < BLOCK; ++i) {
        half_turns(x[i], sine + i, cosine + i);
        x[i] *= T(2);
    }
}

template <class T>
void waves(const Frequencies& plan, const T* points, int64_t count, T* out) {
    for_each_block(count, [&](int64_t begin, int size) {
        alignas(64) T x[BLOCK] = {}, sine[BLOCK], cosine[BLOCK];
        for (int d = 0; d < plan.coordinates; ++d) {
            T* rows = out + begin * plan.width();
            for (int i = 0; i < size; ++i) {
                x[i] = points[(begin + i) * plan.coordinates + d];
                if (plan.identity) rows[i * plan.width() + d] = x[i];
            }
            for (int k = 0; k < plan.octaves; ++k) {
                next_octave(x, sine, cosine);
                T* at = rows + plan.sine(k, d);
                for (int i = 0; i < size; ++i) {
                    at[i * plan.width()] = sine[i];
                    at[i * plan.width() + plan.waves()] = cosine[i];
                }
            }
        }
    });
}

template <class T>
void waves_backward(const Frequencies& plan, const T* gradient, const T* points, int64_t count,
                    T* d_points) {
    for_each_block(count, [&](int64_t begin, int size) {
        alignas(64) T x[BLOCK] = {}, sine[BLOCK], cosine[BLOCK];
        for (int d = 0; d < plan.coordinates; ++d) {
            const T* rows = gradient + begin * plan.width();
            T* found = d_points + begin * plan.coordinates + d;
            for (int i = 0; i < size; ++i) {
                x[i] = points[(begin + i) * plan.coordinates + d];
                found[i * plan.coordinates] = plan.identity ? rows[i * plan.width() + d] : T(0);
            }
            T rate = T(3.14159265358979323846);
            for (int k = 0; k < plan.octaves; ++k, rate *= T(2)) {
                next_octave(x, sine, cosine);
                const T* at = rows + plan.sine(k, d);
                for (int i = 0; i < size; ++i)
                    found[i * plan.coordinates] +=
                        wave_gradient(rate, sine[i], cosine[i], at[i * plan.width()],
                                      at[i * plan.width() + plan.waves()]);
            }
        }
    });
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
        nt::waves(plan, points, count, out);                                                       \
        return nt::OK;                                                                             \
    }                                                                                              \
    NT_API int nt_frequency_backward_##SUFFIX(const T* gradient, const T* points, int coordinates, \
                                              int octaves, int identity, int64_t count,            \
                                              T* d_points) {                                       \
        const nt::Frequencies plan{coordinates, octaves, identity != 0};                           \
        nt::waves_backward(plan, gradient, points, count, d_points);                               \
        return nt::OK;                                                                             \
    }

NT_ENCODINGS(float, f32)
NT_ENCODINGS(double, f64)
