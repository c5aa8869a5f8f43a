// Tri-plane lookup for a block of samples, and what a gradient to it means for their places.
#pragma once

#include <string.h>

#include "../include/triplane.h"
#include "field_layer.h"

namespace nt::field {
namespace {

constexpr int BLOCK = 4 * STEP;  // samples

// Entry of the first corner, and place inside the cell, of a block in one level of one plane.
template <class T> struct Cells {
    alignas(64) int32_t column[BLOCK], row[BLOCK];
    alignas(64) T across[BLOCK], along[BLOCK];

    void find(const T* u, const T* v, int resolution, int count) {
#pragma omp simd
        for (int n = 0; n < count; ++n) {
            const Place<T> first = place(u[n], resolution), second = place(v[n], resolution);
            column[n] = first.cell;
            row[n] = second.cell;
            across[n] = first.inner;
            along[n] = second.inner;
        }
    }
};

// F features as one vector, wherever a table has them; F = 0 stands for one at a time.
template <class T, int F> struct Entry {
    typedef T type __attribute__((vector_size(F * sizeof(T)), aligned(sizeof(T)), may_alias));
};
template <class T> struct Entry<T, 1> { typedef T type; };
template <class T> struct Entry<T, 0> { typedef T type; };

template <class T, int F> NT_HD T total(const typename Entry<T, F>::type& entry) {
    if constexpr (F <= 1) {
        return entry;
    } else {
        T sum = entry[0];
        for (int f = 1; f < F; ++f) sum += entry[f];
        return sum;
    }
}

// The four corners of a sample: pointers to their entries.
template <class T, bool DENSELY> struct Corner {
    const T* at[4];
    NT_HD Corner(const T* table, const Level& level, int features, int column, int row) {
        if (DENSELY) {
            at[0] = table + (size_t)(row * level.resolution + column) * features;
            at[1] = at[0] + features;
            at[2] = at[0] + (size_t)level.resolution * features;
            at[3] = at[2] + features;
        } else {
            for (int k = 0; k < 4; ++k)
                at[k] = table + (size_t)entry_index(level, column + k % 2, row + k / 2) * features;
        }
    }
};

template <class T> struct Grid {
    const T* table;
    const int32_t *resolution, *first, *entries;
    int levels, features;
    int64_t all_entries;
    Level level(int l) const { return {resolution[l], entries[l]}; }
    const T* slice(int plane, int l) const {
        return table + (plane * all_entries + first[l]) * features;
    }
};

template <class T, int F, bool DENSELY>
void read_level(const T* table, const Level& level, int given, const Cells<T>& cells, int count,
                T* out, int stride) {
    using Value = typename Entry<T, F>::type;
    const int features = F ? F : given, groups = F ? 1 : given;
    for (int n = 0; n < count; ++n) {
        const Corner<T, DENSELY> corner(table, level, features, cells.column[n], cells.row[n]);
        const T u = cells.across[n], v = cells.along[n];
        for (int g = 0; g < groups; ++g) {
            const auto value = [&](int k) {
                return *reinterpret_cast<const Value*>(corner.at[k] + g);
            };
            const Value left = value(0) + v * (value(2) - value(0));
            const Value right = value(1) + v * (value(3) - value(1));
            *reinterpret_cast<Value*>(out + (size_t)n * stride + g) = left + u * (right - left);
        }
    }
}

// Adds to d_u and d_v, per unit of the coordinate inside the cell.
template <class T, int F, bool DENSELY>
void slope_level(const T* table, const Level& level, int given, const Cells<T>& cells, int count,
                 const T* gradient, const int* sample, int stride, T* d_u, T* d_v) {
    using Value = typename Entry<T, F>::type;
    const int features = F ? F : given, groups = F ? 1 : given;
    for (int n = 0; n < count; ++n) {
        const Corner<T, DENSELY> corner(table, level, features, cells.column[n], cells.row[n]);
        const T u = cells.across[n], v = cells.along[n];
        for (int g = 0; g < groups; ++g) {
            const auto value = [&](int k) {
                return *reinterpret_cast<const Value*>(corner.at[k] + g);
            };
            const Value d =
                *reinterpret_cast<const Value*>(gradient + (size_t)sample[n] * stride + g);
            const Value top = value(1) - value(0), bottom = value(3) - value(2);
            const Value left = value(2) - value(0), right = value(3) - value(1);
            d_u[n] += total<T, F>((top + v * (bottom - top)) * d);
            d_v[n] += total<T, F>((left + u * (right - left)) * d);
        }
    }
}

template <class T, int F> void read(const Grid<T>& grid, const T (*unit)[BLOCK], int count, T* out,
                                    int stride) {
    Cells<T> cells;
    for (int plane = 0; plane < 3; ++plane)
        for (int l = 0; l < grid.levels; ++l) {
            const Level level = grid.level(l);
            cells.find(unit[plane_axis(plane, 0)], unit[plane_axis(plane, 1)], level.resolution,
                       count);
            const auto run = level.indexing() == DENSE ? read_level<T, F, true>
                                                       : read_level<T, F, false>;
            run(grid.slice(plane, l), level, grid.features, cells, count,
                out + (plane * grid.levels + l) * grid.features, stride);
        }
}

// The gradient to `count` places from that of their encodings, rows sample[n] of `gradient`.
template <class T, int F>
void slope(const Grid<T>& grid, const T (*unit)[BLOCK], int count, const T* gradient,
           const int* sample, int stride, T (*d_unit)[BLOCK]) {
    Cells<T> cells;
    for (int plane = 0; plane < 3; ++plane)
        for (int l = 0; l < grid.levels; ++l) {
            const Level level = grid.level(l);
            const int u = plane_axis(plane, 0), v = plane_axis(plane, 1);
            cells.find(unit[u], unit[v], level.resolution, count);
            alignas(64) T d_u[BLOCK] = {}, d_v[BLOCK] = {};
            const auto run = level.indexing() == DENSE ? slope_level<T, F, true>
                                                       : slope_level<T, F, false>;
            run(grid.slice(plane, l), level, grid.features, cells, count,
                gradient + (plane * grid.levels + l) * grid.features, sample, stride, d_u, d_v);
            for (int n = 0; n < count; ++n) {
                d_unit[u][n] += d_u[n] * place(unit[u][n], level.resolution).slope;
                d_unit[v][n] += d_v[n] * place(unit[v][n], level.resolution).slope;
            }
        }
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
