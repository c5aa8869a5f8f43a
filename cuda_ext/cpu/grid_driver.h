// Encoding with one or three grids on the CPU; P says which (OneGrid<D> or TriPlanes), S in what
// the table is stored. Gradients are T's in any case.
//
// Results do not depend on the number of threads: a point's outputs, and a (plane, level) slice of
// the table's gradient, each belong to one thread.
#pragma once

#include <string.h>

#include "../include/abi.h"
#include "plane_block.h"

namespace nt {

template <class T, class P, class S = T> class GridDriver {
    static constexpr int D = P::DIMENSIONS, AXES = P::COORDINATES;
    // Of a tri-plane stored as it is computed with, neighbours of a lattice row are read as one.
    using Points = std::conditional_t<std::is_same_v<P, TriPlanes> && std::is_same_v<S, T>,
                                      PlaneBlock<T>, CornerBlock<T, D>>;
    // A block's encodings (18 KB at 3 x 12 x 2) stay in the first cache.
    static constexpr int BLOCK = Points::SIZE;
    static constexpr int SLAB = 2048;  // points whose gradients (0.6 MB) stay in the second
    static constexpr int FEW = 1024;   // points for which waking threads costs more than it brings

  public:
    const S* table;
    const int32_t *resolution, *first, *entries;
    int levels, features;
    bool tiled;
    int64_t all_entries;  // of one plane

    int encode(const T* points, int64_t count, T* encoded) const {
        if (!have_cells(resolution, levels)) return BAD_SIZE;
        with_features([&](auto f) { encode_as<decltype(f)::value>(points, count, encoded); });
        return OK;
    }

    // Either gradient may be null; what is not is overwritten.
    int backward(const T* gradient, const T* points, int64_t count, T* d_table,
                 T* d_points) const {
        if (!have_cells(resolution, levels)) return BAD_SIZE;
        with_features([&](auto f) {
            constexpr int F = decltype(f)::value;
            if (d_table) table_gradient<F>(gradient, points, count, d_table);
            if (d_points) points_gradient<F>(gradient, points, count, d_points);
        });
        return OK;
    }

  private:
    // The number of features known at compile time where it is usual; every one more is compiled
    // for longer. Doubles serve as an oracle and need no speed.
    template <class Run> void with_features(const Run& run) const {
        if constexpr (std::is_same_v<T, float>) {
            if (features == 2) return run(std::integral_constant<int, 2>());
            if constexpr (std::is_same_v<S, float>) {
                if (features == 4) return run(std::integral_constant<int, 4>());
                if (features == 1) return run(std::integral_constant<int, 1>());
                if (features == 8) return run(std::integral_constant<int, 8>());
            }
        }
        run(std::integral_constant<int, 0>());
    }

    typename P::Level level(int l) const { return P::level(resolution[l], entries[l], tiled); }
    int64_t slice(int plane, int l) const { return plane * all_entries + first[l]; }
    int64_t width() const { return (int64_t)P::PLANES * levels * features; }

    static Axes<T, D> axes(const T* points, int plane) {
        Axes<T, D> out;
        for (int d = 0; d < D; ++d) out.axis[d] = points + P::axis(plane, d);
        return out;
    }

    template <int F> void encode_as(const T* points, int64_t count, T* encoded) const {
        const int64_t row = width();
#pragma omp parallel for schedule(static) if (count > FEW)
        for (int64_t begin = 0; begin < count; begin += BLOCK) {
            const int size = (int)lesser<int64_t>(BLOCK, count - begin);
            Points block;
            for (int plane = 0; plane < P::PLANES; ++plane)
                for (int l = 0; l < levels; ++l) {
                    block.template find<AXES>(axes(points + AXES * begin, plane), level(l), size);
                    T* out = encoded + begin * row + (plane * levels + l) * features;
                    block.template read<F, 1>(table + slice(plane, l) * features, features, size,
                                              out, row);
                }
        }
    }

    template <int F>
    void table_gradient(const T* gradient, const T* points, int64_t count, T* d_table) const {
        const int64_t row = width();
#pragma omp parallel if (count > FEW)
        {
#pragma omp for schedule(static)
            for (int slab = 0; slab < P::PLANES * levels; ++slab)
                memset(d_table + slice(slab / levels, slab % levels) * features, 0,
                       (size_t)entries[slab % levels] * features * sizeof(T));
            for (int64_t slab = 0; slab < count; slab += SLAB) {
                const int64_t end = lesser<int64_t>(slab + SLAB, count);
                // A static schedule gives a slice to the same thread in every slab: no barrier
                // needed.
#pragma omp for schedule(static, 1) nowait
                for (int part = 0; part < P::PLANES * levels; ++part) {
                    const int plane = part / levels, l = part % levels;
                    T* out = d_table + slice(plane, l) * features;
                    Points block;
                    for (int64_t begin = slab; begin < end; begin += BLOCK) {
                        const int size = (int)lesser<int64_t>(BLOCK, end - begin);
                        block.template find<AXES>(axes(points + AXES * begin, plane), level(l),
                                                  size);
                        block.template add<F>(gradient + begin * row + part * features, row,
                                              features, size, out);
                    }
                }
            }
        }
    }

    template <int F>
    void points_gradient(const T* gradient, const T* points, int64_t count, T* d_points) const {
        const int64_t row = width();
#pragma omp parallel for schedule(static) if (count > FEW)
        for (int64_t begin = 0; begin < count; begin += BLOCK) {
            const int size = (int)lesser<int64_t>(BLOCK, count - begin);
            T found[AXES][BLOCK] = {};
            Points block;
            for (int plane = 0; plane < P::PLANES; ++plane)
                for (int l = 0; l < levels; ++l) {
                    const Axes<T, D> at = axes(points + AXES * begin, plane);
                    T* rows[D];
                    for (int d = 0; d < D; ++d) rows[d] = found[P::axis(plane, d)];
                    block.template find<AXES>(at, level(l), size);
                    block.template slope<F, AXES>(
                        table + slice(plane, l) * features, features,
                        gradient + begin * row + (plane * levels + l) * features, row, at,
                        level(l), size, rows);
                }
            for (int i = 0; i < size; ++i)
                for (int axis = 0; axis < AXES; ++axis)
                    d_points[AXES * (begin + i) + axis] = found[axis][i];
        }
    }
};

}  // namespace nt
