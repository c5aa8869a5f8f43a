// Both passes of the fused field over all samples, in parallel.
//
// A sample's outputs depend on no other sample. Gradients to weights and frames are summed in
// CHUNKS runs of blocks, each in order, and the runs in order: the number of threads changes
// nothing.
#pragma once

#include "field_gradient.h"

namespace nt::field {
namespace {

constexpr int CHUNKS = 32;

template <class P> int forward_pass(const FieldCall& call) {
    const Plan plan(call);
    const Network<P> network(call, plan);
    const int64_t blocks = (call.count + BLOCK - 1) / BLOCK;
    bool known = true;
#pragma omp parallel if (blocks > 1) reduction(&& : known)
    {
        Scratch<P> scratch(plan);
        Block<P> block(call, plan, network, scratch);
#pragma omp for schedule(dynamic, 8)
        for (int64_t b = 0; b < blocks; ++b) {
            const int64_t begin = b * BLOCK;
            known = block.forward(begin, (int)lesser<int64_t>(BLOCK, call.count - begin)) && known;
        }
    }
    return known ? OK : BAD_INDEX;
}

// Sums of all chunks at `at`, in order.
template <class T> T chunk_sum(const T* sums, size_t stride, size_t at) {
    T sum = T(0);
    for (int chunk = 0; chunk < CHUNKS; ++chunk) sum += sums[chunk * stride + at];
    return sum;
}

template <class T>
void reduce(const FieldCall& call, const Plan& plan, const T* sums) {
    T* weights = static_cast<T*>(call.d_weights);
#pragma omp parallel
    {
        for (int k = 0; k < PARTS; ++k) {
            const Shape& s = plan.shape[k];
#pragma omp for schedule(static) nowait
            for (int o = 0; o < s.outputs; ++o) {
                T* to = weights + plan.weight_at[k] + (size_t)o * s.all_inputs();
                const size_t from = plan.gradient_at[k] + (size_t)o * s.columns();
                for (int c = 0; c < s.columns(); ++c)
                    if (s.input(c) >= 0) to[s.input(c)] = chunk_sum(sums, plan.sums, from + c);
                if (own_bias(k))
                    weights[plan.bias_at[k] + o] =
                        chunk_sum(sums, plan.sums, plan.bias_sum_at[k] + o);
            }
        }
#pragma omp for schedule(static) nowait
        for (int64_t t = 0; t < call.frames; ++t) {
            T* to = static_cast<T*>(call.d_frame_rows) + t * plan.row_width;
            const size_t from = plan.frame_at + (size_t)t * plan.frame_stride;
            for (int k = 0; k < 3; ++k)
                for (int c = 0; c < plan.frame_width[k]; ++c)
                    *to++ = chunk_sum(sums, plan.sums, from + plan.frame_first[k] + c);
        }
    }
}

template <class P> int backward_pass(const FieldCall& call) {
    using Real = typename P::Real;
    const Plan plan(call);
    const Network<P> network(call, plan);
    const int64_t blocks = (call.count + BLOCK - 1) / BLOCK;
    const int64_t each = (blocks + CHUNKS - 1) / CHUNKS;
    Store store(Store::bytes<Real>(CHUNKS * plan.sums));
    Real* sums = store.take<Real>(CHUNKS * plan.sums);
#pragma omp parallel
    {
        Scratch<P> scratch(plan);
#pragma omp for schedule(dynamic, 1)
        for (int chunk = 0; chunk < CHUNKS; ++chunk) {
            Real* own = sums + chunk * plan.sums;
            memset(own, 0, plan.sums * sizeof(Real));
            GradientBlock<P> block(call, plan, network, scratch, own);
            const int64_t end = lesser<int64_t>((chunk + 1) * each, blocks);
            for (int64_t b = chunk * each; b < end; ++b) {
                const int64_t begin = b * BLOCK;
                block.backward(begin, (int)lesser<int64_t>(BLOCK, call.count - begin));
            }
        }
    }
    reduce(call, plan, sums);
    return OK;
}

}  // namespace
}  // namespace nt::field
