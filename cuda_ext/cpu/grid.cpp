// Grid encoding in two and three dimensions on the CPU.

#include "grid_driver.h"

#define NT_GRID(T, S, NAME, SUFFIX)                                                                \
    NT_API int nt_grid_encode##NAME##_##SUFFIX(                                                    \
        const T* points, const S* table, const int32_t* resolution, const int32_t* first,          \
        const int32_t* entries, int dimensions, int tiled, int levels, int features,               \
        int64_t all_entries, int64_t count, T* encoded) {                                          \
        const auto run = [&](auto space) {                                                         \
            const nt::GridDriver<T, decltype(space), S> grid{                                      \
                table, resolution, first, entries, levels, features, tiled != 0, all_entries};     \
            return grid.encode(points, count, encoded);                                            \
        };                                                                                         \
        if (dimensions == 2) return run(nt::OneGrid<2>());                                         \
        return dimensions == 3 ? run(nt::OneGrid<3>()) : nt::BAD_SIZE;                             \
    }                                                                                              \
    NT_API int nt_grid_encode_backward##NAME##_##SUFFIX(                                           \
        const T* gradient, const T* points, const S* table, const int32_t* resolution,             \
        const int32_t* first, const int32_t* entries, int dimensions, int tiled, int levels,       \
        int features, int64_t all_entries, int64_t count, T* d_table, T* d_points) {               \
        const auto run = [&](auto space) {                                                         \
            const nt::GridDriver<T, decltype(space), S> grid{                                      \
                table, resolution, first, entries, levels, features, tiled != 0, all_entries};     \
            return grid.backward(gradient, points, count, d_table, d_points);                      \
        };                                                                                         \
        if (dimensions == 2) return run(nt::OneGrid<2>());                                         \
        return dimensions == 3 ? run(nt::OneGrid<3>()) : nt::BAD_SIZE;                             \
    }

NT_GRID(float, float, , f32)
NT_GRID(double, double, , f64)
NT_GRID(float, nt::Half, _half, f32)
