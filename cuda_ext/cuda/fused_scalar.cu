// Fused rendering, one thread per ray and plain arithmetic: march, motion, lookup, networks and
// compositing with nothing stored between them.
//
// The oracle of the tensor-core form: same layers, same order, and on request the same rounding of
// what enters a product. It also runs under emulation.

#include <string.h>

#include "fused_ray.h"

namespace ntc {
namespace {

// Widest padded layer input or output this form takes.
constexpr int MAX_WIDTH = 256;

enum Activation { NONE, RELU, SIGMOID };

// To the nearest float16, ties to even; below 6e-5 float16 is coarser than this.
NT_HD float half_rounded(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    bits = (bits + 0xfffu + ((bits >> 13) & 1u)) & ~0x1fffu;
    memcpy(&value, &bits, sizeof bits);
    return clamp(value, -65504.0f, 65504.0f);
}

struct Networks {
    const FusedField& field;

    __device__ __forceinline__ float entering(float value) const {
        return field.call.round_to_half ? half_rounded(value) : value;
    }

    // `in` holds what has passed entering(); NONE gives plain sums, the others what enters next.
    __device__ __forceinline__ void dense(LayerName name, const float* in, float* out,
                                          Activation activation) const {
        const Layer layer = field.plan.layers[name];
        const float* weights = static_cast<const float*>(field.call.weights) + layer.weight;
        for (int o = 0; o < layer.outputs; ++o) {
            float sum = field.call.biases[layer.bias + o];
            for (int i = 0; i < layer.inputs; ++i) sum += weights[o * layer.stride + i] * in[i];
            if (activation == RELU) sum = entering(greater(sum, 0.0f));
            if (activation == SIGMOID) sum = entering(sigmoid(sum));
            out[o] = sum;
        }
    }

    __device__ __forceinline__ void move(float* x, float* y, float* point) const {
        float local[3];
        const float window = motion_window(field.call.mouth, point, local);
        if (!(window > 0.0f)) return;
        for (int i = MOTION_INPUTS; i < padded(MOTION_INPUTS); ++i) x[i] = 0.0f;
        motion_inputs(local, [&](int column, float value) { x[column] = entering(value); });
        dense(MOTION1, x, y, RELU);
        dense(MOTION2, y, x, RELU);
        dense(MOTION3, x, y, NONE);
        for (int axis = 0; axis < 3; ++axis)
            point[axis] += field.call.largest_motion * window * tanhf(y[axis]);
    }

    template <int F> __device__ __forceinline__ void encode(const float* point, float* x) const {
        float unit[3];
        to_unit_box(field.call.field_box, point, unit);
        const auto* table = reinterpret_cast<const Entry<F>*>(field.call.table);
        const Levels& levels = field.levels;
        for (int plane = 0; plane < 3; ++plane)
            for (int k = 0; k < levels.count; ++k) {
                const Entry<F> value = blended<F>(table + levels.slice(plane, k),
                                                  corners_of(levels, plane, k, unit));
                for (int f = 0; f < F; ++f)
                    x[levels.column(plane, k, F) + f] = entering(value.value[f]);
            }
        for (int i = field.plan.encoded; i < padded(field.plan.encoded); ++i) x[i] = 0.0f;
    }

    // Density and colour at a point; moves it.
    template <int F>
    __device__ __forceinline__ float evaluate(float* point, const float* direction,
                                              float* colour) const {
        float x[MAX_WIDTH], y[MAX_WIDTH];
        if (field.call.mouth) move(x, y, point);
        encode<F>(point, x);
        dense(GATES1, x, y, RELU);
        dense(GATES2, y, x + padded(field.plan.encoded), SIGMOID);
        dense(DENSITY1, x, y, RELU);
        dense(DENSITY2, y, x, RELU);
        float* view = x + padded(field.call.hidden);
        spherical_harmonics(direction[0], direction[1], direction[2], view);
        for (int i = 0; i < SH_WIDTH; ++i) view[i] = entering(view[i]);
        dense(DENSITY3, x, y, NONE);
        const float density = density_of(y[0]);
        dense(COLOUR1, x, y, RELU);
        dense(COLOUR2, y, x, NONE);
        for (int c = 0; c < 3; ++c) colour[c] = colour_of(x[c]);
        return density;
    }
};

template <int F> __global__ void fused_scalar(const __grid_constant__ FusedField field) {
    const int64_t n = thread_index();
    if (n >= field.call.rays) return;
    const Networks networks{field};
    Traveller traveller;
    traveller.start(field.call, n);
    float point[3], colour[3];
    while (traveller.next(field.call, point)) {
        const float density = networks.evaluate<F>(point, traveller.ray.direction, colour);
        traveller.add(density, colour);
    }
    traveller.finish(field.call, n);
}

template <int F> int run_scalar(const FusedField& field, void* stream) {
    NT_LAUNCH(fused_scalar<F>, blocks_for(field.call.rays), BLOCK, stream, field);
    return cudaGetLastError();
}

}  // namespace
}  // namespace ntc

using namespace ntc;

// Renders the rays of `call` with float32 weights.
NT_API int ntc_fused_scalar_f32(const FusedCall* call, int device, void* stream) {
    FusedField field;
    if (!read_call(*call, &field)) return cudaErrorInvalidValue;
    if (greater(field.plan.widest_even, field.plan.widest_odd) > MAX_WIDTH)
        return cudaErrorInvalidValue;
    const DeviceGuard guard(device);
    if (guard.error() != cudaSuccess || call->rays == 0) return guard.error();
    switch (call->features) {
        case 1: return run_scalar<1>(field, stream);
        case 2: return run_scalar<2>(field, stream);
        case 4: return run_scalar<4>(field, stream);
        case 8: return run_scalar<8>(field, stream);
    }
    return cudaErrorInvalidValue;
}
