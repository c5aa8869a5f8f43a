// Tri-plane encoding.

#include "encode.h"

using namespace ntc;

// points (M, 3), table (3, E, F), out (M, 3 L F); the level arrays (L) lie in host memory.
// gradient (M, 3 L F) to d_table (3, E, F) and d_points (M, 3), both overwritten; either may be
// null.
#define NT_TRIPLANE(S, NAME)                                                                       \
    NT_API int ntc_triplane_encode##NAME##_f32(                                                    \
        const float* points, const S* table, const int32_t* resolution, const int32_t* first,      \
        const int32_t* entries, int levels, int features, int64_t all_entries, int64_t count,      \
        float* out, int device, void* stream) {                                                    \
        return run_encode<nt::TriPlanes>({resolution, first, entries, levels, all_entries},        \
                                         features, false, points, table, count, out, device,       \
                                         stream);                                                  \
    }                                                                                              \
    NT_API int ntc_triplane_encode_backward##NAME##_f32(                                           \
        const float* gradient, const float* points, const S* table, const int32_t* resolution,     \
        const int32_t* first, const int32_t* entries, int levels, int features,                    \
        int64_t all_entries, int64_t count, float* d_table, float* d_points, int device,           \
        void* stream) {                                                                            \
        return run_backward<nt::TriPlanes>({resolution, first, entries, levels, all_entries},      \
                                           features, false, gradient, points, table, count,        \
                                           d_table, d_points, device, stream);                     \
    }

NT_TRIPLANE(float, )
NT_TRIPLANE(nt::Half, _half)
