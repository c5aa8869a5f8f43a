// Front-to-back compositing of the samples of one ray; Max 1995, NeRF 2020 eq. 3.
#pragma once

#include "host_device.h"

namespace nt {

// Writes the weight T_i (1 - exp(-density_i step_i)) of `count` samples.
template <class T>
NT_HD void weights_of_ray(const T* density, const T* steps, int64_t count, T* weights) {
    T left = T(1);
    for (int64_t i = 0; i < count; ++i) {
        const T depth = density[i] * steps[i];
        weights[i] = left * opacity(depth);
        left *= exponential(-depth);
    }
}

// Gradients of the weights; `gradient` (count) is that of the weights.
template <class T>
NT_HD void weights_gradient(const T* density, const T* steps, const T* gradient, int64_t count,
                            T* d_density, T* d_steps) {
    T left = T(1), total = T(0);
    for (int64_t i = 0; i < count; ++i) {
        const T depth = density[i] * steps[i];
        total += left * opacity(depth) * gradient[i];
        left *= exponential(-depth);
    }
    left = T(1);
    for (int64_t i = 0; i < count; ++i) {
        const T depth = density[i] * steps[i];
        total -= left * opacity(depth) * gradient[i];
        left *= exponential(-depth);
        const T d_depth = left * gradient[i] - total;
        d_density[i] = d_depth * steps[i];
        d_steps[i] = d_depth * density[i];
    }
}

// Sums (count, C) values into summed (C) and the weights into `total`.
template <class T>
NT_HD void composite_ray(const T* density, const T* values, const T* steps, int64_t count,
                         int channels, T* summed, T* total) {
    T left = T(1), opaque = T(0);
    for (int c = 0; c < channels; ++c) summed[c] = T(0);
    for (int64_t i = 0; i < count; ++i) {
        const T depth = density[i] * steps[i];
        const T weight = left * opacity(depth);
        for (int c = 0; c < channels; ++c) summed[c] += weight * values[i * channels + c];
        opaque += weight;
        left *= exponential(-depth);
    }
    *total = opaque;
}

// Backward of composite_ray in one pass, from its results and their gradients.
template <class T>
NT_HD void composite_gradient(const T* density, const T* values, const T* steps, int64_t count,
                              int channels, const T* summed, T total, const T* d_summed, T d_total,
                              T* d_density, T* d_values, T* d_steps) {
    T left = T(1), behind = d_total * total;
    for (int c = 0; c < channels; ++c) behind += d_summed[c] * summed[c];
    for (int64_t i = 0; i < count; ++i) {
        const T depth = density[i] * steps[i];
        const T weight = left * opacity(depth);
        T seen = d_total;
        for (int c = 0; c < channels; ++c) {
            seen += d_summed[c] * values[i * channels + c];
            d_values[i * channels + c] = weight * d_summed[c];
        }
        behind -= weight * seen;
        left *= exponential(-depth);
        const T d_depth = left * seen - behind;
        d_density[i] = d_depth * steps[i];
        d_steps[i] = d_depth * density[i];
    }
}

}  // namespace nt
