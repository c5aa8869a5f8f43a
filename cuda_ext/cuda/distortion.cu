// Distortion along rays: one thread a ray.

#include "../include/distortion.h"
#include "span.h"

namespace ntc {
namespace {

__global__ void distortion(const float* weights, const float* middles, const float* lengths,
                           const int64_t* offsets, int64_t rays, int64_t samples, float* out) {
    const int64_t ray = thread_index();
    if (ray >= rays) return;
    const Span span = span_of(offsets, ray, samples);
    const int64_t at = span.first;
    // A kernel cannot raise; NaN cannot be overlooked.
    out[ray] = span.fits
                   ? nt::distortion_of_ray(weights + at, middles + at, lengths + at, span.count)
                   : NAN;
}

__global__ void distortion_backward(const float* gradient, const float* weights,
                                    const float* middles, const float* lengths,
                                    const int64_t* offsets, int64_t rays, int64_t samples,
                                    float* d_weights) {
    const int64_t ray = thread_index();
    if (ray >= rays) return;
    const Span span = span_of(offsets, ray, samples);
    if (!span.fits) return;
    const int64_t at = span.first;
    nt::distortion_gradient(weights + at, middles + at, lengths + at, span.count, gradient[ray],
                            d_weights + at);
}

}  // namespace
}  // namespace ntc

using namespace ntc;

// weights, middles, lengths (M), offsets (N, 2) to out (N).
NT_API int ntc_distortion_f32(const float* weights, const float* middles, const float* lengths,
                              const int64_t* offsets, int64_t rays, int64_t samples, float* out,
                              int device, void* stream) {
    if (too_many(rays)) return cudaErrorInvalidValue;
    const DeviceGuard guard(device);
    if (guard.error() != cudaSuccess || rays == 0) return guard.error();
    NT_LAUNCH(distortion, blocks_for(rays), BLOCK, stream, weights, middles, lengths, offsets, rays,
              samples, out);
    return cudaGetLastError();
}

NT_API int ntc_distortion_backward_f32(const float* gradient, const float* weights,
                                       const float* middles, const float* lengths,
                                       const int64_t* offsets, int64_t rays, int64_t samples,
                                       float* d_weights, int device, void* stream) {
    if (too_many(rays)) return cudaErrorInvalidValue;
    const DeviceGuard guard(device);
    if (guard.error() != cudaSuccess || rays == 0) return guard.error();
    NT_LAUNCH(distortion_backward, blocks_for(rays), BLOCK, stream, gradient, weights, middles,
              lengths, offsets, rays, samples, d_weights);
    return cudaGetLastError();
}
