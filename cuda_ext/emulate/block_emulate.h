// Lets g++ run kernels whose threads work together: every thread of a block is a host thread.
//
// For shared memory, barriers, votes and tensor-core fragments. Slow, but nothing runs in lockstep,
// so a missing barrier is a data race that the thread sanitizer sees. Blocks run one by one.
#pragma once

#include <pthread.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "cuda_emulate.h"

constexpr unsigned NT_WARP = 32;

struct NtBlock {
    unsigned char* shared;
    pthread_barrier_t all;
    std::vector<pthread_barrier_t> warps;
    std::vector<unsigned char> votes;

    NtBlock(unsigned threads, std::size_t bytes) : warps(threads / NT_WARP), votes(threads) {
        shared = static_cast<unsigned char*>(std::aligned_alloc(128, (bytes + 127) / 128 * 128));
        pthread_barrier_init(&all, nullptr, threads);
        for (auto& warp : warps) pthread_barrier_init(&warp, nullptr, NT_WARP);
    }
    ~NtBlock() {
        for (auto& warp : warps) pthread_barrier_destroy(&warp);
        pthread_barrier_destroy(&all);
        std::free(shared);
    }
};

inline thread_local NtBlock* nt_block = nullptr;

inline void __syncthreads() { pthread_barrier_wait(&nt_block->all); }

inline void __syncwarp(unsigned = ~0u) {
    pthread_barrier_wait(&nt_block->warps[threadIdx.x / NT_WARP]);
}

inline bool __any_sync(unsigned, bool vote) {
    nt_block->votes[threadIdx.x] = vote;
    __syncwarp();
    bool any = false;
    const unsigned first = threadIdx.x / NT_WARP * NT_WARP;
    for (unsigned lane = 0; lane < NT_WARP; ++lane) any = any || nt_block->votes[first + lane];
    __syncwarp();
    return any;
}

// Runs a kernel of one-dimensional blocks of whole warps.
template <class... Parameters, class... Arguments>
inline cudaError_t nt_emulate_blocks(void (*kernel)(Parameters...), unsigned grid, unsigned block,
                                     std::size_t bytes, Arguments... arguments) {
    if (!nt_launch_accepted(grid, block) || block % NT_WARP) return cudaErrorInvalidConfiguration;
    for (unsigned b = 0; b < grid; ++b) {
        NtBlock shared(block, bytes);
        std::vector<std::thread> threads;
        for (unsigned t = 0; t < block; ++t)
            threads.emplace_back([&, b, t] {
                gridDim = dim3(grid);
                blockDim = dim3(block);
                blockIdx = dim3(b, 0, 0);
                threadIdx = dim3(t, 0, 0);
                nt_block = &shared;
                kernel(arguments...);
            });
        for (auto& thread : threads) thread.join();
    }
    return cudaSuccess;
}

struct alignas(16) float4 {
    float x, y, z, w;
};
struct alignas(16) uint4 {
    unsigned x, y, z, w;
};

// Rounds as the GPU's float16 does.
struct half {
    uint16_t bits;
};

inline half __float2half_rn(float value) {
    const _Float16 rounded = static_cast<_Float16>(value);
    half out;
    std::memcpy(&out, &rounded, sizeof out);
    return out;
}

inline float __half2float(half value) {
    _Float16 out;
    std::memcpy(&out, &value, sizeof out);
    return static_cast<float>(out);
}

// Tensor cores: every lane computes the whole tile; a store writes only the lane's share of it, so
// that reading another's share without a barrier goes wrong, as it would on a GPU.
namespace nvcuda {
namespace wmma {

struct matrix_a;
struct matrix_b;
struct accumulator;
struct row_major {
    static constexpr bool rows = true;
};
struct col_major {
    static constexpr bool rows = false;
};
enum layout_t { mem_row_major, mem_col_major };

template <class Use, int M, int N, int K, class T, class Layout = row_major> struct fragment {
    float at[16][16];
};

// The alignment the real instructions ask for; a GPU would read something else or fault.
inline void nt_require_aligned(const void* address, unsigned stride, unsigned unit) {
    if (reinterpret_cast<std::uintptr_t>(address) % 32 || stride % unit) {
        std::fprintf(stderr, "wmma: address or stride is not aligned\n");
        std::abort();
    }
}

template <class Fragment> inline void fill_fragment(Fragment& fragment, float value) {
    for (auto& row : fragment.at)
        for (float& element : row) element = value;
}

template <class Use, class Layout>
inline void load_matrix_sync(fragment<Use, 16, 16, 16, half, Layout>& out, const half* from,
                             unsigned stride) {
    nt_require_aligned(from, stride, 8);
    for (unsigned i = 0; i < 16; ++i)
        for (unsigned j = 0; j < 16; ++j)
            out.at[i][j] = __half2float(from[Layout::rows ? i * stride + j : j * stride + i]);
}

template <class A, class B, class C>
inline void mma_sync(C& out, const A& a, const B& b, const C& c) {
    for (int i = 0; i < 16; ++i)
        for (int j = 0; j < 16; ++j) {
            float sum = c.at[i][j];
            for (int k = 0; k < 16; ++k) sum += a.at[i][k] * b.at[k][j];
            out.at[i][j] = sum;
        }
}

template <class C>
inline void store_matrix_sync(float* to, const C& from, unsigned stride, layout_t) {
    nt_require_aligned(to, stride, 4);
    for (unsigned e = threadIdx.x % NT_WARP; e < 256; e += NT_WARP)
        to[e / 16 * stride + e % 16] = from.at[e / 16][e % 16];
}

}  // namespace wmma
}  // namespace nvcuda
