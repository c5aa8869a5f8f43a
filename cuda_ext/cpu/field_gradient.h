// The gradient of the field at one block of samples, added to a buffer of sums.
#pragma once

#include "field_block.h"

namespace nt::field {
namespace {

template <class P> class GradientBlock : public Block<P> {
    using Base = Block<P>;
    using Base::call_, Base::plan_, Base::net_, Base::s_, Base::constant, Base::store_rows;

  public:
    using typename Base::Element;
    using typename Base::Real;
    using Word = typename P::Word;

    GradientBlock(const FieldCall& call, const Plan& plan, const Network<P>& network,
                  Scratch<P>& scratch, Real* sums)
        : Base(call, plan, network, scratch), sums_(sums) {}

    // Samples [begin, begin + count), whose forward pass kept `unit` and `encoded`.
    void backward(int64_t begin, int count) {
        this->take(begin, count);
        fetch(begin, count);
        this->run_gates();
        this->run_dense();
        this->see();
        pull_outputs(begin, count);
        pull_dense();
        pull_gates(begin, count);
        const int width = plan_.width, stride = plan_.shape[DENSE1].columns();
        Real* out = static_cast<Real*>(call_.d_encoded) + begin * width;
        for (int n = 0; n < count; ++n)
            memcpy(out + (size_t)n * width, s_.reals.at + (size_t)n * stride, width * sizeof(Real));
        if (plan_.shape[MOVE1].outputs) pull_motion(begin, count);
    }

  private:
    void fetch(int64_t begin, int count) {
        const int columns = padded_width(plan_.width);
        const Element* encoded = static_cast<const Element*>(call_.encoded);
        for (int n = 0; n < BLOCK; ++n) {
            const int64_t m = begin + lesser(n, count - 1);
            memcpy(s_.inputs[n], encoded + m * columns, columns * sizeof(Element));
        }
    }

    Rows<Element> ping(int columns) const { return {s_.ping.at, columns}; }
    Rows<Element> pong(int columns) const { return {s_.pong.at, columns}; }

    // Adds to the gradient of a layer's weights and, where they are its own, its biases.
    void add(Part part, Rows<Element> dy, int rows, Rows<const Word> x) {
        const Shape& shape = plan_.shape[part];
        const int out = shape.out_columns(), words = rows / P::PAIR;
        const Rows<const Word> d = P::paired(constant(dy), rows, out, s_.dy_words);
        for_panels(shape.columns() / P::WIDE,
                   Outer<P>{d, x, shape.outputs, words, sums_ + plan_.gradient_at[part],
                            shape.columns()});
        if (own_bias(part))
            for_panels(out / P::WIDE, ColumnSums<P>{d, words, sums_ + plan_.bias_sum_at[part]});
    }

    Rows<const Word> words(Part part, Rows<Element> x, int rows) {
        return P::paired(constant(x), rows, plan_.shape[part].columns(), s_.x_words);
    }

    // Adds rows to the sums of their frames; neighbours mostly share one.
    template <class T> void add_frames(int which, Rows<T> d, int rows, const int32_t* frame) {
        using Wide = typename P::Wide;
        const int vectors = padded_width(plan_.frame_width[which]) / P::WIDE;
        Real* sums = sums_ + plan_.frame_at + plan_.frame_first[which];
        for (int begin = 0, end; begin < rows; begin = end) {
            for (end = begin + 1; end < rows && frame[end] == frame[begin];) ++end;
            Wide* to = reinterpret_cast<Wide*>(sums + (size_t)frame[begin] * plan_.frame_stride);
            for (int v = 0; v < vectors; ++v) {
                Wide sum = to[v];
                for (int n = begin; n < end; ++n) sum += load(d[n] + v * P::WIDE);
                to[v] = sum;
            }
        }
    }
    static NT_HD typename P::Wide load(const Element* at) { return P::load(at); }
    template <class T> static NT_HD typename P::Wide load(const T* at) {
        return *reinterpret_cast<const typename P::Wide*>(at);
    }

    // What reaches the direction and the frame of a run: the sums over its rows.
    void add_views(Rows<Element> d_seen) {
        using Wide = typename P::Wide;
        const int columns = plan_.shape[VIEW].out_columns(), rows = this->whole_steps(s_.runs);
        const Rows<Real> sums{s_.view_bias};
        memset(static_cast<void*>(sums.at), 0, sizeof(Real) * rows * columns);
        for (int n = 0; n < BLOCK; ++n)
            for (int v = 0; v < columns / P::WIDE; ++v)
                reinterpret_cast<Wide*>(sums[s_.run[n]])[v] += load(d_seen[n] + v * P::WIDE);
        add_frames(SHADE_BIAS, sums, s_.runs, s_.run_frame);
        const Rows<Element> d_views{s_.ping.at, columns};
        store_rows(sums, rows, columns, d_views);
        add(VIEW, d_views, rows, words(VIEW, s_.views, rows));
    }

    // From the gradients of colour and density to that of dense2, in ping.
    void pull_outputs(int64_t begin, int count) {
        const Real* rgb = static_cast<const Real*>(call_.rgb) + 3 * begin;
        const Real* d_rgb = static_cast<const Real*>(call_.d_rgb) + 3 * begin;
        memset(s_.moves.at, 0, sizeof(Real) * BLOCK * PAD);
        for (int n = 0; n < count; ++n)
            for (int axis = 0; axis < 3; ++axis) {
                const Real value = (rgb[3 * n + axis] + Real(0.001)) / Real(1.002);
                s_.moves[n][axis] = d_rgb[3 * n + axis] * Real(1.002) * value * (Real(1) - value);
            }
        store_rows(s_.moves, BLOCK, PAD, ping(PAD));
        add(COLOUR, ping(PAD), BLOCK, words(COLOUR, s_.seen, BLOCK));
        const Shape& shape = plan_.shape[SHADE];
        const int c = shape.outputs - 1, columns = shape.out_columns();
        const Rows<Element> d_seen = pong(columns);
        pull_relu<P>(net_.layer[COLOUR], constant(ping(PAD)), BLOCK, constant(s_.seen), d_seen);
        const Real* density = static_cast<const Real*>(call_.density) + begin;
        const Real* d_density = static_cast<const Real*>(call_.d_density) + begin;
        for (int n = 0; n < BLOCK; ++n) {
            for (int k = c; k < columns; ++k) d_seen[n][k] = Element(0);
            // exp(min(x, 9) + 3): its own derivative where it is not held.
            if (n < count && !(s_.log_density[n] > Real(9)))
                d_seen[n][c] = P::element(d_density[n] * density[n]);
        }
        add(SHADE, d_seen, BLOCK, words(SHADE, s_.dense2, BLOCK));
        add_views(d_seen);
        pull_relu<P>(net_.layer[SHADE], constant(d_seen), BLOCK, constant(s_.dense2),
                     ping(plan_.shape[DENSE2].out_columns()));
    }

    // From there to the inputs: their gradient is left in `reals`.
    void pull_dense() {
        const Rows<Element> d2 = ping(plan_.shape[DENSE2].out_columns());
        const Rows<Element> d1 = pong(plan_.shape[DENSE1].out_columns());
        add(DENSE2, d2, BLOCK, words(DENSE2, s_.dense1, BLOCK));
        pull_relu<P>(net_.layer[DENSE2], constant(d2), BLOCK, constant(s_.dense1), d1);
        input_words_ = words(DENSE1, s_.inputs, BLOCK);
        add(DENSE1, d1, BLOCK, input_words_);
        const Rows<Real> inputs{s_.reals.at, plan_.shape[DENSE1].columns()};
        pull_plain<P, false>(net_.layer[DENSE1], constant(d1), BLOCK, inputs);
    }

    void pull_gates(int64_t begin, int count) {
        pull_gate(begin, count, MOUTH1, MOUTH2, MOUTH_CODE, s_.mouth_hidden, 0);
        pull_gate(begin, count, FACE1, FACE2, EXPRESSION, s_.face_hidden,
                  plan_.shape[MOUTH2].out_columns());
    }

    // One of the two gates, whose channels begin at `first` among the gated ones.
    void pull_gate(int64_t begin, int count, Part one, Part two, Brought which,
                   Rows<Element> hidden, int first) {
        const Rows<Real> d_inputs{s_.reals.at, plan_.shape[DENSE1].columns()};
        const Rows<Real> d_gated{s_.reals.at + plan_.shape[DENSE1].first(1) + first,
                                 d_inputs.stride};
        const Rows<Real> gates{s_.gates.at + first, s_.gates.stride};
        const int columns = plan_.shape[two].out_columns(), channels = plan_.shape[two].outputs;
        const Real* d_means = static_cast<const Real*>(call_.d_gates) + 2 * begin + (first > 0);
        const Biases<Real> condition = this->of_frame(which, s_.frame);
        for (int n = 0; n < BLOCK; ++n) {
            const Real mean = n < count ? d_means[2 * n] / (Real)channels : Real(0);
            const Real* scale = condition.of(n);
            Real *gate = gates[n], *d = d_gated[n];
#pragma omp simd
            for (int k = 0; k < columns; ++k) {
                const Real d_gate = d[k] * scale[k] + (k < channels ? mean : Real(0));
                d[k] *= gate[k];
                gate[k] *= d_gate * (Real(1) - gate[k]);
            }
        }
        const Rows<Element> d_raw = ping(columns);
        const Rows<Element> d_hidden = pong(plan_.shape[one].out_columns());
        store_rows(gates, BLOCK, columns, d_raw);
        add_frames(which, d_gated, BLOCK, s_.frame);
        pull_relu<P>(net_.layer[two], constant(d_raw), BLOCK, constant(hidden), d_hidden);
        add(one, d_hidden, BLOCK, input_words_);
        add(two, d_raw, BLOCK, P::paired(constant(hidden), BLOCK, hidden.stride, s_.hidden_words));
        pull_plain<P, true>(net_.layer[one], constant(d_hidden), BLOCK, d_inputs);
    }

    void pull_motion(int64_t begin, int count) {
        const int moved = this->run_motion(count), rows = this->whole_steps(moved);
        if (!moved) return;
        find_slopes(begin, moved);
        const Real* box = static_cast<const Real*>(call_.box);
        for (int n = 0; n < rows; ++n)
            for (int k = 0; k < PAD; ++k) {
                Real& move = s_.moves[n][k];
                const Real slope = this->largest_ * (Real(1) - move * move);
                move = k < 3 && n < moved ? s_.d_unit[k][n] / (box[3 + k] - box[k]) * slope *
                                                s_.window[n]
                                          : Real(0);
            }
        const Rows<Element> d3 = ping(PAD), d2 = pong(plan_.shape[MOVE2].out_columns());
        const Rows<Element> d1 = ping(plan_.shape[MOVE1].out_columns());
        store_rows(s_.moves, rows, PAD, d3);
        add(MOVE3, d3, rows, words(MOVE3, s_.move2, rows));
        pull_relu<P>(net_.layer[MOVE3], constant(d3), rows, constant(s_.move2), d2);
        add(MOVE2, d2, rows, words(MOVE2, s_.move1, rows));
        pull_relu<P>(net_.layer[MOVE2], constant(d2), rows, constant(s_.move1), d1);
        add(MOVE1, d1, rows, words(MOVE1, s_.waves, rows));
        add_frames(MOVE_BIAS, d1, rows, s_.moving_frame);
    }

    struct Slopes {
        GradientBlock& block;
        int count;
        template <int F> void operator()() const {
            Scratch<P>& s = block.s_;
            slope<Real, F>(block.grid_, s.unit, count, s.reals.at, block.plan_.width, s.d_unit);
        }
    };

    // What the gradient of the encodings means for the places of the samples that may move.
    void find_slopes(int64_t begin, int moved) {
        const Real* unit = static_cast<const Real*>(call_.unit) + 3 * begin;
        for (int axis = 0; axis < 3; ++axis)
            for (int n = 0; n < moved; ++n) {
                s_.unit[axis][n] = unit[3 * s_.moving[n] + axis];
                s_.d_unit[axis][n] = Real(0);
            }
        const Real* gradient = static_cast<const Real*>(call_.d_encoded) + begin * plan_.width;
        for (int n = 0; n < moved; ++n)
            memcpy(s_.reals.at + (size_t)n * plan_.width, gradient + s_.moving[n] * plan_.width,
                   plan_.width * sizeof(Real));
        with_features(call_.features, Slopes{*this, moved});
    }

    Real* sums_;
    Rows<const Word> input_words_;
};

}  // namespace
}  // namespace nt::field
