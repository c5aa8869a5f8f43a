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
    if (!plan.fits(call) || !have_cells(call.resolution, call.levels)) return BAD_SIZE;
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

// Adds all other runs to the first, in order.
template <class T> void add_chunks(T* sums, int64_t count) {
    constexpr int64_t PIECE = 1024;
#pragma omp for schedule(static)
    for (int64_t begin = 0; begin < count; begin += PIECE)
        for (int chunk = 1; chunk < CHUNKS; ++chunk) {
            const T* from = sums + chunk * count;
#pragma omp simd
            for (int64_t k = begin; k < lesser(begin + PIECE, count); ++k) sums[k] += from[k];
        }
}

// Takes the sums out of their padding.
template <class T> void write_sums(const FieldCall& call, const Plan& plan, const T* sums) {
    T* weights = static_cast<T*>(call.d_weights);
    for (int k = 0; k < PARTS; ++k) {
        const Shape& s = plan.shape[k];
        for (int o = 0; o < s.outputs; ++o) {
            T* to = weights + plan.weight_at[k] + (size_t)o * s.all_inputs();
            const T* from = sums + plan.gradient_at[k] + (size_t)o * s.columns();
            for (int c = 0; c < s.columns(); ++c)
                if (s.input(c) >= 0) to[s.input(c)] = from[c];
            if (own_bias(k)) weights[plan.bias_at[k] + o] = sums[plan.bias_sum_at[k] + o];
        }
    }
    T* row = static_cast<T*>(call.d_frame_rows);
    for (int64_t t = 0; t < call.frames; ++t)
        for (int k = 0; k < BROUGHT; row += plan.frame_width[k], ++k)
            memcpy(row, sums + plan.frame_at + t * plan.frame_stride + plan.frame_first[k],
                   plan.frame_width[k] * sizeof(T));
}

template <class P> int backward_pass(const FieldCall& call) {
    using Real = typename P::Real;
    const Plan plan(call);
    if (!plan.fits(call) || !have_cells(call.resolution, call.levels)) return BAD_SIZE;
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
        add_chunks(sums, (int64_t)plan.sums);
    }
    write_sums(call, plan, sums);
    return OK;
}

}  // namespace
}  // namespace nt::field
