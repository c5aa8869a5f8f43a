// The fused field with bfloat16 products. This file alone is compiled for processors that have
// them; everything it defines besides its three functions is local to it, and nothing of it runs
// elsewhere.

#include <math.h>
#include <new>
#include <stdint.h>
#include <string.h>
#include <type_traits>

// g++ does not define the macros of the instructions that a pragma allows.
#if defined(__AVX512BF16__)
#define NT_BRAIN
#elif defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 11
#define NT_BRAIN
#pragma GCC target("avx2,fma,avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512bf16")
#endif

#include "../include/abi.h"
#include "field_brain.h"
#include "field_passes.h"

#if defined(NT_BRAIN)

NT_API int nt_has_brain() {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512bf16");
}
NT_API int nt_field_brain(const nt::field::FieldCall* call) {
    return nt::field::forward_pass<nt::field::Brain>(*call);
}
NT_API int nt_field_backward_brain(const nt::field::FieldCall* call) {
    return nt::field::backward_pass<nt::field::Brain>(*call);
}

#else

NT_API int nt_has_brain() { return 0; }
NT_API int nt_field_brain(const nt::field::FieldCall*) { return nt::BAD_SIZE; }
NT_API int nt_field_backward_brain(const nt::field::FieldCall*) { return nt::BAD_SIZE; }

#endif
