// Tri-plane encoding on the CPU.

#include "grid_driver.h"

#define NT_TRIPLANE(T, S, NAME, SUFFIX)                                                            \
    NT_API int nt_triplane_encode##NAME##_##SUFFIX(                                                \
        const T* points, const S* table, const int32_t* resolution, const int32_t* first,          \
        const int32_t* entries, int levels, int features, int64_t all_entries, int64_t count,      \
        T* encoded) {                                                                              \
        const nt::GridDriver<T, nt::TriPlanes, S> grid{table,  resolution, first, entries,         \
                                                    levels, features,   false, all_entries};       \
        return grid.encode(points, count, encoded);                                                \
    }                                                                                              \
    NT_API int nt_triplane_encode_backward##NAME##_##SUFFIX(                                       \
        const T* gradient, const T* points, const S* table, const int32_t* resolution,             \
        const int32_t* first, const int32_t* entries, int levels, int features,                    \
        int64_t all_entries, int64_t count, T* d_table, T* d_points) {                             \
        const nt::GridDriver<T, nt::TriPlanes, S> grid{table,  resolution, first, entries,         \
                                                    levels, features,   false, all_entries};       \
        return grid.backward(gradient, points, count, d_table, d_points);                          \
    }

NT_TRIPLANE(float, float, , f32)
NT_TRIPLANE(double, double, , f64)
NT_TRIPLANE(float, nt::Half, _half, f32)
