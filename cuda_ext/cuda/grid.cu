// Grid encoding in two and three dimensions.

#include "encode.h"

using namespace ntc;

// points (M, D), table (E, F), out (M, L F); the level arrays (L) lie in host memory.
// gradient (M, L F) to d_table (E, F) and d_points (M, D), both overwritten; either may be null.
#define NT_GRID(S, NAME)                                                                           \
    NT_API int ntc_grid_encode##NAME##_f32(                                                        \
        const float* points, const S* table, const int32_t* resolution, const int32_t* first,      \
        const int32_t* entries, int dimensions, int tiled, int levels, int features,               \
        int64_t all_entries, int64_t count, float* out, int device, void* stream) {                \
        const auto run = [&](auto space) {                                                         \
            return run_encode<decltype(space)>({resolution, first, entries, levels, all_entries},  \
                                               features, tiled != 0, points, table, count, out,    \
                                               device, stream);                                    \
        };                                                                                         \
        if (dimensions == 2) return run(nt::OneGrid<2>());                                         \
        return dimensions == 3 ? run(nt::OneGrid<3>()) : (int)cudaErrorInvalidValue;               \
    }                                                                                              \
    NT_API int ntc_grid_encode_backward##NAME##_f32(                                               \
        const float* gradient, const float* points, const S* table, const int32_t* resolution,     \
        const int32_t* first, const int32_t* entries, int dimensions, int tiled, int levels,       \
        int features, int64_t all_entries, int64_t count, float* d_table, float* d_points,         \
        int device, void* stream) {                                                                \
        const auto run = [&](auto space) {                                                         \
            return run_backward<decltype(space)>(                                                  \
                {resolution, first, entries, levels, all_entries}, features, tiled != 0, gradient, \
                points, table, count, d_table, d_points, device, stream);                          \
        };                                                                                         \
        if (dimensions == 2) return run(nt::OneGrid<2>());                                         \
        return dimensions == 3 ? run(nt::OneGrid<3>()) : (int)cudaErrorInvalidValue;               \
    }

NT_GRID(float, )
NT_GRID(nt::Half, _half)
