// The fused field with bfloat16 products, which only some processors have.
#pragma once

namespace nt::field {
struct FieldCall;
}

// Whether this processor has them and the compiler knew them.
extern "C" int nt_has_brain();
extern "C" int nt_field_brain(const nt::field::FieldCall* call);
extern "C" int nt_field_backward_brain(const nt::field::FieldCall* call);
