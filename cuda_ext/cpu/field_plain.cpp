// The fused field in plain float32 and float64, and the choice of bfloat16 where it was asked for.

#include "../include/abi.h"
#include "field_brain.h"
#include "field_passes.h"

#define NT_FIELD(T, SUFFIX)                                                                        \
    NT_API int nt_field_##SUFFIX(const nt::field::FieldCall* call) {                               \
        return nt::field::forward_pass<nt::field::Plain<T>>(*call);                                \
    }                                                                                              \
    NT_API int nt_field_backward_##SUFFIX(const nt::field::FieldCall* call) {                      \
        return nt::field::backward_pass<nt::field::Plain<T>>(*call);                               \
    }

NT_FIELD(double, f64)

NT_API int nt_field_f32(const nt::field::FieldCall* call) {
    if (call->brain) return nt_field_brain(call);
    return nt::field::forward_pass<nt::field::Plain<float>>(*call);
}
NT_API int nt_field_backward_f32(const nt::field::FieldCall* call) {
    if (call->brain) return nt_field_backward_brain(call);
    return nt::field::backward_pass<nt::field::Plain<float>>(*call);
}
