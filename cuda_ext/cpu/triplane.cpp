// Tri-plane encoding on the CPU. Results do not depend on the number of threads: a point's
// outputs, and a (plane, level) slice of the table's gradient, each belong to one thread.

#include <string.h>

#include "../include/abi.h"
#include "corner_block.h"

namespace nt {
namespace {

// A block's encodings (18 KB at 12 x 2) stay in the first cache.
constexpr int BLOCK = CornerBlock<float>::SIZE;
constexpr int SLAB = 2048;     // points whose gradients (0.6 MB) stay in the second
constexpr int FEW = 1024;      // points for which waking threads costs more than it brings

template <class T> struct Grid {
    const T* table;
    const int32_t *resolution, *first, *entries;
    int levels;
    int64_t all_entries;
    Level level(int l) const { return {resolution[l], entries[l]}; }
    int64_t slice(int plane, int l) const { return plane * all_entries + first[l]; }
};

template <class T, int F>
void encode(const T* points, const Grid<T>& grid, int given, int64_t count, T* encoded) {
    const int features = F ? F : given, width = 3 * grid.levels * features;
#pragma omp parallel for schedule(static) if (count > FEW)
    for (int64_t begin = 0; begin < count; begin += BLOCK) {
        const int size = (int)lesser<int64_t>(BLOCK, count - begin);
        CornerBlock<T> block;
        for (int plane = 0; plane < 3; ++plane)
            for (int l = 0; l < grid.levels; ++l) {
                const T* point = points + 3 * begin;
                block.template find<3>(point + plane_axis(plane, 0), point + plane_axis(plane, 1),
                                       grid.level(l), size);
                const T* table = grid.table + grid.slice(plane, l) * features;
                T* out = encoded + begin * width + (plane * grid.levels + l) * features;
                block.template read<F, 1>(table, features, size, out, width);
            }
    }
}

template <class T, int F>
void table_gradient(const T* gradient, const T* points, const Grid<T>& grid, int given,
                    int64_t count, T* d_table) {
    const int features = F ? F : given, width = 3 * grid.levels * features;
#pragma omp parallel if (count > FEW)
    {
#pragma omp for schedule(static)
        for (int plane = 0; plane < 3; ++plane)
            memset(d_table + plane * grid.all_entries * features, 0,
                   grid.all_entries * features * sizeof(T));
        for (int64_t slab = 0; slab < count; slab += SLAB) {
            const int64_t end = lesser<int64_t>(slab + SLAB, count);
            // A static schedule gives a slice to the same thread in every slab: no barrier needed.
#pragma omp for schedule(static, 1) nowait
            for (int slice = 0; slice < 3 * grid.levels; ++slice) {
                const int plane = slice / grid.levels, l = slice % grid.levels;
                T* out = d_table + grid.slice(plane, l) * features;
                CornerBlock<T> block;
                for (int64_t begin = slab; begin < end; begin += BLOCK) {
                    const int size = (int)lesser<int64_t>(BLOCK, end - begin);
                    const T* point = points + 3 * begin;
                    block.template find<3>(point + plane_axis(plane, 0),
                                           point + plane_axis(plane, 1), grid.level(l), size);
                    block.template add<F>(gradient + begin * width + slice * features, width,
                                          features, size, out);
                }
            }
        }
    }
}

template <class T, int F>
void points_gradient(const T* gradient, const T* points, const Grid<T>& grid, int given,
                     int64_t count, T* d_points) {
    const int features = F ? F : given, width = 3 * grid.levels * features;
#pragma omp parallel for schedule(static) if (count > FEW)
    for (int64_t begin = 0; begin < count; begin += BLOCK) {
        const int size = (int)lesser<int64_t>(BLOCK, count - begin);
        T found[3][BLOCK] = {};
        CornerBlock<T> block;
        for (int plane = 0; plane < 3; ++plane)
            for (int l = 0; l < grid.levels; ++l) {
                const int u = plane_axis(plane, 0), v = plane_axis(plane, 1);
                const T* point = points + 3 * begin;
                const T* table = grid.table + grid.slice(plane, l) * features;
                const T* g = gradient + begin * width + (plane * grid.levels + l) * features;
                block.template find<3>(point + u, point + v, grid.level(l), size);
                block.template slope<F, 3>(table, features, g, width, point + u, point + v,
                                           grid.level(l), size, found[u], found[v]);
            }
        for (int i = 0; i < size; ++i)
            for (int axis = 0; axis < 3; ++axis) d_points[3 * (begin + i) + axis] = found[axis][i];
    }
}

// Calls run.operator()<F>() with the number of features known at compile time where it is usual.
template <class Run> int with_features(int features, const Run& run) {
    switch (features) {
        case 1: run.template operator()<1>(); break;
        case 2: run.template operator()<2>(); break;
        case 4: run.template operator()<4>(); break;
        case 8: run.template operator()<8>(); break;
        default: run.template operator()<0>();
    }
    return OK;
}

template <class T> struct Forward {
    const T* points;
    Grid<T> grid;
    int features;
    int64_t count;
    T* encoded;
    template <int F> void operator()() const {
        encode<T, F>(points, grid, features, count, encoded);
    }
};

template <class T> struct Backward {
    const T *gradient, *points;
    Grid<T> grid;
    int features;
    int64_t count;
    T *d_table, *d_points;
    template <int F> void operator()() const {
        if (d_table) table_gradient<T, F>(gradient, points, grid, features, count, d_table);
        if (d_points) points_gradient<T, F>(gradient, points, grid, features, count, d_points);
    }
};

}  // namespace
}  // namespace nt

#define NT_TRIPLANE(T, SUFFIX)                                                                     \
    NT_API int nt_triplane_encode_##SUFFIX(                                                        \
        const T* points, const T* table, const int32_t* resolution, const int32_t* first,          \
        const int32_t* entries, int levels, int features, int64_t all_entries, int64_t count,      \
        T* encoded) {                                                                              \
        const nt::Grid<T> grid{table, resolution, first, entries, levels, all_entries};            \
        return nt::with_features(features, nt::Forward<T>{points, grid, features, count, encoded}); \
    }                                                                                              \
    NT_API int nt_triplane_encode_backward_##SUFFIX(                                               \
        const T* gradient, const T* points, const T* table, const int32_t* resolution,             \
        const int32_t* first, const int32_t* entries, int levels, int features,                    \
        int64_t all_entries, int64_t count, T* d_table, T* d_points) {                             \
        const nt::Grid<T> grid{table, resolution, first, entries, levels, all_entries};            \
        return nt::with_features(features, nt::Backward<T>{gradient, points, grid, features,       \
                                                           count, d_table, d_points});             \
    }

NT_TRIPLANE(float, f32)
NT_TRIPLANE(double, f64)
