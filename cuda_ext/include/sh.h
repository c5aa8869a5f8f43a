// Real spherical harmonics of up to four bands (Sloan 2008, signs as in instant-ngp): degree^2
// values.
#pragma once

#include <type_traits>

#include "host_device.h"

namespace nt {

template <int DEGREE = 4, class T> NT_HD void spherical_harmonics(T x, T y, T z, T* out) {
    const T xx = x * x, yy = y * y, zz = z * z;
    out[0] = T(0.28209479177387814);
    if constexpr (DEGREE > 1) {
        out[1] = T(-0.4886025119029199) * y;
        out[2] = T(0.4886025119029199) * z;
        out[3] = T(-0.4886025119029199) * x;
    }
    if constexpr (DEGREE > 2) {
        out[4] = T(1.0925484305920792) * x * y;
        out[5] = T(-1.0925484305920792) * y * z;
        out[6] = T(0.31539156525252005) * (T(3) * zz - T(1));
        out[7] = T(-1.0925484305920792) * x * z;
        out[8] = T(0.5462742152960396) * (xx - yy);
    }
    if constexpr (DEGREE > 3) {
        out[9] = T(-0.5900435899266435) * y * (T(3) * xx - yy);
        out[10] = T(2.890611442640554) * x * y * z;
        out[11] = T(-0.4570457994644658) * y * (T(5) * zz - T(1));
        out[12] = T(0.3731763325901154) * z * (T(5) * zz - T(3));
        out[13] = T(-0.4570457994644658) * x * (T(5) * zz - T(1));
        out[14] = T(1.445305721320277) * z * (xx - yy);
        out[15] = T(-0.5900435899266435) * x * (xx - T(3) * yy);
    }
}

// Gradient with respect to the direction, given that of the values.
template <int DEGREE = 4, class T>
NT_HD void spherical_harmonics_gradient(T x, T y, T z, const T* g, T* out) {
    const T xx = x * x, yy = y * y, zz = z * z;
    T dx = T(0), dy = T(0), dz = T(0);
    if constexpr (DEGREE > 1) {
        dx = T(-0.4886025119029199) * g[3];
        dy = T(-0.4886025119029199) * g[1];
        dz = T(0.4886025119029199) * g[2];
    }
    if constexpr (DEGREE > 2) {
        dx += T(1.0925484305920792) * (y * g[4] - z * g[7] + x * g[8]);
        dy += T(1.0925484305920792) * (x * g[4] - z * g[5] - y * g[8]);
        dz += T(1.8923493915151202) * z * g[6] - T(1.0925484305920792) * (y * g[5] + x * g[7]);
    }
    if constexpr (DEGREE > 3) {
        dx += T(2.890611442640554) * (y * z * g[10] + x * z * g[14]) -
              T(3.540261539559861) * x * y * g[9] -
              T(0.4570457994644658) * (T(5) * zz - T(1)) * g[13] -
              T(1.7701307697799304) * (xx - yy) * g[15];
        dy += T(2.890611442640554) * (x * z * g[10] - y * z * g[14]) +
              T(3.540261539559861) * x * y * g[15] -
              T(0.4570457994644658) * (T(5) * zz - T(1)) * g[11] -
              T(1.7701307697799304) * (xx - yy) * g[9];
        dz += T(2.890611442640554) * x * y * g[10] -
              T(4.570457994644658) * (y * z * g[11] + x * z * g[13]) +
              T(1.1195289977703462) * (T(5) * zz - T(1)) * g[12] +
              T(1.445305721320277) * (xx - yy) * g[14];
    }
    out[0] = dx;
    out[1] = dy;
    out[2] = dz;
}

// Calls run with the degree as a type; false where there is no such degree.
template <class Run> bool with_degree(int degree, const Run& run) {
    switch (degree) {
        case 1: run(std::integral_constant<int, 1>()); return true;
        case 2: run(std::integral_constant<int, 2>()); return true;
        case 3: run(std::integral_constant<int, 3>()); return true;
        case 4: run(std::integral_constant<int, 4>()); return true;
    }
    return false;
}

}  // namespace nt
