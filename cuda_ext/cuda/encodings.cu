// Encodings of single vectors: spherical harmonics and frequencies.

#include "../include/frequency.h"
#include "../include/sh.h"
#include "device.h"

namespace ntc {
namespace {

template <int DEGREE>
__global__ void harmonics(const float* directions, int64_t count, float* out) {
    const int64_t n = thread_index();
    if (n >= count) return;
    const float* d = directions + 3 * n;
    nt::spherical_harmonics<DEGREE>(d[0], d[1], d[2], out + DEGREE * DEGREE * n);
}

template <int DEGREE>
__global__ void harmonics_backward(const float* gradient, const float* directions, int64_t count,
                                   float* d_directions) {
    const int64_t n = thread_index();
    if (n >= count) return;
    const float* d = directions + 3 * n;
    nt::spherical_harmonics_gradient<DEGREE>(d[0], d[1], d[2], gradient + DEGREE * DEGREE * n,
                                             d_directions + 3 * n);
}

// One thread a coordinate.
__global__ void frequency(const float* points, nt::Frequencies plan, int64_t count, float* out) {
    const int64_t n = thread_index();
    if (n >= count * plan.coordinates) return;
    const int64_t point = n / plan.coordinates;
    nt::waves_of(plan, (int)(n % plan.coordinates), points[n], out + point * plan.width());
}

__global__ void frequency_backward(const float* gradient, const float* points, nt::Frequencies plan,
                                   int64_t count, float* d_points) {
    const int64_t n = thread_index();
    if (n >= count * plan.coordinates) return;
    const int64_t point = n / plan.coordinates;
    d_points[n] = nt::waves_gradient(plan, (int)(n % plan.coordinates), points[n],
                                     gradient + point * plan.width());
}

// Too many coordinates for one launch, or a plan that makes no sense.
bool refused(const nt::Frequencies& plan, int64_t count) {
    return plan.coordinates < 1 || plan.octaves < 0 || plan.octaves > 64 || count < 0 ||
           too_many(count * plan.coordinates);
}

}  // namespace
}  // namespace ntc

using namespace ntc;

// directions (N, 3) to out (N, degree^2).
NT_API int ntc_sh_f32(const float* directions, int degree, int64_t count, float* out, int device,
                      void* stream) {
    if (too_many(count)) return cudaErrorInvalidValue;
    const DeviceGuard guard(device);
    if (guard.error() != cudaSuccess || count == 0) return guard.error();
    const bool known = nt::with_degree(degree, [&](auto d) {
        NT_LAUNCH((harmonics<decltype(d)::value>), blocks_for(count), BLOCK, stream, directions,
                  count, out);
    });
    return known ? cudaGetLastError() : cudaErrorInvalidValue;
}

NT_API int ntc_sh_backward_f32(const float* gradient, const float* directions, int degree,
                               int64_t count, float* d_directions, int device, void* stream) {
    if (too_many(count)) return cudaErrorInvalidValue;
    const DeviceGuard guard(device);
    if (guard.error() != cudaSuccess || count == 0) return guard.error();
    const bool known = nt::with_degree(degree, [&](auto d) {
        NT_LAUNCH((harmonics_backward<decltype(d)::value>), blocks_for(count), BLOCK, stream,
                  gradient, directions, count, d_directions);
    });
    return known ? cudaGetLastError() : cudaErrorInvalidValue;
}

// points (N, coordinates) to out (N, width of the plan).
NT_API int ntc_frequency_f32(const float* points, int coordinates, int octaves, int identity,
                             int64_t count, float* out, int device, void* stream) {
    const nt::Frequencies plan{coordinates, octaves, identity != 0};
    if (refused(plan, count)) return cudaErrorInvalidValue;
    const DeviceGuard guard(device);
    if (guard.error() != cudaSuccess || count == 0) return guard.error();
    NT_LAUNCH(frequency, blocks_for(count * coordinates), BLOCK, stream, points, plan, count, out);
    return cudaGetLastError();
}

NT_API int ntc_frequency_backward_f32(const float* gradient, const float* points, int coordinates,
                                      int octaves, int identity, int64_t count, float* d_points,
                                      int device, void* stream) {
    const nt::Frequencies plan{coordinates, octaves, identity != 0};
    if (refused(plan, count)) return cudaErrorInvalidValue;
    const DeviceGuard guard(device);
    if (guard.error() != cudaSuccess || count == 0) return guard.error();
    NT_LAUNCH(frequency_backward, blocks_for(count * coordinates), BLOCK, stream, gradient, points,
              plan, count, d_points);
    return cudaGetLastError();
}
