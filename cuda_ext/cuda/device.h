// What every launcher needs: the right device, a grid that covers the work, and the launch's error.
//
// A launcher enqueues on the stream it is given and returns a cudaError_t; it never waits for the
// device, so a CUDA graph can capture it.
#pragma once

#if defined(NT_EMULATED)
#include "../emulate/cuda_emulate.h"
#else
#include <cuda_runtime.h>
#endif

#include "../include/abi.h"
#include "../include/launch.h"

namespace ntc {

constexpr unsigned BLOCK = 256;

// Makes `device` current for a launch and restores what was current before.
class DeviceGuard {
  public:
    explicit DeviceGuard(int device) {
        (void)cudaGetLastError();  // what an earlier call left is not this launch's error
        error_ = cudaGetDevice(&before_);
        if (error_ == cudaSuccess && before_ != device) {
            error_ = cudaSetDevice(device);
            changed_ = error_ == cudaSuccess;
        }
    }
    ~DeviceGuard() {
        // The launch's own error has been taken by then; a failure here has no one to tell.
        if (changed_) (void)cudaSetDevice(before_);
    }
    DeviceGuard(const DeviceGuard&) = delete;
    DeviceGuard& operator=(const DeviceGuard&) = delete;
    cudaError_t error() const { return error_; }

  private:
    int before_ = 0;
    bool changed_ = false;
    cudaError_t error_ = cudaSuccess;
};

// The longest one-dimensional grid.
constexpr int64_t MAX_BLOCKS = 0x7fffffff;

// Blocks that cover `count` threads; a launcher returns early when there is nothing to do.
inline unsigned blocks_for(int64_t count) { return (unsigned)((count + BLOCK - 1) / BLOCK); }

inline bool too_many(int64_t count) { return count < 0 || count > MAX_BLOCKS * BLOCK; }

__device__ __forceinline__ int64_t thread_index() {
    return (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
}

}  // namespace ntc
