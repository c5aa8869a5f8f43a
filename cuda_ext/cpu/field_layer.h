// A linear layer over the rows of a block: forward, gradients to its inputs and to its weights.
#pragma once

#include "product.h"

namespace nt::field {
namespace {

constexpr int RUNS = 3;

// A layer's inputs are up to three runs of columns, each padded.
struct Shape {
    int inputs[RUNS], outputs;
    int first(int run) const {
        int columns = 0;
        for (int k = 0; k < run; ++k) columns += padded_width(inputs[k]);
        return columns;
    }
    int columns() const { return first(RUNS); }
    int all_inputs() const { return inputs[0] + inputs[1] + inputs[2]; }
    int out_columns() const { return padded_width(outputs); }
    // The input in a padded column, or -1.
    int input(int column) const {
        int before = 0;
        for (int run = 0; run < RUNS; before += inputs[run], ++run) {
            const int at = column - first(run);
            if (at < padded_width(inputs[run])) return at < inputs[run] ? before + at : -1;
        }
        return -1;
    }
};

// Where the inputs of a product lie in a row, in words.
struct Runs {
    int first[RUNS], steps[RUNS];
};

template <class P> struct Layer {
    using Real = typename P::Real;
    using Element = typename P::Element;
    using Word = typename P::Word;
    using Words = typename P::Words;
    using Wide = typename P::Wide;

    Shape shape;
    int pulled;  // columns whose gradient is ever asked for
    const Words *forward, *backward;
    const Real* bias;  // padded; null where it comes with the frame

    static int steps(int width) { return (width + P::PAIR - 1) / P::PAIR; }
    Runs inputs() const {
        Runs runs;
        for (int run = 0; run < RUNS; ++run) {
            runs.first[run] = shape.first(run) / P::PAIR;
            runs.steps[run] = steps(shape.inputs[run]);
        }
        return runs;
    }
    Runs outputs() const { return {{}, {steps(shape.outputs)}}; }

    static size_t packed_words(const Shape& s, int pulled) {
        size_t words = (size_t)steps(s.outputs) * pulled;
        for (int width : s.inputs) words += (size_t)steps(width) * s.out_columns();
        return words;
    }

    // `weights` (outputs, inputs); `to` holds packed_words().
    Layer(const Shape& given, int pulled_columns, const Real* weights, const Real* padded_bias,
          Word* to)
        : shape(given), pulled(pulled_columns), bias(padded_bias) {
        const auto weight = [&](int output, int column) {
            const int input = shape.input(column);
            const bool real = output < shape.outputs && input >= 0;
            return real ? weights[(size_t)output * shape.all_inputs() + input] : Real(0);
        };
        forward = reinterpret_cast<const Words*>(to);
        to = pack(inputs(), shape.out_columns(), to, [&](int word, int output) {
            const int column = P::PAIR * word;
            return P::word(weight(output, column), weight(output, column + 1));
        });
        backward = reinterpret_cast<const Words*>(to);
        pack(outputs(), pulled, to, [&](int word, int column) {
            const int output = P::PAIR * word;
            return P::word(weight(output, column), weight(output + 1, column));
        });
    }

    Layer() = default;

  private:
    template <class Get>
    static Word* pack(const Runs& runs, int columns, Word* to, const Get& get) {
        const int wide = panel_width(columns / P::WIDE) * P::WIDE;
        for (int first = 0; first < columns; first += wide)
            for (int run = 0; run < RUNS; ++run)
                for (int k = 0; k < runs.steps[run]; ++k)
                    for (int c = first; c < lesser(first + wide, columns); ++c)
                        *to++ = get(runs.first[run] + k, c);
        return to;
    }
};

// Products of `rows` rows with a packed matrix: starts from start(row, vector), and what comes out
// goes to finish(row, vector, sums), V vectors at a time.
template <class P, class Start, class Finish> struct Multiply {
    Rows<const typename P::Element> x;
    int rows;
    Runs runs;
    const typename P::Words* packed;
    const Start& start;
    const Finish& finish;

    template <int V> NT_HD void operator()(int first) const {
        constexpr int R = SUMS / V < MOST_ROWS ? SUMS / V : MOST_ROWS;
        const int all_steps = runs.steps[0] + runs.steps[1] + runs.steps[2];
        const typename P::Words* panel = packed + (size_t)first * all_steps;
        const auto* at = reinterpret_cast<const typename P::Word*>(x.at);
        const int stride = x.stride / P::PAIR;
        for (int row = 0; row < rows; row += R, at += R * stride) {
            typename P::Wide sum[R][V];
            for (int r = 0; r < R; ++r)
                for (int v = 0; v < V; ++v) sum[r][v] = start(row + r, first + v);
            const typename P::Words* b = panel;
            for (int run = 0; run < RUNS; ++run) {
                add_products<P, R, V>(at + runs.first[run], stride, 1, b, V, runs.steps[run], sum);
                b += V * runs.steps[run];
            }
            for (int r = 0; r < R; ++r) finish(row + r, first, sum[r]);
        }
    }
};

template <class P, class Start, class Finish>
void multiply(Rows<const typename P::Element> x, int rows, const Runs& runs,
              const typename P::Words* packed, int columns, const Start& start,
              const Finish& finish) {
    for_panels(columns / P::WIDE,
               Multiply<P, Start, Finish>{x, rows, runs, packed, start, finish});
}

// Biases of a layer: the same for every row, or those of the row's frame.
template <class T> struct Biases {
    const T* at;
    const int32_t* frame;  // null: the same
    int stride;
    NT_HD const T* of(int row) const { return frame ? at + (size_t)frame[row] * stride : at; }
};

// y = relu(W x + b), as elements.
template <class P>
void run_relu(const Layer<P>& layer, Rows<const typename P::Element> x, int rows,
              const Biases<typename P::Real>& bias, Rows<typename P::Element> y) {
    using Wide = typename P::Wide;
    multiply<P>(
        x, rows, layer.inputs(), layer.forward, layer.shape.out_columns(),
        [&](int row, int v) { return reinterpret_cast<const Wide*>(bias.of(row))[v]; },
        [&](int row, int first, const auto& sum) {
            constexpr int V = sizeof(sum) / sizeof(Wide);
            Wide held[V];
            // What is not a number stays none.
            for (int v = 0; v < V; ++v) held[v] = sum[v] < Wide{} ? Wide{} : sum[v];
            P::template store<V>(y[row] + first * P::WIDE, held);
        });
}

// y = W x + b, as reals.
template <class P>
void run_plain(const Layer<P>& layer, Rows<const typename P::Element> x, int rows,
               const Biases<typename P::Real>& bias, Rows<typename P::Real> y) {
    using Wide = typename P::Wide;
    multiply<P>(
        x, rows, layer.inputs(), layer.forward, layer.shape.out_columns(),
        [&](int row, int v) { return reinterpret_cast<const Wide*>(bias.of(row))[v]; },
        [&](int row, int first, const auto& sum) {
            constexpr int V = sizeof(sum) / sizeof(Wide);
            Wide* to = reinterpret_cast<Wide*>(y[row]) + first;
            for (int v = 0; v < V; ++v) to[v] = sum[v];
        });
}

template <class P> struct FromZero {
    NT_HD typename P::Wide operator()(int, int) const { return typename P::Wide{}; }
};

// The gradient to inputs that came out of a ReLU: W^T dy where `active` is positive.
template <class P>
void pull_relu(const Layer<P>& layer, Rows<const typename P::Element> dy, int rows,
               Rows<const typename P::Element> active, Rows<typename P::Element> dx) {
    using Wide = typename P::Wide;
    multiply<P>(
        dy, rows, layer.outputs(), layer.backward, layer.pulled, FromZero<P>{},
        [&](int row, int first, const auto& sum) {
            constexpr int V = sizeof(sum) / sizeof(Wide);
            const auto* on = active[row] + first * P::WIDE;
            Wide held[V];
            for (int v = 0; v < V; ++v)
                held[v] = P::load(on + v * P::WIDE) > Wide{} ? sum[v] : Wide{};
            P::template store<V>(dx[row] + first * P::WIDE, held);
        });
}

// The gradient to the inputs, W^T dy, as reals; added to what is there when ADD.
template <class P, bool ADD>
void pull_plain(const Layer<P>& layer, Rows<const typename P::Element> dy, int rows,
                Rows<typename P::Real> dx) {
    using Wide = typename P::Wide;
    multiply<P>(
        dy, rows, layer.outputs(), layer.backward, layer.pulled,
        [&](int row, int v) { return ADD ? reinterpret_cast<Wide*>(dx[row])[v] : Wide{}; },
        [&](int row, int first, const auto& sum) {
            constexpr int V = sizeof(sum) / sizeof(Wide);
            Wide* to = reinterpret_cast<Wide*>(dx[row]) + first;
            for (int v = 0; v < V; ++v) to[v] = sum[v];
        });
}

// gradient (outputs, columns) += sum over rows of dy x^T; both in words of PAIR rows.
template <class P> struct Outer {
    Rows<const typename P::Word> dy, x;
    int outputs, words;
    typename P::Real* gradient;
    int columns;

    template <int V> NT_HD void operator()(int first) const {
        int o = 0;
        for (; o + GROUP <= outputs; o += GROUP) group<GROUP, V>(o, first);
        for (; o + 2 <= outputs; o += 2) group<2, V>(o, first);
        if (o < outputs) group<1, V>(o, first);
    }

  private:
    template <int R, int V> NT_HD void group(int o, int first) const {
        using Wide = typename P::Wide;
        Wide sum[R][V];
        const auto at = [&](int r) {
            return reinterpret_cast<Wide*>(gradient + (size_t)(o + r) * columns) + first;
        };
        for (int r = 0; r < R; ++r)
            for (int v = 0; v < V; ++v) sum[r][v] = at(r)[v];
        const auto* b = reinterpret_cast<const typename P::Words*>(x.at) + first;
        add_products<P, R, V>(dy.at + o, 1, dy.stride, b, x.stride / P::WIDE, words, sum);
        for (int r = 0; r < R; ++r)
            for (int v = 0; v < V; ++v) at(r)[v] = sum[r][v];
    }
};

// gradient (columns) += sum over rows of dy.
template <class P> struct ColumnSums {
    Rows<const typename P::Word> dy;
    int words;
    typename P::Real* gradient;

    template <int V> NT_HD void operator()(int first) const {
        using Wide = typename P::Wide;
        const typename P::Word ones = P::word(1, 1);
        const auto* b = reinterpret_cast<const typename P::Words*>(dy.at) + first;
        Wide sum[1][V], *to = reinterpret_cast<Wide*>(gradient) + first;
        for (int v = 0; v < V; ++v) sum[0][v] = to[v];
        add_products<P, 1, V>(&ones, 0, 0, b, dy.stride / P::WIDE, words, sum);
        for (int v = 0; v < V; ++v) to[v] = sum[0][v];
    }
};

}  // namespace
}  // namespace nt::field
