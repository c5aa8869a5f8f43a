// Multi-resolution tri-plane encoding: one point in one level of one plane.
//
// A level is a lattice of resolution x resolution corners over [0, 1]^2, stored row-major in the
// second coordinate when it fits (entries == resolution^2), else hashed into `entries`.
#pragma once

#include "host_device.h"

namespace nt {

// The (first, second) coordinates of the xy, yz and xz planes.
NT_HD int plane_axis(int plane, int which) {
    return which == 0 ? (plane == 1 ? 1 : 0) : (plane == 0 ? 1 : 2);
}

// How a lattice corner finds its entry: row-major, or hashed into a power of two, or into any.
enum Indexing { DENSE, MASKED, DIVIDED };

struct Level {
    int resolution;
    int entries;
    NT_HD Indexing indexing() const {
        if ((int64_t)resolution * resolution == entries) return DENSE;
        return (entries & (entries - 1)) == 0 ? MASKED : DIVIDED;
    }
};

// Teschner et al. 2003 as in instant-ngp: one coordinate unhashed for cache coherence.
template <Indexing KIND> NT_HD uint32_t entry_index(const Level& level, int column, int row) {
    const uint32_t x = (uint32_t)column, y = (uint32_t)row;
    if (KIND == DENSE) return y * (uint32_t)level.resolution + x;
    if (KIND == MASKED) return (x ^ (y * 2654435761u)) & ((uint32_t)level.entries - 1);
    return (uint32_t)((x ^ (y * 2654435761ull)) % (uint32_t)level.entries);
}

NT_HD uint32_t entry_index(const Level& level, int column, int row) {
    const Indexing kind = level.indexing();
    if (kind == DENSE) return entry_index<DENSE>(level, column, row);
    if (kind == MASKED) return entry_index<MASKED>(level, column, row);
    return entry_index<DIVIDED>(level, column, row);
}

// Where a coordinate falls: lattice cell, position inside it, and d position / d coordinate.
// Outside [0, 1] and on its border the coordinate is held, so it has no gradient.
template <class T> struct Place {
    int cell;
    T inner;
    T slope;
};

template <class T> NT_HD Place<T> place(T coordinate, int resolution) {
    const T edge = T(resolution - 1);
    const T held = clamp(coordinate, T(0), T(1));
    const int floored = (int)(held * edge);
    const int cell = floored < resolution - 2 ? floored : resolution - 2;
    // One rounding: at a resolution of 400 the rounded product would already be off by 1e-5.
    const T inner = multiply_add(held, edge, -T(cell));
    return {cell, inner, coordinate > T(0) && coordinate < T(1) ? edge : T(0)};
}

// The four corners of a point in one level: entries and bilinear weights. Arguments come by value,
// or a loop over points keeps each of them in memory instead of in a vector.
template <class T> struct Corners {
    uint32_t entry[4];
    T weight[4];
};

template <Indexing KIND, class T>
NT_HD Corners<T> corners(const Level& level, Place<T> across, Place<T> along) {
    const T left = T(1) - across.inner, top = T(1) - along.inner;
    return {{entry_index<KIND>(level, across.cell, along.cell),
             entry_index<KIND>(level, across.cell + 1, along.cell),
             entry_index<KIND>(level, across.cell, along.cell + 1),
             entry_index<KIND>(level, across.cell + 1, along.cell + 1)},
            {left * top, across.inner * top, left * along.inner, across.inner * along.inner}};
}

template <class T>
NT_HD Corners<T> corners(const Level& level, Place<T> across, Place<T> along) {
    const Indexing kind = level.indexing();
    if (kind == DENSE) return corners<DENSE>(level, across, along);
    if (kind == MASKED) return corners<MASKED>(level, across, along);
    return corners<DIVIDED>(level, across, along);
}

// One of the `features` values of one level; `table` is the level's (entries, features) slice.
template <class T>
NT_HD T plane_value(const T* table, int features, const Corners<T>& at, int feature) {
    return table[(size_t)at.entry[0] * features + feature] * at.weight[0] +
           table[(size_t)at.entry[1] * features + feature] * at.weight[1] +
           table[(size_t)at.entry[2] * features + feature] * at.weight[2] +
           table[(size_t)at.entry[3] * features + feature] * at.weight[3];
}

// What the four corners' share in a gradient means for the two coordinates of a point; a share is
// the product of the entry with the gradient of its features.
template <class T> struct Slopes {
    T across, along;
};

template <class T>
NT_HD Slopes<T> position_gradient(T first, T right, T below, T both, Place<T> across,
                                  Place<T> along) {
    const T top = (right - first) * (T(1) - along.inner);
    const T left = (below - first) * (T(1) - across.inner);
    return {across.slope * (top + (both - below) * along.inner),
            along.slope * (left + (both - right) * across.inner)};
}

// The same from the level's table; added to the two gradients.
template <class T>
NT_HD void plane_position_gradient(const T* table, int features, const Level& level,
                                   Place<T> across, Place<T> along, const T* gradient,
                                   T* d_across, T* d_along) {
    const Corners<T> at = corners(level, across, along);
    T share[4];
    for (int k = 0; k < 4; ++k) {
        share[k] = T(0);
        for (int f = 0; f < features; ++f)
            share[k] += gradient[f] * table[(size_t)at.entry[k] * features + f];
    }
    const Slopes<T> found =
        position_gradient(share[0], share[1], share[2], share[3], across, along);
    *d_across += found.across;
    *d_along += found.along;
}

}  // namespace nt
