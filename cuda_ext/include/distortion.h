// Distortion of the weights along one ray (mip-NeRF 360, Barron et al. 2022, eq. 15):
//
//   sum_ij w_i w_j |m_i - m_j| + sum_i w_i^2 d_i / 3
//
// of weights w, interval middles m and lengths d, by running sums over the samples in order. Where
// samples lie is taken as given: there is a gradient to the weights alone.
#pragma once

#include "host_device.h"

namespace nt {

// Weight so far, and weight times distance from the ray's first sample so far.
template <class T> struct WeightSums {
    T weight = T(0), moment = T(0);
    NT_HD void add(T w, T along) {
        weight += w;
        moment += w * along;
    }
};

template <class T>
NT_HD T distortion_of_ray(const T* weights, const T* middles, const T* lengths, int64_t count) {
    WeightSums<T> before;
    T total = T(0);
    for (int64_t i = 0; i < count; ++i) {
        const T along = middles[i] - middles[0], w = weights[i];
        total += w * (T(2) * (along * before.weight - before.moment) + w * lengths[i] / T(3));
        before.add(w, along);
    }
    return total;
}

// Gradient with respect to the weights, given that of the distortion.
template <class T>
NT_HD void distortion_gradient(const T* weights, const T* middles, const T* lengths, int64_t count,
                               T gradient, T* d_weights) {
    WeightSums<T> all, before;
    for (int64_t i = 0; i < count; ++i) all.add(weights[i], middles[i] - middles[0]);
    for (int64_t i = 0; i < count; ++i) {
        const T along = middles[i] - middles[0], w = weights[i];
        // Distances to what lies before and behind; the sample itself adds nothing to either.
        const T near = along * before.weight - before.moment;
        before.add(w, along);
        const T far = (all.moment - before.moment) - along * (all.weight - before.weight);
        d_weights[i] = gradient * T(2) * (near + far + w * lengths[i] / T(3));
    }
}

}  // namespace nt
