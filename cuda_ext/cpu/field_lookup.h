// Tri-plane lookup for a block of samples, and what a gradient to it means for their places.
#pragma once

#include "plane_block.h"
#include "product.h"

namespace nt::field {
namespace {

constexpr int BLOCK = 4 * STEP;  // samples
static_assert(BLOCK <= PlaneBlock<float>::SIZE, "a block fits into one lookup");

template <class T> struct Grid {
    const T* table;
    const int32_t *resolution, *first, *entries;
    int levels, features;
    int64_t all_entries;

    // Calls run(plane, number of the slice, level, its part of the table) for every slice.
    template <class Run> NT_HD void for_slices(const Run& run) const {
        for (int plane = 0; plane < 3; ++plane)
            for (int l = 0; l < levels; ++l)
                run(plane, plane * levels + l, Level{resolution[l], entries[l]},
                    table + (plane * all_entries + first[l]) * features);
    }
};

// The encodings of the places in `unit`, in rows of `stride`.
template <class T, int F>
void read(const Grid<T>& grid, const T (*unit)[BLOCK], int count, T* out, int stride) {
    PlaneBlock<T> block;
    grid.for_slices([&](int plane, int slice, const Level& level, const T* table) {
        const Axes<T, 2> at{{unit[plane_axis(plane, 0)], unit[plane_axis(plane, 1)]}};
        block.template find<1>(at, level, count);
        block.template read<F, 1>(table, grid.features, count, out + slice * grid.features, stride);
    });
}

// Adds the gradient to the places, given that to their encodings.
template <class T, int F>
void slope(const Grid<T>& grid, const T (*unit)[BLOCK], int count, const T* gradient, int stride,
           T (*d_unit)[BLOCK]) {
    PlaneBlock<T> block;
    grid.for_slices([&](int plane, int slice, const Level& level, const T* table) {
        const int u = plane_axis(plane, 0), v = plane_axis(plane, 1);
        const Axes<T, 2> at{{unit[u], unit[v]}};
        T* const rows[2] = {d_unit[u], d_unit[v]};
        block.template find<1>(at, level, count);
        block.template slope<F, 1>(table, grid.features, gradient + slice * grid.features, stride,
                                   at, level, count, rows);
    });
}

// Calls run.operator()<F>() with the number of features known at compile time where it is usual.
template <class Run> void with_features(int features, const Run& run) {
    switch (features) {
        case 1: run.template operator()<1>(); break;
        case 2: run.template operator()<2>(); break;
        case 4: run.template operator()<4>(); break;
        default: run.template operator()<0>();
    }
}

}  // namespace
}  // namespace nt::field
