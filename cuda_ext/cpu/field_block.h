// The field at one block of samples: everything it computes stays in the nearest caches.
#pragma once

#include "field_scratch.h"
#include "quick.h"

namespace nt::field {
namespace {

template <class P> class Block {
  public:
    using Real = typename P::Real;
    using Element = typename P::Element;

    Block(const FieldCall& call, const Plan& plan, const Network<P>& network, Scratch<P>& scratch)
        : call_(call), plan_(plan), net_(network), s_(scratch),
          grid_{static_cast<const Real*>(call.table), call.resolution, call.first, call.entries,
                call.levels, call.features, call.all_entries},
          largest_((Real)call.largest_motion) {}

    // Samples [begin, begin + count); false when a ray or a frame does not exist.
    bool forward(int64_t begin, int count) {
        if (!take(begin, count)) return false;
        find_places();
        if (plan_.shape[MOVE1].outputs) move(count);
        with_features(call_.features, Encode{*this});
        if (call_.unit) keep(begin, count);
        run_gates();
        run_dense();
        see();
        write(begin, count);
        return true;
    }

  protected:
    struct Encode {
        Block& block;
        template <int F> void operator()() const {
            Scratch<P>& s = block.s_;
            const int width = block.plan_.width, columns = padded_width(width);
            read<Real, F>(block.grid_, s.unit, BLOCK, s.reals.at, s.reals.stride);
            // Earlier layers have left numbers here, and zero weights do not silence a NaN.
            for (int n = 0; n < BLOCK; ++n)
                for (int c = width; c < columns; ++c) s.reals[n][c] = Real(0);
            block.store_rows(s.reals, BLOCK, columns, s.inputs);
        }
    };

    static void store_rows(Rows<Real> from, int rows, int columns, Rows<Element> to) {
        using Wide = typename P::Wide;
        for (int n = 0; n < rows; ++n)
            for (int c = 0; c < columns; c += P::WIDE) {
                const Wide one[1] = {*reinterpret_cast<const Wide*>(from[n] + c)};
                P::template store<1>(to[n] + c, one);
            }
    }

    Biases<Real> own(Part part) const { return {net_.layer[part].bias, nullptr, 0}; }
    Biases<Real> of_frame(int which, const int32_t* frame) const {
        return {net_.frame_rows + plan_.frame_first[which], frame, plan_.frame_stride};
    }

    // A block that is not full is filled up with its last sample, so that nothing wild comes in.
    bool take(int64_t begin, int count) {
        const Real* points = static_cast<const Real*>(call_.points);
        bool known = true;
        for (int n = 0; n < BLOCK; ++n) {
            const int64_t m = begin + lesser(n, count - 1);
            const int64_t ray = call_.ray[m], frame = call_.frame[m];
            known &= ray >= 0 && ray < call_.rays && frame >= 0 && frame < call_.frames;
            s_.ray[n] = (int32_t)ray;
            s_.frame[n] = (int32_t)frame;
            for (int axis = 0; axis < 3; ++axis) s_.place[axis][n] = points[3 * m + axis];
        }
        return known;
    }

    void find_places() {
        const Real* box = static_cast<const Real*>(call_.box);
        for (int axis = 0; axis < 3; ++axis)
            for (int n = 0; n < BLOCK; ++n)
                s_.unit[axis][n] = (s_.place[axis][n] - box[axis]) / (box[3 + axis] - box[axis]);
    }

    // Those of the first `size` samples that may move, and the motion field's inputs there; their
    // number.
    int find_waves(int size) {
        const Real* mouth = static_cast<const Real*>(call_.mouth);
        int count = 0;
        for (int n = 0; n < size; ++n) {
            const Real point[3] = {s_.place[0][n], s_.place[1][n], s_.place[2][n]};
            Real local[3];
            const Real window = motion_window(mouth, point, local);
            for (int axis = 0; axis < 3; ++axis) s_.local[axis][count] = local[axis];
            s_.window[count] = window;
            s_.moving[count] = n;
            s_.moving_frame[count] = s_.frame[n];
            count += window > Real(0);
        }
        for (int n = count; n % STEP; ++n) {
            for (int axis = 0; axis < 3; ++axis) s_.local[axis][n] = Real(0);
            s_.moving_frame[n] = 0;
        }
        alignas(64) Real waves[MOTION_INPUTS][BLOCK];
        const int rows = whole_steps(count);
        memcpy(waves, s_.local, sizeof s_.local);
        for (int k = 0; k < 9; ++k) {
            const Real octave = (Real)(1 << k / 3);
#pragma omp simd
            for (int n = 0; n < rows; ++n)
                quick_half_turns(s_.local[k % 3][n] * octave, &waves[3 + k][n], &waves[12 + k][n]);
        }
        for (int n = 0; n < rows; ++n)
            for (int k = 0; k < MOTION_INPUTS; ++k) s_.reals[n][k] = waves[k][n];
        for (int n = 0; n < rows; ++n)
            for (int k = MOTION_INPUTS; k < padded_width(MOTION_INPUTS); ++k) s_.reals[n][k] = 0;
        store_rows(s_.reals, rows, padded_width(MOTION_INPUTS), s_.waves);
        return count;
    }

    // tanh of the motion field at the samples that may move.
    int run_motion(int size) {
        const int count = find_waves(size), rows = whole_steps(count);
        const Biases<Real> mouths = of_frame(MOVE_BIAS, s_.moving_frame);
        run_relu<P>(net_.layer[MOVE1], constant(s_.waves), rows, mouths, s_.move1);
        run_relu<P>(net_.layer[MOVE2], constant(s_.move1), rows, own(MOVE2), s_.move2);
        run_plain<P>(net_.layer[MOVE3], constant(s_.move2), rows, own(MOVE3), s_.moves);
        for (int n = 0; n < rows; ++n)
            for (int axis = 0; axis < 3; ++axis)
                s_.moves[n][axis] = quick_tanh(s_.moves[n][axis]);
        return count;
    }

    void move(int size) {
        const Real* box = static_cast<const Real*>(call_.box);
        const int count = run_motion(size);
        for (int axis = 0; axis < 3; ++axis)
            for (int n = 0; n < count; ++n) {
                Real& place = s_.place[axis][s_.moving[n]];
                place += largest_ * s_.window[n] * s_.moves[n][axis];
                s_.unit[axis][s_.moving[n]] = (place - box[axis]) / (box[3 + axis] - box[axis]);
            }
    }

    void keep(int64_t begin, int count) {
        Real* unit = static_cast<Real*>(call_.unit) + 3 * begin;
        for (int n = 0; n < count; ++n)
            for (int axis = 0; axis < 3; ++axis) unit[3 * n + axis] = s_.unit[axis][n];
        const int columns = padded_width(plan_.width);
        Element* encoded = static_cast<Element*>(call_.encoded) + begin * columns;
        for (int n = 0; n < count; ++n)
            memcpy(encoded + (size_t)n * columns, s_.inputs[n], columns * sizeof(Element));
    }

    void run_gates() {
        const int codes = plan_.shape[MOUTH2].out_columns();
        const Rows<Real> faces{s_.gates.at + codes, s_.gates.stride};
        run_relu<P>(net_.layer[MOUTH1], constant(s_.inputs), BLOCK, own(MOUTH1), s_.mouth_hidden);
        run_plain<P>(net_.layer[MOUTH2], constant(s_.mouth_hidden), BLOCK, own(MOUTH2), s_.gates);
        run_relu<P>(net_.layer[FACE1], constant(s_.inputs), BLOCK, own(FACE1), s_.face_hidden);
        run_plain<P>(net_.layer[FACE2], constant(s_.face_hidden), BLOCK, own(FACE2), faces);
        const int columns = s_.gates.stride, first = plan_.shape[DENSE1].first(1);
        const Biases<Real> conditions = of_frame(MOUTH_CODE, s_.frame);  // both, side by side
        for (int n = 0; n < BLOCK; ++n) {
            const Real* scale = conditions.of(n);
            Real *gate = s_.gates[n], *mixed = s_.reals[n];
#pragma omp simd
            for (int k = 0; k < columns; ++k) {
                gate[k] = quick_sigmoid(gate[k]);
                mixed[k] = gate[k] * scale[k];
            }
        }
        store_rows(s_.reals, BLOCK, columns, {s_.inputs.at + first, s_.inputs.stride});
    }

    // Rows of the block that share a ray and a frame are a run: the direction counts once for it.
    void find_views() {
        const Real* harmonics = static_cast<const Real*>(call_.harmonics);
        s_.runs = 0;
        for (int n = 0; n < BLOCK; ++n) {
            const bool same = n && s_.ray[n] == s_.ray[n - 1] && s_.frame[n] == s_.frame[n - 1];
            if (!same) {
                s_.run_frame[s_.runs] = s_.frame[n];
                memcpy(s_.reals[s_.runs++], harmonics + (size_t)s_.ray[n] * SH_WIDTH,
                       SH_WIDTH * sizeof(Real));
            }
            s_.run[n] = s_.runs - 1;
        }
        for (int n = s_.runs; n % STEP; ++n) {
            s_.run_frame[n] = 0;
            memset(s_.reals[n], 0, SH_WIDTH * sizeof(Real));
        }
        store_rows(s_.reals, whole_steps(s_.runs), SH_WIDTH, s_.views);
    }

    static int whole_steps(int rows) { return (rows + STEP - 1) / STEP * STEP; }

    // From the inputs to what was seen; the log density is left in `reals`.
    void run_dense() {
        run_relu<P>(net_.layer[DENSE1], constant(s_.inputs), BLOCK, own(DENSE1), s_.dense1);
        run_relu<P>(net_.layer[DENSE2], constant(s_.dense1), BLOCK, own(DENSE2), s_.dense2);
        find_views();
        run_plain<P>(net_.layer[VIEW], constant(s_.views), whole_steps(s_.runs),
                     of_frame(SHADE_BIAS, s_.run_frame), s_.view_bias);
        const Biases<Real> bias{s_.view_bias.at, s_.run, s_.view_bias.stride};
        run_plain<P>(net_.layer[SHADE], constant(s_.dense2), BLOCK, bias, s_.reals);
    }

    // The colour's hidden layer, and `log_density` from the column behind it.
    void see() {
        const int c = plan_.shape[COLOUR].inputs[0], columns = plan_.shape[SHADE].out_columns();
        for (int n = 0; n < BLOCK; ++n) {
            Real* row = s_.reals[n];
            s_.log_density[n] = row[c];
            row[c] = Real(0);
#pragma omp simd
            for (int k = 0; k < columns; ++k) row[k] = greater(row[k], Real(0));
        }
        store_rows(s_.reals, BLOCK, columns, s_.seen);
    }

    void write(int64_t begin, int count) {
        run_plain<P>(net_.layer[COLOUR], constant(s_.seen), BLOCK, own(COLOUR), s_.moves);
        Real* density = static_cast<Real*>(call_.density) + begin;
        Real* rgb = static_cast<Real*>(call_.rgb) + 3 * begin;
        Real* means = static_cast<Real*>(call_.gates) + 2 * begin;
        const int faces = plan_.shape[MOUTH2].out_columns();
#pragma omp simd
        for (int n = 0; n < count; ++n)
            density[n] = quick_exp(lesser(s_.log_density[n], Real(9)) + Real(3));
        for (int n = 0; n < count; ++n) {
            for (int axis = 0; axis < 3; ++axis)
                rgb[3 * n + axis] = quick_sigmoid(s_.moves[n][axis]) * Real(1.002) - Real(0.001);
            means[2 * n] = mean(s_.gates[n], call_.mouth_codes);
            means[2 * n + 1] = mean(s_.gates[n] + faces, call_.expressions);
        }
    }

    static Real mean(const Real* values, int count) {
        Real sum = Real(0);
#pragma omp simd reduction(+ : sum)
        for (int k = 0; k < count; ++k) sum += values[k];
        return sum / (Real)count;
    }

    template <class T> static Rows<const T> constant(Rows<T> rows) {
        return {rows.at, rows.stride};
    }

    const FieldCall& call_;
    const Plan& plan_;
    const Network<P>& net_;
    Scratch<P>& s_;
    Grid<Real> grid_;
    Real largest_;
};

}  // namespace
}  // namespace nt::field
