// Compositing: one thread per ray, any number of channels at once.
//
// Every kernel ends a ray at the same sample, found by live_samples from the same inputs, so a
// backward pass sees exactly what its forward pass added.

#include "../include/composite.h"
#include "span.h"

namespace ntc {
namespace {

// Half of float's spacing below one: a sample behind it changes no sum that is already opaque.
constexpr float INVISIBLE = 1.0f / (1 << 25);

// Samples of a ray that any light from behind still passes; the rest have no weight.
__device__ __forceinline__ int64_t live_samples(const float* density, const float* steps,
                                                int64_t count) {
    float left = 1.0f;
    int64_t i = 0;
    for (; i < count && !(left < INVISIBLE); ++i) left *= nt::exponential(-density[i] * steps[i]);
    return i;
}

__global__ void weights(const float* density, const float* steps, const int64_t* offsets,
                        int64_t rays, int64_t samples, float* out) {
    const int64_t ray = thread_index();
    if (ray >= rays) return;
    const Span span = span_of(offsets, ray, samples);
    if (!span.fits) return;
    const float *d = density + span.first, *s = steps + span.first;
    const int64_t live = live_samples(d, s, span.count);
    nt::weights_of_ray(d, s, live, out + span.first);
    for (int64_t i = live; i < span.count; ++i) out[span.first + i] = 0.0f;
}

__global__ void weights_backward(const float* gradient, const float* density, const float* steps,
                                 const int64_t* offsets, int64_t rays, int64_t samples,
                                 float* d_density, float* d_steps) {
    const int64_t ray = thread_index();
    if (ray >= rays) return;
    const Span span = span_of(offsets, ray, samples);
    if (!span.fits) return;
    const int64_t at = span.first;
    const int64_t live = live_samples(density + at, steps + at, span.count);
    nt::weights_gradient(density + at, steps + at, gradient + at, live, d_density + at,
                         d_steps + at);
    for (int64_t i = at + live; i < at + span.count; ++i) d_density[i] = d_steps[i] = 0.0f;
}

// C > 0 is the number of channels, kept in registers; 0 takes any number and sums in memory.
template <int C>
__global__ void composite(const float* density, const float* values, const float* steps,
                          const int64_t* offsets, int64_t rays, int64_t samples, int any,
                          float* summed, float* opacity) {
    const int64_t ray = thread_index();
    if (ray >= rays) return;
    const int channels = C ? C : any;
    const Span span = span_of(offsets, ray, samples);
    float* out = summed + ray * channels;
    if (!span.fits) {
        // A kernel cannot raise; NaN cannot be overlooked.
        for (int c = 0; c < channels; ++c) out[c] = NAN;
        opacity[ray] = NAN;
        return;
    }
    const float *d = density + span.first, *s = steps + span.first;
    const float* v = values + span.first * channels;
    const int64_t live = live_samples(d, s, span.count);
    float total;
    if constexpr (C > 0) {
        float sums[C];
        nt::composite_ray(d, v, s, live, C, sums, &total);
        for (int c = 0; c < C; ++c) out[c] = sums[c];
    } else {
        nt::composite_ray(d, v, s, live, channels, out, &total);
    }
    opacity[ray] = total;
}

struct Gradients {
    const float *summed, *opacity, *d_summed, *d_opacity;
    float *d_density, *d_values, *d_steps;
};

__global__ void composite_backward(const float* density, const float* values, const float* steps,
                                   const int64_t* offsets, int64_t rays, int64_t samples,
                                   int channels, Gradients g) {
    const int64_t ray = thread_index();
    if (ray >= rays) return;
    const Span span = span_of(offsets, ray, samples);
    if (!span.fits) return;
    const int64_t at = span.first, c = ray * channels, v = at * channels;
    const int64_t live = live_samples(density + at, steps + at, span.count);
    nt::composite_gradient(density + at, values + v, steps + at, live, channels, g.summed + c,
                           g.opacity[ray], g.d_summed + c, g.d_opacity[ray], g.d_density + at,
                           g.d_values + v, g.d_steps + at);
    for (int64_t i = at + live; i < at + span.count; ++i) g.d_density[i] = g.d_steps[i] = 0.0f;
    for (int64_t i = v + live * channels; i < v + span.count * channels; ++i) g.d_values[i] = 0.0f;
}

template <int C>
cudaError_t run_composite(const float* density, const float* values, const float* steps,
                          const int64_t* offsets, int64_t rays, int64_t samples, int channels,
                          float* summed, float* opacity, void* stream) {
    NT_LAUNCH(composite<C>, blocks_for(rays), BLOCK, stream, density, values, steps, offsets, rays,
              samples, channels, summed, opacity);
    return cudaGetLastError();
}

}  // namespace
}  // namespace ntc

using namespace ntc;

// density, steps, out (M), offsets (N, 2).
NT_API int ntc_render_weights_f32(const float* density, const float* steps, const int64_t* offsets,
                                  int64_t rays, int64_t samples, float* out, int device,
                                  void* stream) {
    if (too_many(rays)) return cudaErrorInvalidValue;
    const DeviceGuard guard(device);
    if (guard.error() != cudaSuccess || rays == 0) return guard.error();
    NT_LAUNCH(weights, blocks_for(rays), BLOCK, stream, density, steps, offsets, rays, samples,
              out);
    return cudaGetLastError();
}

NT_API int ntc_render_weights_backward_f32(const float* gradient, const float* density,
                                           const float* steps, const int64_t* offsets, int64_t rays,
                                           int64_t samples, float* d_density, float* d_steps,
                                           int device, void* stream) {
    if (too_many(rays)) return cudaErrorInvalidValue;
    const DeviceGuard guard(device);
    if (guard.error() != cudaSuccess || rays == 0) return guard.error();
    NT_LAUNCH(weights_backward, blocks_for(rays), BLOCK, stream, gradient, density, steps, offsets,
              rays, samples, d_density, d_steps);
    return cudaGetLastError();
}

// values (M, C) to summed (N, C) and opacity (N).
NT_API int ntc_composite_f32(const float* density, const float* values, const float* steps,
                             const int64_t* offsets, int64_t rays, int64_t samples, int channels,
                             float* summed, float* opacity, int device, void* stream) {
    if (too_many(rays) || channels < 0) return cudaErrorInvalidValue;
    const DeviceGuard guard(device);
    if (guard.error() != cudaSuccess || rays == 0) return guard.error();
    const auto run = [&](auto with_channels) -> int {
        return with_channels(density, values, steps, offsets, rays, samples, channels, summed,
                             opacity, stream);
    };
    switch (channels) {
        case 1: return run(run_composite<1>);
        case 3: return run(run_composite<3>);
        case 4: return run(run_composite<4>);
        case 6: return run(run_composite<6>);
        default: return run(run_composite<0>);
    }
}

NT_API int ntc_composite_backward_f32(const float* density, const float* values, const float* steps,
                                      const int64_t* offsets, int64_t rays, int64_t samples,
                                      int channels, const float* summed, const float* opacity,
                                      const float* d_summed, const float* d_opacity,
                                      float* d_density, float* d_values, float* d_steps, int device,
                                      void* stream) {
    if (too_many(rays) || channels < 0) return cudaErrorInvalidValue;
    const DeviceGuard guard(device);
    if (guard.error() != cudaSuccess || rays == 0) return guard.error();
    const Gradients gradients{summed,    opacity,  d_summed, d_opacity,
                              d_density, d_values, d_steps};
    NT_LAUNCH(composite_backward, blocks_for(rays), BLOCK, stream, density, values, steps, offsets,
              rays, samples, channels, gradients);
    return cudaGetLastError();
}
