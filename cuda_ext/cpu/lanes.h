// Sixty-four samples side by side: vectors and linear layers over them.
#pragma once

#include <vector>

#include "quick.h"

namespace nt {

constexpr int LANES = 64;

#if defined(__AVX512F__)
constexpr int VECTOR_BYTES = 64, OUTPUTS_AT_ONCE = 6;  // 24 sums and 4 inputs in 32 registers
#elif defined(__AVX__)
constexpr int VECTOR_BYTES = 32, OUTPUTS_AT_ONCE = 3;  // 12 sums in 16 registers
#else
constexpr int VECTOR_BYTES = 16, OUTPUTS_AT_ONCE = 3;
#endif
constexpr int WIDE = VECTOR_BYTES / (int)sizeof(float), AT_ONCE = 4;
static_assert(LANES % (WIDE * AT_ONCE) == 0, "a row of lanes is a whole number of tiles");

typedef float Wide __attribute__((vector_size(VECTOR_BYTES), may_alias));

using Row = float[LANES];

// A linear layer whose weights lie in the order in which they are used.
class LaneLayer {
  public:
    LaneLayer() = default;

    // `columns` lists the inputs that are no padding; rows of `weights` are `stride` apart.
    LaneLayer(const float* weights, int stride, const std::vector<int>& columns,
              const float* biases, int outputs)
        : inputs_((int)columns.size()), outputs_(outputs), biases_(biases, biases + outputs) {
        for (int first = 0; first < outputs; first += OUTPUTS_AT_ONCE)
            for (int column : columns)
                for (int o = first; o < lesser(first + OUTPUTS_AT_ONCE, outputs); ++o)
                    weights_.push_back(weights[(size_t)o * stride + column]);
    }

    // y (outputs, LANES) from x (inputs, LANES); they must not overlap.
    template <bool RELU> void run(const Row* x, Row* y) const {
        const float* weights = weights_.data();
        for (int o = 0; o < outputs_; o += OUTPUTS_AT_ONCE) {
            const int count = lesser(OUTPUTS_AT_ONCE, outputs_ - o);
            switch (count) {
                case 1: block<1, RELU>(weights, &biases_[o], x, y + o); break;
                case 2: block<2, RELU>(weights, &biases_[o], x, y + o); break;
                case 3: block<3, RELU>(weights, &biases_[o], x, y + o); break;
                case 4: block<4, RELU>(weights, &biases_[o], x, y + o); break;
                case 5: block<5, RELU>(weights, &biases_[o], x, y + o); break;
                default: block<6, RELU>(weights, &biases_[o], x, y + o);
            }
            weights += (size_t)count * inputs_;
        }
    }

  private:
    template <int N, bool RELU>
    void block(const float* weights, const float* biases, const Row* x, Row* y) const {
        for (int lane = 0; lane < LANES; lane += WIDE * AT_ONCE) {
            Wide sum[N][AT_ONCE];
            for (int o = 0; o < N; ++o)
                for (int v = 0; v < AT_ONCE; ++v) sum[o][v] = Wide{} + biases[o];
            for (int i = 0; i < inputs_; ++i) {
                const Wide* in = reinterpret_cast<const Wide*>(x[i] + lane);
                for (int o = 0; o < N; ++o)
                    for (int v = 0; v < AT_ONCE; ++v) sum[o][v] += weights[i * N + o] * in[v];
            }
            for (int o = 0; o < N; ++o)
                for (int v = 0; v < AT_ONCE; ++v) {
                    Wide* out = reinterpret_cast<Wide*>(y[o] + lane) + v;
                    *out = RELU ? (sum[o][v] > 0.0f ? sum[o][v] : Wide{}) : sum[o][v];
                }
        }
    }

    int inputs_ = 0, outputs_ = 0;
    std::vector<float> weights_, biases_;
};

}  // namespace nt
