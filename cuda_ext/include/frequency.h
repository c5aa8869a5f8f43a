// Frequency encoding (NeRF 2020 eq. 4): sines and cosines of pi 2^k x for k below `octaves`.
//
// A row holds the coordinates themselves if wanted, then all sines, then all cosines, each octave by
// octave and within an octave coordinate by coordinate.
#pragma once

#include "host_device.h"

namespace nt {

struct Frequencies {
    int coordinates, octaves;
    bool identity;  // the coordinates themselves come first
    NT_HD int waves() const { return coordinates * octaves; }
    NT_HD int width() const { return 2 * waves() + (identity ? coordinates : 0); }
};

// sin and cos of pi * x. The reduction to one turn is exact, so a high octave loses no digit.
NT_HD void half_turns(float x, float* sine, float* cosine) {
#if defined(__CUDA_ARCH__)
    sincospif(x, sine, cosine);
#else
    const float turn = (x - 2.0f * rintf(x / 2.0f)) * 3.14159265358979f;
    *sine = sinf(turn);
    *cosine = cosf(turn);
#endif
}
#if !defined(__CUDA_ARCH__)
inline void half_turns(double x, double* sine, double* cosine) {
    const double turn = (x - 2.0 * rint(x / 2.0)) * 3.14159265358979323846;
    *sine = sin(turn);
    *cosine = cos(turn);
}
#endif

// One coordinate of a point: `row` is the point's.
template <class T> NT_HD void waves_of(const Frequencies& plan, int coordinate, T x, T* row) {
    if (plan.identity) row[coordinate] = x;
    T* sines = row + (plan.identity ? plan.coordinates : 0) + coordinate;
    for (int k = 0; k < plan.octaves; ++k) {
        half_turns(x, sines, sines + plan.waves());
        x *= T(2);
        sines += plan.coordinates;
    }
}

// Gradient with respect to one coordinate, given that of the row.
template <class T>
NT_HD T waves_gradient(const Frequencies& plan, int coordinate, T x, const T* gradient) {
    T sum = plan.identity ? gradient[coordinate] : T(0), rate = T(3.14159265358979323846);
    const T* sines = gradient + (plan.identity ? plan.coordinates : 0) + coordinate;
    for (int k = 0; k < plan.octaves; ++k) {
        T sine, cosine;
        half_turns(x, &sine, &cosine);
        sum += rate * (sines[0] * cosine - sines[plan.waves()] * sine);
        x *= T(2);
        rate *= T(2);
        sines += plan.coordinates;
    }
    return sum;
}

}  // namespace nt
