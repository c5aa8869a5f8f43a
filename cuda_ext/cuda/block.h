// Kernels whose threads work together: their shared memory and their launch.
#pragma once

#include "device.h"

#if defined(NT_EMULATED)
#include "../emulate/block_emulate.h"
#define NT_SHARED_MEMORY(name) unsigned char* const name = nt_block->shared
#else
#include <cuda_fp16.h>
#include <mma.h>
#define NT_SHARED_MEMORY(name) extern __shared__ __align__(128) unsigned char name[]
#endif

namespace ntc {

// Shared memory a block gets without asking.
constexpr int USUAL_SHARED = 48 * 1024;

// Shared memory a block can get at most.
inline cudaError_t most_shared(int device, int* bytes) {
    return cudaDeviceGetAttribute(bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
}

// Must come before an occupancy question or a launch with more than the usual.
template <class Kernel> cudaError_t allow_shared(Kernel kernel, int bytes) {
#if !defined(NT_EMULATED)
    if (bytes > USUAL_SHARED)
        return cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
#endif
    (void)kernel, (void)bytes;
    return cudaSuccess;
}

template <class... Parameters, class... Arguments>
cudaError_t launch_blocks(void (*kernel)(Parameters...), int64_t grid, unsigned block, int bytes,
                          void* stream, Arguments... arguments) {
    if (grid < 1 || grid > MAX_BLOCKS) return cudaErrorInvalidConfiguration;
#if defined(NT_EMULATED)
    (void)stream;
    return nt_emulate_blocks(kernel, (unsigned)grid, block, (std::size_t)bytes, arguments...);
#else
    cudaLaunchConfig_t config{};
    config.gridDim = dim3((unsigned)grid);
    config.blockDim = dim3(block);
    config.dynamicSmemBytes = (size_t)bytes;
    config.stream = (cudaStream_t)stream;
    const cudaError_t error = cudaLaunchKernelEx(&config, kernel, arguments...);
    return error != cudaSuccess ? error : cudaGetLastError();
#endif
}

}  // namespace ntc
