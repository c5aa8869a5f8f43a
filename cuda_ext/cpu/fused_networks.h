// The layers of the fused renderer, taken out of their padded buffer.
#pragma once

#include "../include/fused_field.h"
#include "lanes.h"

namespace nt {

inline std::vector<int> columns(int from, int count, int then = 0, int more = 0) {
    std::vector<int> listed;
    for (int k = 0; k < count; ++k) listed.push_back(from + k);
    for (int k = 0; k < more; ++k) listed.push_back(then + k);
    return listed;
}

// The call with its layers in the order of use.
struct Networks {
    const FusedCall& call;
    int encoded;
    LaneLayer layer[LAYERS];

    explicit Networks(const FusedCall& given) : call(given) {
        const Plan plan = plan_of(given);
        encoded = plan.encoded;
        const int m = call.motion_hidden, h = call.hidden, c = call.colour_hidden;
        if (m) {
            take(plan, MOTION1, columns(0, MOTION_INPUTS), m);
            take(plan, MOTION2, columns(0, m), m);
            take(plan, MOTION3, columns(0, m), 3);
        }
        take(plan, GATES1, columns(0, encoded), call.gate_hidden);
        take(plan, GATES2, columns(0, call.gate_hidden), call.gates);
        take(plan, DENSITY1, columns(0, encoded, padded(encoded), call.gates), h);
        take(plan, DENSITY2, columns(0, h), h);
        take(plan, DENSITY3, columns(0, h), 1);
        take(plan, COLOUR1, columns(0, h, padded(h), SH_WIDTH), c);
        take(plan, COLOUR2, columns(0, c), 3);
    }

    void take(const Plan& plan, LayerName name, const std::vector<int>& inputs, int outputs) {
        const Layer& at = plan.layers[name];
        layer[name] = LaneLayer(static_cast<const float*>(call.weights) + at.weight, at.stride,
                                inputs, call.biases + at.bias, outputs);
    }
};

}  // namespace nt
