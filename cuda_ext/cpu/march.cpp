// Rays on the CPU: box, and march in two passes (count, then write).

#include "../include/march.h"

#include "../include/abi.h"

namespace nt {
namespace {

constexpr int SCHEDULE = 64;  // rays a thread takes at a time
constexpr int FEW = 256;      // rays for which waking threads costs more than it brings

template <class T> struct Rays {
    const T *origins, *directions, *near, *far, *jitter;
    T step;
    MarchRay<T> operator[](int64_t n) const {
        MarchRay<T> ray;
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

template <class T> int64_t endless_rays(const Rays<T>& rays, int64_t count) {
    int64_t found = 0;
    for (int64_t n = 0; n < count; ++n) found += endless(rays.near[n], rays.far[n], rays.step);
    return found;
}

// An endless ray keeps nothing.
template <class T>
void count_samples(const Rays<T>& rays, const Occupancy& grid, const T* box, int64_t count,
                   int64_t* counts) {
#pragma omp parallel for schedule(dynamic, SCHEDULE) if (count > FEW)
    for (int64_t n = 0; n < count; ++n) {
        int64_t kept = 0;
        const MarchRay<T> ray = rays[n];
        if (!endless(ray.near, ray.far, ray.step))
            march_ray(ray, grid, box, [&](int64_t) {
                ++kept;
                return true;
            });
        counts[n] = kept;
    }
}

// First sample and count of each ray, cut off at the capacity.
void place_samples(const int64_t* counts, int64_t count, int64_t capacity, int64_t* offsets,
                   int64_t* totals) {
    int64_t before = 0;
    for (int64_t n = 0; n < count; ++n) {
        const int64_t first = lesser(before, capacity);
        offsets[2 * n] = first;
        offsets[2 * n + 1] = lesser(counts[n], capacity - first);
        before += counts[n];
    }
    totals[WANTED] = before;
    totals[DROPPED] = greater<int64_t>(before - capacity, 0);
}

template <class T>
void write_samples(const Rays<T>& rays, const Occupancy& grid, const T* box, int64_t count,
                  const int64_t* offsets, int64_t* ray_indices, T* starts) {
#pragma omp parallel for schedule(dynamic, SCHEDULE) if (count > FEW)
    for (int64_t n = 0; n < count; ++n) {
        const MarchRay<T> ray = rays[n];
        int64_t at = offsets[2 * n];
        const int64_t end = at + offsets[2 * n + 1];
        if (at >= end) continue;
        march_ray(ray, grid, box, [&](int64_t k) {
            ray_indices[at] = n;
            starts[at] = ray.start(k);
            return ++at < end;
        });
    }
}

}  // namespace
}  // namespace nt

#define NT_RAYS(T, SUFFIX)                                                                         \
    NT_API int nt_ray_box_##SUFFIX(const T* origins, const T* directions, const T* box,            \
                                   int64_t count, T* near, T* far) {                               \
        for (int64_t n = 0; n < count; ++n)                                                        \
            nt::ray_box(origins + 3 * n, directions + 3 * n, box, near + n, far + n);              \
        return nt::OK;                                                                             \
    }                                                                                              \
    NT_API int nt_march_count_##SUFFIX(                                                            \
        const T* origins, const T* directions, const T* near, const T* far, const T* jitter,       \
        const uint8_t* cells, const uint8_t* blocks, const T* box, int resolution, T step,         \
        int64_t count, int64_t* counts) {                                                          \
        const nt::Rays<T> rays{origins, directions, near, far, jitter, step};                      \
        if (nt::endless_rays(rays, count)) return nt::NOT_FINITE;                                  \
        nt::count_samples(rays, {cells, blocks, resolution}, box, count, counts);                  \
        return nt::OK;                                                                             \
    }                                                                                              \
    NT_API int nt_march_write_##SUFFIX(                                                            \
        const T* origins, const T* directions, const T* near, const T* far, const T* jitter,       \
        const uint8_t* cells, const uint8_t* blocks, const T* box, int resolution, T step,         \
        int64_t count, const int64_t* offsets, int64_t* ray_indices, T* starts) {                  \
        const nt::Rays<T> rays{origins, directions, near, far, jitter, step};                      \
        nt::write_samples(rays, {cells, blocks, resolution}, box, count, offsets, ray_indices,     \
                          starts);                                                                 \
        return nt::OK;                                                                             \
    }                                                                                              \
    NT_API int nt_march_packed_##SUFFIX(                                                           \
        const T* origins, const T* directions, const T* near, const T* far, const T* jitter,       \
        const uint8_t* cells, const uint8_t* blocks, const T* box, int resolution, T step,         \
        int64_t count, int64_t capacity, int64_t* scratch, int64_t* offsets,                       \
        int64_t* ray_indices, T* starts, int64_t* totals) {                                        \
        const nt::Rays<T> rays{origins, directions, near, far, jitter, step};                      \
        const nt::Occupancy grid{cells, blocks, resolution};                                       \
        nt::count_samples(rays, grid, box, count, scratch);                                        \
        nt::place_samples(scratch, count, capacity, offsets, totals);                              \
        totals[nt::ENDLESS] = nt::endless_rays(rays, count);                                       \
        nt::write_samples(rays, grid, box, count, offsets, ray_indices, starts);                   \
        return nt::OK;                                                                             \
    }

NT_RAYS(float, f32)
NT_RAYS(double, f64)
