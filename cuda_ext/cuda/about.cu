// What a loader asks before it trusts this library, and what an error number means.

#include "device.h"

#ifndef NT_SOURCES
#define NT_SOURCES ""
#endif

NT_API int ntc_abi() { return NT_ABI; }

// Fingerprint of the sources it was built from.
NT_API const char* ntc_sources() { return NT_SOURCES; }

NT_API const char* ntc_error(int code) { return cudaGetErrorName((cudaError_t)code); }

#if defined(NT_EMULATED)
// Gives the emulated device shared memory, so that kernels that use it are run.
NT_API void ntc_emulate_shared(int bytes) { nt_emulated_shared = bytes; }
#endif
