// Frequency encoding (NeRF 2020 eq. 4): sines and cosines of pi 2^k x for k below `octaves`.
//
// A row holds the coordinates themselves if wanted, then all sines, then all cosines, each octave
// by octave and within an octave coordinate by coordinate.
#pragma once

#include "host_device.h"

namespace nt {

struct Frequencies {
    int coordinates, octaves;
    bool identity;  // the coordinates themselves come first
    NT_HD int waves() const { return coordinates * octaves; }
    NT_HD int width() const { return 2 * waves() + (identity ? coordinates : 0); }
    // Place of a sine in a row; its cosine lies waves() behind it.
    NT_HD int sine(int octave, int coordinate) const {
        return (identity ? coordinates : 0) + octave * coordinates + coordinate;
    }
};

// sin and cos of pi * x. The reduction to one turn is exact, so a high octave loses no digit.
NT_HD void half_turns(float x, float* sine, float* cosine) {
#if defined(__CUDA_ARCH__)
    sincospif(x, sine, cosine);
#else
    // Taylor on a quarter turn either side, to 1e-7 and without a branch: loops become vectors.
    const float turn = x - 2.0f * rintf(x * 0.5f), whole = rintf(turn);
    const float sign = 1.0f - 2.0f * fabsf(whole);
    const float r = (turn - whole) * 3.14159265359f, rr = r * r;
    float s = -2.5052108e-8f;
    s = multiply_add(s, rr, 2.7557319e-6f);
    s = multiply_add(s, rr, -1.9841270e-4f);
    s = multiply_add(s, rr, 8.3333333e-3f);
    s = multiply_add(s, rr, -1.6666667e-1f);
    float c = 2.0876757e-9f;
    c = multiply_add(c, rr, -2.7557319e-7f);
    c = multiply_add(c, rr, 2.4801587e-5f);
    c = multiply_add(c, rr, -1.3888889e-3f);
    c = multiply_add(c, rr, 4.1666667e-2f);
    c = multiply_add(c, rr, -0.5f);
    *sine = sign * multiply_add(s * rr, r, r);
    *cosine = sign * multiply_add(c, rr, 1.0f);
#endif
}
#if !defined(__CUDA_ARCH__)
inline void half_turns(double x, double* sine, double* cosine) {
    const double turn = (x - 2.0 * rint(x * 0.5)) * 3.14159265358979323846;
    *sine = sin(turn);
    *cosine = cos(turn);
}
#endif

// One coordinate of a point: `row` is the point's.
template <class T> NT_HD void waves_of(const Frequencies& plan, int coordinate, T x, T* row) {
    if (plan.identity) row[coordinate] = x;
    for (int k = 0; k < plan.octaves; ++k) {
        T* sine = row + plan.sine(k, coordinate);
        half_turns(x, sine, sine + plan.waves());
        x *= T(2);
    }
}

// What the gradients of a sine and its cosine mean for the coordinate; `rate` is pi 2^k.
template <class T> NT_HD T wave_gradient(T rate, T sine, T cosine, T d_sine, T d_cosine) {
    return rate * (d_sine * cosine - d_cosine * sine);
}

// Gradient with respect to one coordinate, given that of the row.
template <class T>
NT_HD T waves_gradient(const Frequencies& plan, int coordinate, T x, const T* gradient) {
    T sum = plan.identity ? gradient[coordinate] : T(0), rate = T(3.14159265358979323846);
    for (int k = 0; k < plan.octaves; ++k) {
        const T* d_sine = gradient + plan.sine(k, coordinate);
        T sine, cosine;
        half_turns(x, &sine, &cosine);
        sum += wave_gradient(rate, sine, cosine, d_sine[0], d_sine[plan.waves()]);
        x *= T(2);
        rate *= T(2);
    }
    return sum;
}

}  // namespace nt
