// Rays: box, and the march in three steps: count, scan, write.
//
// Samples keep the order of their rays: offsets come from a prefix sum, never from atomics. Buffers
// have a fixed capacity and all counts stay on the device, so that nothing waits for it.

#include "../include/march.h"
#include "device.h"

namespace ntc {
namespace {

struct Rays {
    const float *origins, *directions, *near, *far, *jitter;
    float step;

    __device__ __forceinline__ nt::MarchRay<float> load(int64_t n) const {
        nt::MarchRay<float> ray;
        for (int axis = 0; axis < 3; ++axis) {
            ray.origin[axis] = origins[3 * n + axis];
            ray.direction[axis] = directions[3 * n + axis];
        }
        ray.near = near[n];
        ray.far = far[n];
        ray.step = step;
        ray.jitter = jitter[n];
        return ray;
    }
};

__global__ void box_hits(const float* origins, const float* directions, const float* box,
                         int64_t count, float* near, float* far) {
    const int64_t n = thread_index();
    if (n < count) nt::ray_box(origins + 3 * n, directions + 3 * n, box, near + n, far + n);
}

__global__ void march_count(Rays rays, nt::Occupancy grid, const float* box, int64_t count,
                            int64_t* counts) {
    const int64_t n = thread_index();
    if (n >= count) return;
    const nt::MarchRay<float> ray = rays.load(n);
    int64_t kept = 0;
    if (!nt::endless(ray.near, ray.far, ray.step))
        nt::march_ray(ray, grid, box, [&](int64_t) {
            ++kept;
            return true;
        });
    counts[n] = kept;
}

__global__ void march_write(Rays rays, nt::Occupancy grid, const float* box, int64_t count,
                            const int64_t* offsets, int64_t* ray_indices, float* starts) {
    const int64_t n = thread_index();
    if (n >= count) return;
    int64_t at = offsets[2 * n];
    const int64_t end = at + offsets[2 * n + 1];
    if (at >= end) return;
    const nt::MarchRay<float> ray = rays.load(n);
    nt::march_ray(ray, grid, box, [&](int64_t k) {
        ray_indices[at] = n;
        starts[at] = ray.start(k);
        return ++at < end;
    });
}

// Rays one thread of the scan sums: few enough to be quick, many enough that the sums of all
// threads are a short list.
constexpr int64_t SCAN_SHARE = 128;

using Total = unsigned long long;

__global__ void scan_shares(const int64_t* counts, const float* near, const float* far, float step,
                            int64_t count, int64_t* shares, Total* totals) {
    const int64_t share = thread_index();
    const int64_t begin = share * SCAN_SHARE, end = nt::lesser(begin + SCAN_SHARE, count);
    if (begin >= count) return;
    int64_t sum = 0;
    Total refused = 0;
    for (int64_t n = begin; n < end; ++n) {
        sum += counts[n];
        refused += nt::endless(near[n], far[n], step) ? 1 : 0;
    }
    shares[share] = sum;
    if (refused) atomicAdd(totals + nt::ENDLESS, refused);
}

// One thread: N / 128 additions. Turns each share into the samples before it.
__global__ void scan_starts(int64_t* shares, int64_t count, int64_t capacity, Total* totals) {
    int64_t before = 0;
    for (int64_t i = 0; i < count; ++i) {
        const int64_t share = shares[i];
        shares[i] = before;
        before += share;
    }
    totals[nt::WANTED] = (Total)before;
    totals[nt::DROPPED] = (Total)(before > capacity ? before - capacity : 0);
}

// First sample and count of each ray, cut off at the capacity.
__global__ void scan_offsets(const int64_t* counts, const int64_t* shares, int64_t count,
                             int64_t capacity, int64_t* offsets) {
    const int64_t share = thread_index();
    const int64_t begin = share * SCAN_SHARE, end = nt::lesser(begin + SCAN_SHARE, count);
    if (begin >= count) return;
    int64_t before = shares[share];
    for (int64_t n = begin; n < end; ++n) {
        const int64_t wanted = counts[n], first = nt::lesser(before, capacity);
        offsets[2 * n] = first;
        offsets[2 * n + 1] = nt::lesser(wanted, capacity - first);
        before += wanted;
    }
}

int64_t shares_of(int64_t count) { return (count + SCAN_SHARE - 1) / SCAN_SHARE; }

// counts (N) to offsets (N, 2), none beyond `capacity`, and totals.
cudaError_t scan(const int64_t* counts, const Rays& rays, int64_t count, int64_t capacity,
                 int64_t* shares, int64_t* offsets, Total* totals, void* stream) {
    const int64_t parts = shares_of(count);
    NT_LAUNCH(scan_shares, blocks_for(parts), BLOCK, stream, counts, rays.near, rays.far, rays.step,
              count, shares, totals);
    cudaError_t error = cudaGetLastError();
    if (error != cudaSuccess) return error;
    NT_LAUNCH(scan_starts, 1, 1, stream, shares, parts, capacity, totals);
    error = cudaGetLastError();
    if (error != cudaSuccess) return error;
    NT_LAUNCH(scan_offsets, blocks_for(parts), BLOCK, stream, counts, shares, count, capacity,
              offsets);
    return cudaGetLastError();
}

}  // namespace
}  // namespace ntc

using namespace ntc;

// origins, directions (N, 3), box (2, 3) to near, far (N).
NT_API int ntc_ray_box_f32(const float* origins, const float* directions, const float* box,
                           int64_t count, float* near, float* far, int device, void* stream) {
    if (too_many(count)) return cudaErrorInvalidValue;
    const DeviceGuard guard(device);
    if (guard.error() != cudaSuccess || count == 0) return guard.error();
    NT_LAUNCH(box_hits, blocks_for(count), BLOCK, stream, origins, directions, box, count, near,
              far);
    return cudaGetLastError();
}

// Samples each of N rays would keep; blocks may be null.
NT_API int ntc_march_count_f32(const float* origins, const float* directions, const float* near,
                               const float* far, const float* jitter, const uint8_t* cells,
                               const uint8_t* blocks, const float* box, int resolution, float step,
                               int64_t count, int64_t* counts, int device, void* stream) {
    if (too_many(count) || resolution < 1 || !(step > 0.0f)) return cudaErrorInvalidValue;
    const DeviceGuard guard(device);
    if (guard.error() != cudaSuccess || count == 0) return guard.error();
    const Rays rays{origins, directions, near, far, jitter, step};
    NT_LAUNCH(march_count, blocks_for(count), BLOCK, stream, rays,
              nt::Occupancy{cells, blocks, resolution}, box, count, counts);
    return cudaGetLastError();
}

// Writes the samples that offsets (N, 2) has room for: ray_indices and starts (capacity).
NT_API int ntc_march_write_f32(const float* origins, const float* directions, const float* near,
                               const float* far, const float* jitter, const uint8_t* cells,
                               const uint8_t* blocks, const float* box, int resolution, float step,
                               int64_t count, const int64_t* offsets, int64_t* ray_indices,
                               float* starts, int device, void* stream) {
    if (too_many(count) || resolution < 1 || !(step > 0.0f)) return cudaErrorInvalidValue;
    const DeviceGuard guard(device);
    if (guard.error() != cudaSuccess || count == 0) return guard.error();
    const Rays rays{origins, directions, near, far, jitter, step};
    NT_LAUNCH(march_write, blocks_for(count), BLOCK, stream, rays,
              nt::Occupancy{cells, blocks, resolution}, box, count, offsets, ray_indices, starts);
    return cudaGetLastError();
}

// Counts, scans and writes without waiting: offsets (N, 2), ray_indices and starts (capacity), of
// which what lies behind the last sample stays as it is, and totals (3, see MarchTotal). scratch
// holds N + N / 128 rounded up numbers.
NT_API int ntc_march_packed_f32(const float* origins, const float* directions, const float* near,
                                const float* far, const float* jitter, const uint8_t* cells,
                                const uint8_t* blocks, const float* box, int resolution, float step,
                                int64_t count, int64_t capacity, int64_t* scratch, int64_t* offsets,
                                int64_t* ray_indices, float* starts, int64_t* totals, int device,
                                void* stream) {
    if (too_many(count) || capacity < 0 || resolution < 1 || !(step > 0.0f))
        return cudaErrorInvalidValue;
    const DeviceGuard guard(device);
    if (guard.error() != cudaSuccess) return guard.error();
    const size_t bytes = nt::MARCH_TOTALS * sizeof(Total);
    cudaError_t error = cudaMemsetAsync(totals, 0, bytes, (cudaStream_t)stream);
    if (error != cudaSuccess || count == 0) return error;
    const Rays rays{origins, directions, near, far, jitter, step};
    const nt::Occupancy grid{cells, blocks, resolution};
    NT_LAUNCH(march_count, blocks_for(count), BLOCK, stream, rays, grid, box, count, scratch);
    error = cudaGetLastError();
    if (error != cudaSuccess) return error;
    error = scan(scratch, rays, count, capacity, scratch + count, offsets,
                 reinterpret_cast<Total*>(totals), stream);
    if (error != cudaSuccess) return error;
    NT_LAUNCH(march_write, blocks_for(count), BLOCK, stream, rays, grid, box, count, offsets,
              ray_indices, starts);
    return cudaGetLastError();
}
