// The fused renderer's call and the plan of its networks, for every form of it.
//
// Per frame and before the call everything constant is folded into the layers: the mouth code into
// the motion field's first bias, the conditions into the columns that read their gates, the
// geometry features (linear, so no more than a product of matrices) and the appearance code into
// the first colour layer. What remains for a point p on a ray with direction d:
//
//   moved   = p + largest * window(p) * tanh(MOTION3(relu(MOTION2(relu(MOTION1(waves(p)))))))
//   encoded = triplane(moved)
//   gates   = sigmoid(GATES2(relu(GATES1(encoded))))
//   hidden  = relu(DENSITY2(relu(DENSITY1(encoded, gates))))
//   density = exp(min(DENSITY3(hidden), 9) + 3)
//   rgb     = sigmoid(COLOUR2(relu(COLOUR1(hidden, harmonics(d))))) * 1.002 - 0.001
#pragma once

#include "half.h"
#include "host_device.h"

namespace nt {

// Mirrored by _Call of nerf_talker/ops/cuda_fused.py.
struct FusedCall {
    const float *origins, *directions, *near, *far, *jitter;  // (N, 3), (N, 3), (N), (N), (N)
    const uint8_t *cells, *blocks;                            // occupancy; blocks may be null
    const float *grid_box, *field_box, *mouth;  // (2, 3) each; mouth: centre, radius or null
    const float* table;                         // (3, E, F)
    const Half* half_table;                     // or null; read in its place, on the CPU only
    const int32_t *resolution, *first, *entries;  // (L) in host memory
    const void* weights;                          // float32, or float16 for tensor cores
    const float* biases;
    float *rgb, *opacity, *depth;  // (N, 3), (N), (N)
    int64_t* queue;                // one number of scratch
    int64_t rays, all_entries, weight_count, bias_count;
    int32_t cells_per_edge, levels, features;
    int32_t motion_hidden, gate_hidden, gates, hidden, colour_hidden;  // motion_hidden 0: none
    int32_t round_to_half;  // scalar form: round what enters a product, as tensor cores need it
    float step, stop, largest_motion;
};

enum LayerName {
    MOTION1, MOTION2, MOTION3, GATES1, GATES2, DENSITY1, DENSITY2, DENSITY3, COLOUR1, COLOUR2,
    LAYERS
};

constexpr int TILE = 16;        // of tensor cores; every width is padded to it with zeros
constexpr int SH_WIDTH = 16;
constexpr int MOTION_INPUTS = 21;
constexpr int ROW_PADDING = 8;  // numbers after each row, so that rows start in different banks

NT_HD int padded(int width) { return (width + TILE - 1) / TILE * TILE; }

// (outputs, inputs) weights in rows of `stride`, at an offset into one buffer; all padded.
struct Layer {
    int inputs, outputs, stride, weight, bias;
};

struct Plan {
    Layer layers[LAYERS];
    int encoded;  // width of an encoded point, without padding
    int weight_count, bias_count;
    int widest_even, widest_odd;  // of the two activation buffers that layers alternate between
};

inline Plan plan_of(const FusedCall& call) {
    Plan plan{};
    plan.encoded = 3 * call.levels * call.features;
    const int e = padded(plan.encoded), m = padded(call.motion_hidden), g = padded(call.gates);
    const int gh = padded(call.gate_hidden), h = padded(call.hidden);
    const int c = padded(call.colour_hidden);
    const int shapes[LAYERS][2] = {{m ? padded(MOTION_INPUTS) : 0, m}, {m, m}, {m, m ? TILE : 0},
                                   {e, gh}, {gh, g}, {e + g, h}, {h, h}, {h, TILE},
                                   {h + SH_WIDTH, c}, {c, TILE}};
    for (int k = 0; k < LAYERS; ++k) {
        const int inputs = shapes[k][0], outputs = shapes[k][1], stride = inputs + ROW_PADDING;
        plan.layers[k] = {inputs, outputs, stride, plan.weight_count, plan.bias_count};
        plan.weight_count += inputs ? outputs * stride : 0;
        plan.bias_count += outputs;
    }
    plan.widest_even = greater(greater(e + g, h + SH_WIDTH), greater(m, padded(MOTION_INPUTS)));
    plan.widest_odd = greater(greater(m, gh), greater(h, c));
    return plan;
}

// Strength of the motion at a point, and the point in units of the mouth region.
template <class T> NT_HD T motion_window(const T* mouth, const T* point, T* local) {
    T window = T(1);
    for (int axis = 0; axis < 3; ++axis) {
        local[axis] = (point[axis] - mouth[axis]) / mouth[3 + axis];
        window -= local[axis] * local[axis];
    }
    window = greater(window, T(0));
    return window * window * (T(3) - T(2) * window);
}

}  // namespace nt
