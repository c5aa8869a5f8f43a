// What the scalar and the tensor-core form of the fused renderer share: the checked call as a
// kernel argument, the arithmetic around the networks, and the state of one ray. What is computed
// stands in ../include/fused_field.h.
#pragma once

#include "../include/composite.h"
#include "../include/fused_field.h"
#include "../include/march.h"
#include "../include/sh.h"
#include "../include/frequency.h"
#include "levels.h"

namespace ntc {

using namespace nt;

// What a kernel gets by value.
struct FusedField {
    FusedCall call;
    Plan plan;
    Levels levels;
};

inline bool read_call(const FusedCall& call, FusedField* out) {
    const LevelArrays levels{call.resolution, call.first, call.entries, call.levels,
                             call.all_entries};
    if (!read_levels(levels, TriPlanes::PLANES, call.features, false, &out->levels)) return false;
    const bool sized = call.table && !call.half_table && call.rays >= 0 &&
                       call.cells_per_edge > 0 && call.step > 0.0f &&
                       call.motion_hidden >= 0 && call.gate_hidden > 0 && call.gates > 0 &&
                       call.hidden > 0 && call.colour_hidden > 0 &&
                       (call.motion_hidden == 0) == (call.mouth == nullptr);
    if (!sized || too_many(call.rays)) return false;
    out->call = call;
    out->plan = plan_of(call);
    return out->plan.weight_count == call.weight_count && out->plan.bias_count == call.bias_count;
}

NT_HD float sigmoid(float x) { return 1.0f / (1.0f + exponential(-x)); }

// The 21 inputs of MOTION1: place, sines, cosines; put(column, value) stores one.
template <class Put> NT_HD void motion_inputs(const float* local, Put put) {
    for (int axis = 0; axis < 3; ++axis) put(axis, local[axis]);
    for (int octave = 0; octave < 3; ++octave)
        for (int axis = 0; axis < 3; ++axis) {
            float sine, cosine;
            half_turns(local[axis] * (float)(1 << octave), &sine, &cosine);
            put(3 + octave * 3 + axis, sine);
            put(12 + octave * 3 + axis, cosine);
        }
}

NT_HD void to_unit_box(const float* box, const float* point, float* unit) {
    for (int axis = 0; axis < 3; ++axis)
        unit[axis] = (point[axis] - box[axis]) / (box[3 + axis] - box[axis]);
}

NT_HD float density_of(float raw) { return exponential(lesser(raw, 9.0f) + 3.0f); }
NT_HD float colour_of(float raw) { return sigmoid(raw) * 1.002f - 0.001f; }

// One ray on its way: where the next sample is looked for, and what has been gathered.
struct Traveller {
    MarchRay<float> ray;
    float left, opacity, depth, rgb[3];
    int64_t next_index;  // on the lattice, from which the next sample is looked for
    float middle;        // of the sample found last, metres along the ray
    bool endless;        // no thread may walk it

    NT_HD void start(const FusedCall& call, int64_t n) {
        for (int axis = 0; axis < 3; ++axis) {
            ray.origin[axis] = call.origins[3 * n + axis];
            ray.direction[axis] = call.directions[3 * n + axis];
        }
        ray.near = call.near[n];
        ray.far = call.far[n];
        ray.step = call.step;
        ray.jitter = call.jitter[n];
        next_index = 0;
        left = 1.0f;
        opacity = depth = rgb[0] = rgb[1] = rgb[2] = middle = 0.0f;
        const float length = ray.far - ray.near;
        endless = !(length <= 0.0f) && !(length < ray.step * (float)INT32_MAX);
    }

    // Goes to the next occupied sample; false where the ray has ended.
    NT_HD bool next(const FusedCall& call, float* point) {
        if (endless || left < call.stop) return false;
        int64_t hit = -1;
        march_ray(ray, {call.cells, call.blocks, call.cells_per_edge}, call.grid_box,
                      [&](int64_t k) {
                          hit = k;
                          return false;
                      },
                      next_index);
        if (hit < 0) return false;
        middle = ray.middle(hit);
        next_index = hit + 1;
        for (int axis = 0; axis < 3; ++axis)
            point[axis] = ray.origin[axis] + ray.direction[axis] * middle;
        return true;
    }

    NT_HD void add(float density, const float* colour) {
        const float thickness = density * ray.step;
        const float weight = left * nt::opacity(thickness);
        for (int c = 0; c < 3; ++c) rgb[c] += weight * colour[c];
        depth += weight * middle;
        opacity += weight;
        left *= exponential(-thickness);
    }

    NT_HD void finish(const FusedCall& call, int64_t n) const {
        // A kernel cannot raise; NaN cannot be overlooked.
        const float seen = endless ? NAN : 0.0f;
        for (int c = 0; c < 3; ++c) call.rgb[3 * n + c] = rgb[c] + seen;
        call.opacity[n] = opacity + seen;
        call.depth[n] = depth + seen;
    }
};

}  // namespace ntc
