// Kernels of grid encoding: forward, backward to the table and to the points. P says which
// encoding (nt::OneGrid<D> or nt::TriPlanes); F how many features an entry has, 0 for any number; S
// in what the table is stored (float or nt::Half). Gradients are float in any case.
//
// Blocks are numbered slice-fastest: the blocks that write the columns of the same points run side
// by side, so the second-level cache joins their partial rows; within a block neighbouring threads
// look up neighbouring points in one slice.
#pragma once

#include <type_traits>

#include "block.h"
#include "levels.h"

namespace ntc {
namespace {

// What is read at a time: a whole entry, or one feature of it where their number is unusual.
template <int F, class S = float> using Part = Entry<F ? F : 1, S>;
template <int F> NT_HD int parts_of(const Levels& levels) { return F ? 1 : levels.features; }

// One (point, slice) pair of the block-per-slice numbering.
struct Work {
    int64_t point;
    int plane, k;
};

__device__ __forceinline__ Work work_of(const Levels& levels) {
    const int slices = levels.planes * levels.count;
    const int slice = (int)(blockIdx.x % slices);
    const int64_t point = (int64_t)(blockIdx.x / slices) * blockDim.x + threadIdx.x;
    return {point, slice / levels.count, slice % levels.count};
}

// Part 0 of the features that a slice has in a point's row of an encoding or of its gradient.
template <int F, class Row>
__device__ __forceinline__ auto features_of(Row* encoding, const Levels& levels, int64_t point,
                                            int plane, int k) {
    const int features = F ? F : levels.features;
    Row* row = encoding + point * levels.width(features) + levels.column(plane, k, features);
    using Entry = std::conditional_t<std::is_const_v<Row>, const Part<F>, Part<F>>;
    return reinterpret_cast<Entry*>(row);
}

template <class P, int F>
__device__ __forceinline__ auto corners_of(const Levels& levels, const Work& work,
                                           const float* points) {
    const auto level = levels.level_of<P>(work.k);
    const float* point = points + P::COORDINATES * work.point;
    return nt::corners_at(level, places_of<P>(level, work.plane, point));
}

template <class P, int F, class S>
__global__ void encode(const float* points, const S* table, int64_t count,
                       const __grid_constant__ Levels levels, float* out) {
    const Work work = work_of(levels);
    if (work.point >= count) return;
    const int parts = parts_of<F>(levels);
    const auto at = corners_of<P, F>(levels, work, points);
    const auto* slice =
        reinterpret_cast<const Part<F, S>*>(table) + levels.slice(work.plane, work.k) * parts;
    Part<F>* row = features_of<F>(out, levels, work.point, work.plane, work.k);
    for (int p = 0; p < parts; ++p) row[p] = blended(slice + p, at, parts);
}

template <int F>
__device__ __forceinline__ void add_entry(float* address, const Entry<F>& gradient, float weight) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
    // One vector atomic instead of two, from Hopper on.
    if constexpr (F == 2) {
        const float2 both = make_float2(gradient.value[0] * weight, gradient.value[1] * weight);
        atomicAdd(reinterpret_cast<float2*>(address), both);
    } else
#endif
    {
        for (int f = 0; f < F; ++f) atomicAdd(address + f, gradient.value[f] * weight);
    }
}

template <int F> NT_HD bool is_zero(const Entry<F>& entry) {
    bool zero = true;
    for (int f = 0; f < F; ++f) zero = zero && entry.value[f] == 0.0f;
    return zero;
}

template <class P, int F>
__global__ void encode_backward_table(const float* points, const float* gradient, int64_t count,
                                      const __grid_constant__ Levels levels, float* d_table) {
    const Work work = work_of(levels);
    if (work.point >= count) return;
    const int parts = parts_of<F>(levels);
    const Part<F>* incoming = features_of<F>(gradient, levels, work.point, work.plane, work.k);
    // Samples behind an opaque surface carry no gradient; atomics are the cost here.
    if (F && is_zero(*incoming)) return;
    const auto at = corners_of<P, F>(levels, work, points);
    auto* slice = reinterpret_cast<Part<F>*>(d_table) + levels.slice(work.plane, work.k) * parts;
    for (int p = 0; p < parts; ++p) {
        const Part<F> given = incoming[p];
        for (int c = 0; c < 1 << P::DIMENSIONS; ++c)
            add_entry(slice[(size_t)at.entry[c] * parts + p].value, given, at.weight[c]);
    }
}

// One thread per point: no atomics, and the sum over slices has a fixed order.
template <class P, int F, class S>
__global__ void encode_backward_points(const float* points, const S* table,
                                       const float* gradient, int64_t count,
                                       const __grid_constant__ Levels levels, float* d_points) {
    constexpr int D = P::DIMENSIONS, AXES = P::COORDINATES;
    const int64_t point = thread_index();
    if (point >= count) return;
    const int parts = parts_of<F>(levels);
    // Indexing by a run-time axis would push an array of the position into local memory.
    const float* position = points + AXES * point;
    float total[AXES] = {};
    for (int plane = 0; plane < P::PLANES; ++plane)
        for (int k = 0; k < levels.count; ++k) {
            const auto level = levels.level_of<P>(k);
            const auto places = places_of<P>(level, plane, position);
            const auto at = nt::corners_at(level, places);
            const auto* slice =
                reinterpret_cast<const Part<F, S>*>(table) + levels.slice(plane, k) * parts;
            const Part<F>* incoming = features_of<F>(gradient, levels, point, plane, k);
            float share[1 << D] = {};
            for (int p = 0; p < parts; ++p)
                for (int c = 0; c < 1 << D; ++c) {
                    const Part<F, S> corner = slice[(size_t)at.entry[c] * parts + p];
                    for (int f = 0; f < (F ? F : 1); ++f)
                        share[c] += nt::number(corner.value[f]) * incoming[p].value[f];
                }
            const auto slopes = nt::slopes_at(share, places);
            for (int axis = 0; axis < AXES; ++axis)
                for (int d = 0; d < D; ++d)
                    total[axis] += P::axis(plane, d) == axis ? slopes.axis[d] : 0.0f;
        }
    for (int axis = 0; axis < AXES; ++axis) d_points[AXES * point + axis] = total[axis];
}

// Coarse slices: thousands of points fall into each entry, so a block sums its share of them in
// shared memory and then adds every touched entry to the table once.
constexpr unsigned COARSE_BLOCK = 512;
constexpr int64_t COARSE_POINTS = 16 * COARSE_BLOCK;

template <class P, int F>
__global__ void __launch_bounds__(COARSE_BLOCK, 2)
    encode_backward_coarse(const float* points, const float* gradient, int64_t count,
                           const __grid_constant__ Levels levels, float* d_table) {
    NT_SHARED_MEMORY(memory);
    float* const sums = reinterpret_cast<float*>(memory);
    const int slices = levels.planes * levels.count, features = F ? F : levels.features;
    const int plane = (int)(blockIdx.x % slices) / levels.count;
    const int k = (int)(blockIdx.x % slices) % levels.count;
    const int parts = parts_of<F>(levels), floats = levels.entries[k] * features;
    for (int i = threadIdx.x; i < floats; i += COARSE_BLOCK) sums[i] = 0.0f;
    __syncthreads();
    const int64_t begin = (int64_t)(blockIdx.x / slices) * COARSE_POINTS;
    const int64_t end = nt::lesser(begin + COARSE_POINTS, count);
    for (int64_t point = begin + threadIdx.x; point < end; point += COARSE_BLOCK) {
        const Part<F>* incoming = features_of<F>(gradient, levels, point, plane, k);
        if (F && is_zero(*incoming)) continue;
        const auto at = corners_of<P, F>(levels, {point, plane, k}, points);
        for (int p = 0; p < parts; ++p) {
            const Part<F> given = incoming[p];
            for (int c = 0; c < 1 << P::DIMENSIONS; ++c)
                for (int f = 0; f < (F ? F : 1); ++f)
                    atomicAdd(sums + at.entry[c] * features + p + f,
                              given.value[f] * at.weight[c]);
        }
    }
    __syncthreads();
    float* slice = d_table + levels.slice(plane, k) * features;
    for (int i = threadIdx.x; i < floats; i += COARSE_BLOCK)
        if (sums[i] != 0.0f) atomicAdd(slice + i, sums[i]);
}

// Moves the levels whose slice fits `bytes` of shared memory from `levels` to `coarse`.
inline void split_levels(int64_t bytes, Levels* levels, Levels* coarse) {
    const Levels all = *levels;
    *coarse = all;
    levels->count = coarse->count = 0;
    for (int k = 0; k < all.count; ++k) {
        Levels* part = (int64_t)all.entries[k] * all.features * 4 <= bytes ? coarse : levels;
        part->index[part->count] = all.index[k];
        part->resolution[part->count] = all.resolution[k];
        part->entries[part->count] = all.entries[k];
        part->first[part->count++] = all.first[k];
    }
}

// Blocks of the block-per-slice numbering.
inline int64_t slice_blocks(const Levels& levels, int64_t count) {
    return levels.planes * levels.count * ((count + BLOCK - 1) / BLOCK);
}

template <class P, int F>
cudaError_t run_table(const float* points, const float* gradient, int64_t count, Levels levels,
                      float* d_table, int device, void* stream) {
    const size_t floats = (size_t)levels.planes * levels.table_entries * levels.features;
    cudaError_t error =
        cudaMemsetAsync(d_table, 0, floats * sizeof(float), (cudaStream_t)stream);
    if (error != cudaSuccess || count == 0) return error;
    int most = 0;
    error = most_shared(device, &most);
    if (error != cudaSuccess) return error;
    const int shared = nt::lesser(most, USUAL_SHARED);
    Levels coarse;
    split_levels(shared, &levels, &coarse);
    if (coarse.count) {
        const int64_t blocks =
            coarse.planes * coarse.count * ((count + COARSE_POINTS - 1) / COARSE_POINTS);
        error = launch_blocks(encode_backward_coarse<P, F>, blocks, COARSE_BLOCK, shared, stream,
                              points, gradient, count, coarse, d_table);
        if (error != cudaSuccess || !levels.count) return error;
    }
    NT_LAUNCH((encode_backward_table<P, F>), (unsigned)slice_blocks(levels, count), BLOCK, stream,
              points, gradient, count, levels, d_table);
    return cudaGetLastError();
}

// Calls run with the number of features as a type, 0 where it is unusual.
template <class Run> int with_features(int features, const Run& run) {
    switch (features) {
        case 1: return run(std::integral_constant<int, 1>());
        case 2: return run(std::integral_constant<int, 2>());
        case 4: return run(std::integral_constant<int, 4>());
        case 8: return run(std::integral_constant<int, 8>());
        default: return run(std::integral_constant<int, 0>());
    }
}

// points (M, COORDINATES), table (PLANES, E, F), out (M, PLANES L F).
template <class P, class S>
int run_encode(const LevelArrays& given, int features, bool tiled, const float* points,
               const S* table, int64_t count, float* out, int device, void* stream) {
    Levels levels;
    if (!read_levels(given, P::PLANES, features, tiled, &levels) || count < 0 ||
        slice_blocks(levels, count) > MAX_BLOCKS)
        return cudaErrorInvalidValue;
    const DeviceGuard guard(device);
    if (guard.error() != cudaSuccess || count == 0) return guard.error();
    return with_features(features, [&](auto f) -> int {
        NT_LAUNCH((encode<P, decltype(f)::value, S>), (unsigned)slice_blocks(levels, count), BLOCK,
                  stream, points, table, count, levels, out);
        return cudaGetLastError();
    });
}

// gradient (M, PLANES L F) to d_table and d_points, both overwritten; either may be null.
template <class P, class S>
int run_backward(const LevelArrays& given, int features, bool tiled, const float* gradient,
                 const float* points, const S* table, int64_t count, float* d_table,
                 float* d_points, int device, void* stream) {
    Levels levels;
    if (!read_levels(given, P::PLANES, features, tiled, &levels) || count < 0 ||
        slice_blocks(levels, count) > MAX_BLOCKS)
        return cudaErrorInvalidValue;
    const DeviceGuard guard(device);
    if (guard.error() != cudaSuccess) return guard.error();
    return with_features(features, [&](auto f) -> int {
        constexpr int F = decltype(f)::value;
        cudaError_t error = cudaSuccess;
        if (d_table)
            error = run_table<P, F>(points, gradient, count, levels, d_table, device, stream);
        if (error != cudaSuccess || !d_points || count == 0) return error;
        NT_LAUNCH((encode_backward_points<P, F, S>), blocks_for(count), BLOCK, stream, points,
                  table, gradient, count, levels, d_points);
        return cudaGetLastError();
    });
}

}  // namespace
}  // namespace ntc
