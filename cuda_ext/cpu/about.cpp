// What a loader asks before it trusts this library.

#include "../include/abi.h"

#ifndef NT_SOURCES
#define NT_SOURCES ""
#endif

NT_API int nt_abi() { return NT_ABI; }

// Fingerprint of the sources it was built from.
NT_API const char* nt_sources() { return NT_SOURCES; }

// The vector instructions it needs, in torch's words.
NT_API const char* nt_needs() {
#if defined(__AVX512F__)
    return "AVX512";
#elif defined(__AVX2__)
    return "AVX2";
#else
    return "DEFAULT";
#endif
}
