// Lets g++ compile and run the .cu files: one thread after the other, in the order of indices.
//
// Races between the threads of such a kernel do not show. Kernels whose threads work together run
// under block_emulate.h instead.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#define __global__
#define __device__
#define __host__
#define __grid_constant__
#define __forceinline__ inline
#define __launch_bounds__(...)

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

// thread_local: two host threads may each run a kernel, as autograd's worker does.
inline thread_local dim3 threadIdx, blockIdx, blockDim, gridDim;

template <class T>
inline T atomicAdd(T* address, T value) {
    T before, after;
    __atomic_load(address, &before, __ATOMIC_RELAXED);
    do {
        after = before + value;
    } while (!__atomic_compare_exchange(address, &before, &after, true, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED));
    return before;
}

using cudaError_t = int;
using cudaStream_t = void*;

constexpr cudaError_t cudaSuccess = 0;
constexpr cudaError_t cudaErrorInvalidValue = 1;
constexpr cudaError_t cudaErrorInvalidConfiguration = 9;
constexpr cudaError_t cudaErrorInvalidDevice = 101;

// Set by a launch whose shape a GPU would refuse, read and cleared by cudaGetLastError.
inline thread_local cudaError_t nt_emulated_error = cudaSuccess;

inline cudaError_t cudaGetLastError() {
    const cudaError_t error = nt_emulated_error;
    nt_emulated_error = cudaSuccess;
    return error;
}

inline cudaError_t cudaPeekAtLastError() { return nt_emulated_error; }

inline const char* cudaGetErrorName(cudaError_t error) {
    switch (error) {
        case cudaSuccess: return "cudaSuccess";
        case cudaErrorInvalidValue: return "cudaErrorInvalidValue";
        case cudaErrorInvalidConfiguration: return "cudaErrorInvalidConfiguration";
        case cudaErrorInvalidDevice: return "cudaErrorInvalidDevice";
    }
    return "unknown emulated error";
}

inline const char* cudaGetErrorString(cudaError_t error) { return cudaGetErrorName(error); }

// One device, number 0.
inline cudaError_t cudaGetDevice(int* device) {
    *device = 0;
    return cudaSuccess;
}

inline cudaError_t cudaSetDevice(int device) {
    return device == 0 ? cudaSuccess : cudaErrorInvalidDevice;
}

// Shared memory of a block of the emulated device; 0 keeps every kernel to its simple form. Set by
// ntc_emulate_shared.
inline int nt_emulated_shared = 0;

constexpr int cudaDevAttrMultiProcessorCount = 16;
constexpr int cudaDevAttrMaxSharedMemoryPerBlockOptin = 97;

inline cudaError_t cudaDeviceGetAttribute(int* value, int attribute, int) {
    *value = attribute == cudaDevAttrMultiProcessorCount ? 2 : nt_emulated_shared;
    return cudaSuccess;
}

template <class Kernel>
inline cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, Kernel, int,
                                                                 std::size_t) {
    *blocks = 1;
    return cudaSuccess;
}

inline cudaError_t cudaMemsetAsync(void* address, int value, std::size_t bytes, cudaStream_t) {
    std::memset(address, value, bytes);
    return cudaSuccess;
}

// Whether a GPU would accept the launch: the limits every architecture from sm_80 on shares.
inline bool nt_launch_accepted(dim3 grid, dim3 block) {
    const bool empty = !grid.x || !grid.y || !grid.z || !block.x || !block.y || !block.z;
    const bool large = grid.x > 0x7fffffffu || grid.y > 65535u || grid.z > 65535u ||
                       1ull * block.x * block.y * block.z > 1024u || block.z > 64u;
    if (empty || large) nt_emulated_error = cudaErrorInvalidConfiguration;
    return !empty && !large;
}

template <class Kernel, class... Arguments>
inline void nt_emulate_launch(Kernel kernel, dim3 grid, dim3 block, Arguments... arguments) {
    if (!nt_launch_accepted(grid, block)) return;
    gridDim = grid;
    blockDim = block;
    for (unsigned bz = 0; bz < grid.z; ++bz)
        for (unsigned by = 0; by < grid.y; ++by)
            for (unsigned bx = 0; bx < grid.x; ++bx)
                for (unsigned tz = 0; tz < block.z; ++tz)
                    for (unsigned ty = 0; ty < block.y; ++ty)
                        for (unsigned tx = 0; tx < block.x; ++tx) {
                            blockIdx = dim3(bx, by, bz);
                            threadIdx = dim3(tx, ty, tz);
                            kernel(arguments...);
                        }
}

#define NT_LAUNCH(kernel, grid, block, stream, ...) \
    (void)(stream), nt_emulate_launch((kernel), dim3(grid), dim3(block), __VA_ARGS__)
