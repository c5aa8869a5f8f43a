// The call of the fused field, and its networks as they are laid out for it.
//
// What one layer hands to the next without a ReLU is multiplied out before the call: the geometry
// features enter SHADE, whose last output is the log density. What is the same for all samples of
// a frame comes as a row per frame: the first motion layer's bias with the mouth code in it, the
// two conditions that the gates scale, and SHADE's bias with the appearance code in it. VIEW adds
// what the direction brings, once a ray. For a point p on a ray with harmonics s, in frame t:
//
//   moved   = p + largest * window(p) * tanh(MOVE3 relu(MOVE2 relu(MOVE1 waves(p) + move_t)))
//   encoded = triplane(moved)
//   gates   = sigmoid(MOUTH2 relu(MOUTH1 encoded)), sigmoid(FACE2 relu(FACE1 encoded))
//   hidden  = relu(DENSE2 relu(DENSE1 (encoded, gates * conditions_t)))
//   seen, d = SHADE hidden + VIEW s + shade_t
//   density = exp(min(d, 9) + 3)
//   rgb     = sigmoid(COLOUR relu(seen)) * 1.002 - 0.001
#pragma once

#include <new>

#include "../include/fused_field.h"
#include "field_layer.h"

namespace nt::field {

// Mirrored by _Call of nerf_talker/ops/register_field.py; void pointers are of the function's real
// type.
struct FieldCall {
    const void *points, *table, *harmonics;  // (M, 3), (3, E, F), (N, 16)
    const int64_t *ray, *frame;              // (M)
    const void *weights, *frame_rows;        // all layers, then all biases; (T, row_width)
    const void *box, *mouth;                 // (2, 3) each
    const int32_t *resolution, *first, *entries;  // (L)
    void *density, *rgb, *gates;             // (M), (M, 3), (M, 2)
    void *unit, *encoded;                    // kept for the gradient: (M, 3), (M, padded) elements
    const void *d_density, *d_rgb, *d_gates;
    void *d_encoded, *d_weights, *d_frame_rows;  // (M, 3 L F), and as given
    int64_t count, rays, frames, all_entries, weight_count, frame_width;
    double largest_motion;
    int32_t levels, features, motion_hidden, mouth_hidden, face_hidden;
    int32_t mouth_codes, expressions, hidden, colour_hidden;
    int32_t brain;  // products of bfloat16
};

namespace {

enum Part {
    MOVE1, MOVE2, MOVE3, MOUTH1, MOUTH2, FACE1, FACE2, DENSE1, DENSE2, SHADE, VIEW, COLOUR, PARTS
};
// What a frame brings.
enum Brought { MOVE_BIAS, MOUTH_CODE, EXPRESSION, SHADE_BIAS, BROUGHT };

inline bool own_bias(int part) { return part != MOVE1 && part != SHADE && part != VIEW; }

// Memory handed out piece by piece, every piece on a cache line.
class Store {
  public:
    explicit Store(size_t bytes)
        : at_(static_cast<char*>(::operator new(bytes + 64, std::align_val_t(64)))), used_(0) {}
    ~Store() { ::operator delete(at_, std::align_val_t(64)); }
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;
    template <class T> T* take(size_t count) {
        T* found = reinterpret_cast<T*>(at_ + used_);
        used_ += bytes<T>(count);
        return found;
    }
    template <class T> static size_t bytes(size_t count) {
        return (count * sizeof(T) + 63) / 64 * 64;
    }

  private:
    char* at_;
    size_t used_;
};

// Widths of everything, and where each layer's gradient lies in a buffer of sums.
struct Plan {
    Shape shape[PARTS];
    int pulled[PARTS];
    int width;                                       // of an encoded point
    int frame_first[BROUGHT], frame_width[BROUGHT];  // in a padded row
    int frame_stride, row_width;                     // padded; as given
    size_t weight_at[PARTS], bias_at[PARTS], weights;        // in the flat buffer
    size_t gradient_at[PARTS], bias_sum_at[PARTS], frame_at, sums;  // in a buffer of sums

    bool fits(const FieldCall& call) const {
        return (int64_t)weights == call.weight_count && row_width == call.frame_width;
    }

    explicit Plan(const FieldCall& call) : weights(0), sums(0) {
        const int m = call.motion_hidden, h = call.hidden, c = call.colour_hidden;
        width = 3 * call.levels * call.features;
        const int codes = call.mouth_codes, faces = call.expressions;
        const Shape shapes[PARTS] = {
            {{m ? MOTION_INPUTS : 0}, m}, {{m}, m}, {{m}, m ? 3 : 0},
            {{width}, call.mouth_hidden}, {{call.mouth_hidden}, codes},
            {{width}, call.face_hidden}, {{call.face_hidden}, faces},
            {{width, codes, faces}, h}, {{h}, h}, {{h}, c + 1}, {{SH_WIDTH}, c + 1}, {{c}, 3}};
        const int widths[BROUGHT] = {m, codes, faces, c + 1};
        frame_stride = row_width = 0;
        for (int k = 0; k < BROUGHT; ++k) {
            frame_first[k] = frame_stride;
            frame_width[k] = widths[k];
            frame_stride += padded_width(widths[k]);
            row_width += widths[k];
        }
        for (int k = 0; k < PARTS; ++k) {
            const Shape& s = shape[k] = shapes[k];
            pulled[k] = k == MOVE1 || k == VIEW ? 0 : s.columns();
            weight_at[k] = weights;
            weights += (size_t)s.outputs * s.all_inputs();
            gradient_at[k] = sums;
            sums += (size_t)s.outputs * s.columns();
        }
        for (int k = 0; k < PARTS; ++k) {
            bias_at[k] = weights;
            bias_sum_at[k] = sums;
            if (!own_bias(k)) continue;
            weights += shape[k].outputs;
            sums += shape[k].out_columns();
        }
        frame_at = sums;
        sums += (size_t)call.frames * frame_stride;
    }
};

// The layers packed for products, and the rows of the frames padded.
template <class P> class Network {
  public:
    using Real = typename P::Real;
    Layer<P> layer[PARTS];
    const Real* frame_rows;

    Network(const FieldCall& call, const Plan& plan) : store_(bytes(call, plan)) {
        const Real* weights = static_cast<const Real*>(call.weights);
        for (int k = 0; k < PARTS; ++k) {
            const Shape& s = plan.shape[k];
            Real* bias = nullptr;
            if (own_bias(k)) {
                bias = store_.take<Real>(s.out_columns());
                copy(weights + plan.bias_at[k], s.outputs, s.out_columns(), bias);
            }
            auto* words = store_.template take<typename P::Word>(words_of(plan, k));
            layer[k] = Layer<P>(s, plan.pulled[k], weights + plan.weight_at[k], bias, words);
        }
        Real* rows = store_.take<Real>(call.frames * plan.frame_stride);
        const Real* given = static_cast<const Real*>(call.frame_rows);
        frame_rows = rows;
        for (int64_t t = 0; t < call.frames; ++t)
            for (int k = 0; k < BROUGHT; ++k) {
                copy(given, plan.frame_width[k], padded_width(plan.frame_width[k]), rows);
                given += plan.frame_width[k];
                rows += padded_width(plan.frame_width[k]);
            }
    }

  private:
    static size_t words_of(const Plan& plan, int k) {
        return Layer<P>::packed_words(plan.shape[k], plan.pulled[k]);
    }
    static size_t bytes(const FieldCall& call, const Plan& plan) {
        size_t total = Store::bytes<Real>(call.frames * plan.frame_stride);
        for (int k = 0; k < PARTS; ++k)
            total += Store::bytes<typename P::Word>(words_of(plan, k)) +
                     Store::bytes<Real>(plan.shape[k].out_columns());
        return total;
    }
    static void copy(const Real* from, int count, int padded, Real* to) {
        for (int k = 0; k < padded; ++k) to[k] = k < count ? from[k] : Real(0);
    }

    Store store_;
};

}  // namespace
}  // namespace nt::field
