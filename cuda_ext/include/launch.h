// The only place that spells <<< >>>; the emulation shim replaces it by nested loops.
#pragma once

#if defined(__CUDACC__)
#define NT_LAUNCH(kernel, grid, block, stream, ...) \
    (kernel)<<<dim3(grid), dim3(block), 0, (cudaStream_t)(stream)>>>(__VA_ARGS__)
#endif
