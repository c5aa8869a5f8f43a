// Tri-plane encoding: forward, backward to the table and to the points.
//
// Blocks are numbered slice-fastest: the blocks that write the columns of the same points run side
// by side, so the second-level cache joins their partial rows; within a block neighbouring threads
// look up neighbouring points in one slice.

#include "block.h"
#include "levels.h"

namespace ntc {
namespace {

// One (point, slice) pair of the block-per-slice numbering.
struct Work {
    int64_t point;
    int plane, k;
};

__device__ __forceinline__ Work work_of(const Levels& levels) {
    const int slices = 3 * levels.count;
    const int slice = (int)(blockIdx.x % slices);
    const int64_t point = (int64_t)(blockIdx.x / slices) * blockDim.x + threadIdx.x;
    return {point, slice / levels.count, slice % levels.count};
}

template <int F>
__global__ void encode(const float* points, const float* table, int64_t count,
                       const __grid_constant__ Levels levels, float* out) {
    const Work work = work_of(levels);
    if (work.point >= count) return;
    const auto* entries = reinterpret_cast<const Entry<F>*>(table);
    const auto at = corners_of(levels, work.plane, work.k, points + 3 * work.point);
    const Entry<F> value = blended<F>(entries + levels.slice(work.plane, work.k), at);
    float* row = out + work.point * levels.width(F) + levels.column(work.plane, work.k, F);
    *reinterpret_cast<Entry<F>*>(row) = value;
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

template <int F>
__device__ __forceinline__ Entry<F> gradient_of(const float* gradient, const Levels& levels,
                                                int64_t point, int plane, int k) {
    const float* row = gradient + point * levels.width(F) + levels.column(plane, k, F);
    return *reinterpret_cast<const Entry<F>*>(row);
}

template <int F>
__global__ void encode_backward_table(const float* points, const float* gradient, int64_t count,
                                      const __grid_constant__ Levels levels, float* d_table) {
    const Work work = work_of(levels);
    if (work.point >= count) return;
    const Entry<F> incoming = gradient_of<F>(gradient, levels, work.point, work.plane, work.k);
    // Samples behind an opaque surface carry no gradient; atomics are the cost here.
    if (is_zero(incoming)) return;
    const auto at = corners_of(levels, work.plane, work.k, points + 3 * work.point);
    float* slice = d_table + levels.slice(work.plane, work.k) * F;
    for (int c = 0; c < 4; ++c) add_entry(slice + (size_t)at.entry[c] * F, incoming, at.weight[c]);
}

// One thread per point: no atomics, and the sum over slices has a fixed order.
template <int F>
__global__ void encode_backward_points(const float* points, const float* table,
                                       const float* gradient, int64_t count,
                                       const __grid_constant__ Levels levels, float* d_points) {
    const int64_t point = thread_index();
    if (point >= count) return;
    const float position[3] = {points[3 * point], points[3 * point + 1], points[3 * point + 2]};
    float total[3] = {0.0f, 0.0f, 0.0f};
    for (int plane = 0; plane < 3; ++plane) {
        const int first = nt::plane_axis(plane, 0), second = nt::plane_axis(plane, 1);
        float d_across = 0.0f, d_along = 0.0f;
        for (int k = 0; k < levels.count; ++k) {
            const Entry<F> incoming = gradient_of<F>(gradient, levels, point, plane, k);
            const nt::Level level = levels.level(k);
            nt::plane_position_gradient(
                table + levels.slice(plane, k) * F, F, level,
                nt::place(position[first], level.resolution),
                nt::place(position[second], level.resolution), incoming.value, &d_across, &d_along);
        }
        // Indexing by a run-time axis would push the array into local memory.
        total[0] += first == 0 ? d_across : 0.0f;
        total[1] += first == 1 ? d_across : (second == 1 ? d_along : 0.0f);
        total[2] += second == 2 ? d_along : 0.0f;
    }
    for (int axis = 0; axis < 3; ++axis) d_points[3 * point + axis] = total[axis];
}

// Coarse slices: thousands of points fall into each entry, so a block sums its share of them in
// shared memory and then adds every touched entry to the table once.
constexpr unsigned COARSE_BLOCK = 512;
constexpr int64_t COARSE_POINTS = 16 * COARSE_BLOCK;

template <int F>
__global__ void __launch_bounds__(COARSE_BLOCK, 2)
    encode_backward_coarse(const float* points, const float* gradient, int64_t count,
                           const __grid_constant__ Levels levels, float* d_table) {
    NT_SHARED_MEMORY(memory);
    float* const sums = reinterpret_cast<float*>(memory);
    const int slices = 3 * levels.count;
    const int plane = (int)(blockIdx.x % slices) / levels.count;
    const int k = (int)(blockIdx.x % slices) % levels.count;
    const int floats = levels.entries[k] * F;
    for (int i = threadIdx.x; i < floats; i += COARSE_BLOCK) sums[i] = 0.0f;
    __syncthreads();
    const int64_t begin = (int64_t)(blockIdx.x / slices) * COARSE_POINTS;
    const int64_t end = nt::lesser(begin + COARSE_POINTS, count);
    for (int64_t point = begin + threadIdx.x; point < end; point += COARSE_BLOCK) {
        const Entry<F> incoming = gradient_of<F>(gradient, levels, point, plane, k);
        if (is_zero(incoming)) continue;
        const auto at = corners_of(levels, plane, k, points + 3 * point);
        for (int c = 0; c < 4; ++c)
            for (int f = 0; f < F; ++f)
                atomicAdd(sums + at.entry[c] * F + f, incoming.value[f] * at.weight[c]);
    }
    __syncthreads();
    float* slice = d_table + levels.slice(plane, k) * F;
    for (int i = threadIdx.x; i < floats; i += COARSE_BLOCK)
        if (sums[i] != 0.0f) atomicAdd(slice + i, sums[i]);
}

// Moves the levels whose slice fits `bytes` of shared memory from `levels` to `coarse`.
void split_levels(int64_t bytes, int features, Levels* levels, Levels* coarse) {
    const Levels all = *levels;
    *coarse = all;
    levels->count = coarse->count = 0;
    for (int k = 0; k < all.count; ++k) {
        Levels* part = (int64_t)all.entries[k] * features * 4 <= bytes ? coarse : levels;
        part->index[part->count] = all.index[k];
        part->resolution[part->count] = all.resolution[k];
        part->entries[part->count] = all.entries[k];
        part->first[part->count++] = all.first[k];
    }
}

// Blocks of the block-per-slice numbering.
int64_t slice_blocks(const Levels& levels, int64_t count) {
    return 3 * levels.count * ((count + BLOCK - 1) / BLOCK);
}

template <int F>
cudaError_t run_forward(const float* points, const float* table, int64_t count,
                        const Levels& levels, float* out, void* stream) {
    NT_LAUNCH(encode<F>, (unsigned)slice_blocks(levels, count), BLOCK, stream, points, table, count,
              levels, out);
    return cudaGetLastError();
}

template <int F>
cudaError_t run_table(const float* points, const float* gradient, int64_t count, Levels levels,
                      float* d_table, int device, void* stream) {
    const size_t bytes = (size_t)3 * levels.table_entries * F * sizeof(float);
    cudaError_t error = cudaMemsetAsync(d_table, 0, bytes, (cudaStream_t)stream);
    if (error != cudaSuccess || count == 0) return error;
    int most = 0;
    error = most_shared(device, &most);
    if (error != cudaSuccess) return error;
    const int shared = nt::lesser(most, USUAL_SHARED);
    Levels coarse;
    split_levels(shared, F, &levels, &coarse);
    if (coarse.count) {
        const int64_t blocks = 3 * coarse.count * ((count + COARSE_POINTS - 1) / COARSE_POINTS);
        error = launch_blocks(encode_backward_coarse<F>, blocks, COARSE_BLOCK, shared, stream, points,
                              gradient, count, coarse, d_table);
        if (error != cudaSuccess || !levels.count) return error;
    }
    NT_LAUNCH(encode_backward_table<F>, (unsigned)slice_blocks(levels, count), BLOCK, stream,
              points, gradient, count, levels, d_table);
    return cudaGetLastError();
}

template <int F>
cudaError_t run_backward(const float* points, const float* table, const float* gradient,
                         int64_t count, const Levels& levels, float* d_table, float* d_points,
                         int device, void* stream) {
    cudaError_t error = cudaSuccess;
    if (d_table) error = run_table<F>(points, gradient, count, levels, d_table, device, stream);
    if (error != cudaSuccess || !d_points || count == 0) return error;
    NT_LAUNCH(encode_backward_points<F>, blocks_for(count), BLOCK, stream, points, table, gradient,
              count, levels, d_points);
    return cudaGetLastError();
}

}  // namespace
}  // namespace ntc

using namespace ntc;

// points (M, 3), table (3, E, F), out (M, 3 L F); the level arrays (L) lie in host memory.
NT_API int ntc_triplane_encode_f32(const float* points, const float* table,
                                   const int32_t* resolution, const int32_t* first,
                                   const int32_t* entries, int levels, int features,
                                   int64_t all_entries, int64_t count, float* out, int device,
                                   void* stream) {
    Levels all;
    if (!read_levels(resolution, first, entries, levels, all_entries, &all) || count < 0 ||
        slice_blocks(all, count) > MAX_BLOCKS)
        return cudaErrorInvalidValue;
    const DeviceGuard guard(device);
    if (guard.error() != cudaSuccess || count == 0) return guard.error();
    const auto run = [&](auto forward) -> int {
        return forward(points, table, count, all, out, stream);
    };
    switch (features) {
        case 1: return run(run_forward<1>);
        case 2: return run(run_forward<2>);
        case 3: return run(run_forward<3>);
        case 4: return run(run_forward<4>);
        case 8: return run(run_forward<8>);
    }
    return cudaErrorInvalidValue;
}

// gradient (M, 3 L F) to d_table (3, E, F) and d_points (M, 3), both overwritten; either may be null.
NT_API int ntc_triplane_encode_backward_f32(const float* gradient, const float* points,
                                            const float* table, const int32_t* resolution,
                                            const int32_t* first, const int32_t* entries,
                                            int levels, int features, int64_t all_entries,
                                            int64_t count, float* d_table, float* d_points,
                                            int device, void* stream) {
    Levels all;
    if (!read_levels(resolution, first, entries, levels, all_entries, &all) || count < 0 ||
        slice_blocks(all, count) > MAX_BLOCKS)
        return cudaErrorInvalidValue;
    const DeviceGuard guard(device);
    if (guard.error() != cudaSuccess) return guard.error();
    const auto run = [&](auto backward) -> int {
        return backward(points, table, gradient, count, all, d_table, d_points, device, stream);
    };
    switch (features) {
        case 1: return run(run_backward<1>);
        case 2: return run(run_backward<2>);
        case 3: return run(run_backward<3>);
        case 4: return run(run_backward<4>);
        case 8: return run(run_backward<8>);
    }
    return cudaErrorInvalidValue;
}
