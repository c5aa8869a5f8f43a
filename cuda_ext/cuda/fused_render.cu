// Fused rendering on tensor cores: march, gathers, networks and compositing in one kernel.
//
// A warp renders 32 rays at a time, one per lane. In a round every lane finds its ray's next
// occupied sample; then the warp pushes the 32 samples through the networks together, as matrices
// of 32 rows; then every lane composites its own row in registers. A lane whose ray has ended takes
// the next ray from a queue, so that rows rarely stay empty. A ray's result does not depend on
// which lane or warp it lands in.
//
// Shared memory of a warp: two buffers of activations that the layers alternate between (float16,
// 32 rows), and the sums of 16 output columns (float32). Everything else is in registers.

#include "block.h"
#include "fused_ray.h"

namespace ntc {
namespace {

using namespace nvcuda;

constexpr unsigned ALL_LANES = 0xffffffffu;
constexpr int WARP = 32;
constexpr int MOST_WARPS = 16;        // of a block
constexpr int SUMS = TILE + 4;        // floats in a row of the sums: rows in different banks
constexpr int SUMS_BYTES = WARP * SUMS * 4;

enum Activation { RELU, SIGMOID };

// A row's share of 16 columns, written in two pieces of 16 bytes.
struct alignas(16) Strip {
    half value[TILE];
};

// How the dynamic shared memory of a block is used.
struct Shared {
    int even_stride, odd_stride;  // halves in a row of the two activation buffers
    int warp_bytes;
    int weight_bytes;  // 0: the weights stay in global memory and come through the caches
};

// One warp's view of its shared memory and of the networks.
struct WarpNetworks {
    const FusedField& field;
    const half* weights;
    half *even, *odd;
    int even_stride, odd_stride;
    float* sums;
    int lane;

    // Columns [column, column + 16) of a layer for the warp's 32 rows: out = in * weights^T + bias.
    // A lane receives the 16 values of its own row.
    __device__ __forceinline__ void tile_of(const Layer& layer, const half* in, int in_stride,
                                             int column, float* own) const {
        wmma::fragment<wmma::matrix_a, TILE, TILE, TILE, half, wmma::row_major> upper, lower;
        wmma::fragment<wmma::matrix_b, TILE, TILE, TILE, half, wmma::col_major> across;
        wmma::fragment<wmma::accumulator, TILE, TILE, TILE, float> upper_sum, lower_sum;
        wmma::fill_fragment(upper_sum, 0.0f);
        wmma::fill_fragment(lower_sum, 0.0f);
        const half* row = weights + layer.weight + column * layer.stride;
        for (int k = 0; k < layer.inputs; k += TILE) {
            // (outputs, inputs) row by row is (inputs, outputs) column by column.
            wmma::load_matrix_sync(across, row + k, layer.stride);
            wmma::load_matrix_sync(upper, in + k, in_stride);
            wmma::load_matrix_sync(lower, in + TILE * in_stride + k, in_stride);
            wmma::mma_sync(upper_sum, upper, across, upper_sum);
            wmma::mma_sync(lower_sum, lower, across, lower_sum);
        }
        // Which lane holds which element of a fragment is not ours to know: hand over in memory.
        wmma::store_matrix_sync(sums, upper_sum, SUMS, wmma::mem_row_major);
        wmma::store_matrix_sync(sums + TILE * SUMS, lower_sum, SUMS, wmma::mem_row_major);
        __syncwarp();
        const float* bias = field.call.biases + layer.bias + column;
        const auto* row_of_sums = reinterpret_cast<const float4*>(sums + lane * SUMS);
        for (int i = 0; i < TILE; i += 4) {
            const float4 part = row_of_sums[i / 4];
            own[i] = part.x + bias[i];
            own[i + 1] = part.y + bias[i + 1];
            own[i + 2] = part.z + bias[i + 2];
            own[i + 3] = part.w + bias[i + 3];
        }
        __syncwarp();  // the sums may be written again
    }

    static __device__ __forceinline__ half entering(float value) {
        return __float2half_rn(clamp(value, -65504.0f, 65504.0f));
    }

    // A layer of any width; out is the other buffer, so no row is overwritten while it is read.
    __device__ __forceinline__ void dense(LayerName name, const half* in, int in_stride, half* out,
                                          int out_stride, Activation activation) const {
        const Layer layer = field.plan.layers[name];
        for (int column = 0; column < layer.outputs; column += TILE) {
            float own[TILE];
            tile_of(layer, in, in_stride, column, own);
            Strip result;
            for (int i = 0; i < TILE; ++i)
                result.value[i] = entering(activation == RELU ? greater(own[i], 0.0f)
                                                              : sigmoid(own[i]));
            *reinterpret_cast<Strip*>(out + lane * out_stride + column) = result;
        }
        __syncwarp();
    }

    // A last layer: at most 16 outputs, left in registers.
    __device__ __forceinline__ void last(LayerName name, const half* in, int in_stride,
                                         float* own) const {
        tile_of(field.plan.layers[name], in, in_stride, 0, own);
    }

    // Moves the lane's point. All 32 lanes must call it; `has` says whether the lane has a point.
    __device__ __forceinline__ void move(bool has, float* point) const {
        float local[3] = {0.0f, 0.0f, 0.0f};
        const float window = has ? motion_window(field.call.mouth, point, local) : 0.0f;
        if (!__any_sync(ALL_LANES, window > 0.0f)) return;
        half* row = even + lane * even_stride;
        for (int i = MOTION_INPUTS; i < padded(MOTION_INPUTS); ++i) row[i] = entering(0.0f);
        motion_inputs(local, [&](int column, float value) { row[column] = entering(value); });
        __syncwarp();
        dense(MOTION1, even, even_stride, odd, odd_stride, RELU);
        dense(MOTION2, odd, odd_stride, even, even_stride, RELU);
        float own[TILE];
        last(MOTION3, even, even_stride, own);
        if (window > 0.0f)
            for (int axis = 0; axis < 3; ++axis)
                point[axis] += field.call.largest_motion * window * tanhf(own[axis]);
    }

    // Looks the lane's point up and writes its row; a lane without one writes zeros.
    template <int F> __device__ __forceinline__ void encode(bool has, const float* point) const {
        float unit[3];
        to_unit_box(field.call.field_box, point, unit);
        half* row = even + lane * even_stride;
        const auto* table = reinterpret_cast<const Entry<F>*>(field.call.table);
        const Levels& levels = field.levels;
        for (int plane = 0; plane < 3; ++plane)
            for (int k = 0; k < levels.count; ++k) {
                Entry<F> value{};
                if (has)
                    value = blended<F>(table + levels.slice(plane, k),
                                       corners_of(levels, plane, k, unit));
                for (int f = 0; f < F; ++f)
                    row[levels.column(plane, k, F) + f] = entering(value.value[f]);
            }
        // Earlier layers have left numbers here, and zero weights do not silence a NaN.
        for (int i = field.plan.encoded; i < padded(field.plan.encoded); ++i)
            row[i] = entering(0.0f);
        __syncwarp();
    }

    // Density and colour at the lane's point. All 32 lanes must call it.
    template <int F>
    __device__ __forceinline__ float evaluate(bool has, float* point, const float* direction,
                                              float* colour) const {
        if (field.call.mouth) move(has, point);
        encode<F>(has, point);
        dense(GATES1, even, even_stride, odd, odd_stride, RELU);
        dense(GATES2, odd, odd_stride, even + padded(field.plan.encoded), even_stride, SIGMOID);
        dense(DENSITY1, even, even_stride, odd, odd_stride, RELU);
        dense(DENSITY2, odd, odd_stride, even, even_stride, RELU);
        float view[SH_WIDTH];
        spherical_harmonics(direction[0], direction[1], direction[2], view);
        half* row = even + lane * even_stride + padded(field.call.hidden);
        for (int i = 0; i < SH_WIDTH; ++i) row[i] = entering(view[i]);
        __syncwarp();
        float own[TILE];
        last(DENSITY3, even, even_stride, own);
        const float density = density_of(own[0]);
        dense(COLOUR1, even, even_stride, odd, odd_stride, RELU);
        last(COLOUR2, odd, odd_stride, own);
        for (int c = 0; c < 3; ++c) colour[c] = colour_of(own[c]);
        return density;
    }
};

// Copies the weights to the front of shared memory, 16 bytes at a time; all threads of the block.
__device__ __forceinline__ const half* shared_weights(const FusedField& field, const Shared& shared,
                                                      unsigned char* memory) {
    const auto* source = static_cast<const uint4*>(field.call.weights);
    if (!shared.weight_bytes) return reinterpret_cast<const half*>(source);
    auto* target = reinterpret_cast<uint4*>(memory);
    const int pieces = shared.weight_bytes / (int)sizeof(uint4);
    for (int i = threadIdx.x; i < pieces; i += blockDim.x) target[i] = source[i];
    __syncthreads();
    return reinterpret_cast<const half*>(memory);
}

template <int F>
__global__ void __launch_bounds__(WARP* MOST_WARPS, 1)
    fused_render(const __grid_constant__ FusedField field, const Shared shared) {
    NT_SHARED_MEMORY(memory);
    const half* weights = shared_weights(field, shared, memory);
    const int lane = threadIdx.x % WARP;
    unsigned char* own_memory =
        memory + shared.weight_bytes + (int)(threadIdx.x / WARP) * shared.warp_bytes;
    half* even = reinterpret_cast<half*>(own_memory + SUMS_BYTES);
    const WarpNetworks networks{field,
                                weights,
                                even,
                                even + WARP * shared.even_stride,
                                shared.even_stride,
                                shared.odd_stride,
                                reinterpret_cast<float*>(own_memory),
                                lane};
    auto* queue = reinterpret_cast<unsigned long long*>(field.call.queue);
    constexpr int64_t NO_RAY = -1;
    int64_t ray = NO_RAY;
    bool more = true;
    Traveller traveller{};
    for (;;) {
        float point[3] = {0.0f, 0.0f, 0.0f}, colour[3];
        bool has = false;
        while (!has && (more || ray != NO_RAY)) {
            if (ray == NO_RAY) {
                ray = (int64_t)atomicAdd(queue, 1ull);
                if (ray >= field.call.rays) {
                    more = false;
                    ray = NO_RAY;
                    break;
                }
                traveller.start(field.call, ray);
            }
            has = traveller.next(field.call, point);
            if (!has) {
                traveller.finish(field.call, ray);
                ray = NO_RAY;
            }
        }
        if (!__any_sync(ALL_LANES, has)) return;
        const float density = networks.evaluate<F>(has, point, traveller.ray.direction, colour);
        if (has) traveller.add(density, colour);
    }
}

// Fits as many warps as the device's shared memory holds; the weights go in if eight still do.
cudaError_t fit(const FusedField& field, int device, Shared* shared, int* warps, int* bytes) {
    int most = 0;
    const cudaError_t error = most_shared(device, &most);
    if (error != cudaSuccess) return error;
    shared->even_stride = field.plan.widest_even + ROW_PADDING;
    shared->odd_stride = field.plan.widest_odd + ROW_PADDING;
    shared->warp_bytes = SUMS_BYTES + WARP * (shared->even_stride + shared->odd_stride) * 2;
    const int weight_bytes = field.plan.weight_count * 2;
    const bool roomy = most - weight_bytes >= 8 * shared->warp_bytes;
    shared->weight_bytes = roomy ? weight_bytes : 0;
    *warps = lesser(MOST_WARPS, (most - shared->weight_bytes) / shared->warp_bytes);
    *bytes = shared->weight_bytes + *warps * shared->warp_bytes;
    return *warps < 1 ? cudaErrorInvalidConfiguration : cudaSuccess;
}

template <int F> cudaError_t run(const FusedField& field, int device, void* stream) {
    Shared shared;
    int warps = 0, bytes = 0, processors = 0, resident = 0;
    cudaError_t error = fit(field, device, &shared, &warps, &bytes);
    if (error != cudaSuccess) return error;
    const auto kernel = fused_render<F>;
    const int threads = warps * WARP;
    error = cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device);
    if (error != cudaSuccess) return error;
    error = allow_shared(kernel, bytes);
    if (error != cudaSuccess) return error;
    error = cudaOccupancyMaxActiveBlocksPerMultiprocessor(&resident, kernel, threads, bytes);
    if (error != cudaSuccess) return error;
    error = cudaMemsetAsync(field.call.queue, 0, sizeof(int64_t), (cudaStream_t)stream);
    if (error != cudaSuccess) return error;
    // Enough blocks to fill the device, each of which takes rays until none is left.
    const int64_t wanted = (field.call.rays + threads - 1) / threads;
    const int64_t blocks = lesser((int64_t)processors * resident, wanted);
    return launch_blocks(kernel, blocks, threads, bytes, stream, field, shared);
}

}  // namespace
}  // namespace ntc

using namespace ntc;

// Renders the rays of `call` with float16 weights, which must be aligned to 32 bytes.
NT_API int ntc_fused_render_f32(const FusedCall* call, int device, void* stream) {
    FusedField field;
    if (!read_call(*call, &field)) return cudaErrorInvalidValue;
    const DeviceGuard guard(device);
    if (guard.error() != cudaSuccess || call->rays == 0) return guard.error();
    switch (call->features) {
        case 1: return run<1>(field, device, stream);
        case 2: return run<2>(field, device, stream);
        case 4: return run<4>(field, device, stream);
        case 8: return run<8>(field, device, stream);
    }
    return cudaErrorInvalidValue;
}
