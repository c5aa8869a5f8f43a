// Multi-resolution grid encoding (instant-ngp 2022): one point in one level of D dimensions.
//
// A level is a lattice of resolution^D corners over [0, 1]^D, stored whole with the first
// coordinate fastest where it fits (entries == resolution^D), else hashed or wrapped into
// `entries`.
#pragma once

#include "host_device.h"

namespace nt {

// How a lattice corner finds its entry. MASKED and DIVIDED hash into a power of two and into any
// number; TILED_ ones wrap the index of the whole lattice instead.
enum Indexing { DENSE, MASKED, DIVIDED, TILED_MASKED, TILED_DIVIDED };

// Of a level that knows its DIMENSIONS, resolution, entries, and whether it is tiled.
template <class L> NT_HD Indexing indexing_of(const L& level) {
    int64_t whole = 1;
    for (int d = 0; d < L::DIMENSIONS; ++d) whole *= level.resolution;
    if (whole == level.entries) return DENSE;
    const bool power = (level.entries & (level.entries - 1)) == 0;
    if (level.tiled) return power ? TILED_MASKED : TILED_DIVIDED;
    return power ? MASKED : DIVIDED;
}

template <int D> struct GridLevel {
    static constexpr int DIMENSIONS = D;
    int resolution;
    int entries;
    bool tiled;
};

// A grid of D dimensions as an encoding: one lattice a level, reading the D coordinates in order.
template <int D> struct OneGrid {
    static constexpr int PLANES = 1, COORDINATES = D, DIMENSIONS = D;
    using Level = GridLevel<D>;
    static NT_HD int axis(int, int which) { return which; }
    static NT_HD Level level(int resolution, int entries, bool tiled) {
        return {resolution, entries, tiled};
    }
};

template <int D> struct Corner {
    int at[D];
};

// Teschner et al. 2003 as in instant-ngp: one coordinate unhashed for cache coherence.
NT_HD constexpr uint64_t hash_prime(int d) {
    return d == 0 ? 1ull : (d == 1 ? 2654435761ull : 805459861ull);
}

template <class Word, int D> NT_HD Word hashed(const Corner<D>& corner) {
    Word sum = (Word)corner.at[0];
    for (int d = 1; d < D; ++d) sum ^= (Word)corner.at[d] * (Word)hash_prime(d);
    return sum;
}

template <class Word, int D> NT_HD Word row_major(const Corner<D>& corner, int resolution) {
    Word sum = (Word)corner.at[D - 1];
    for (int d = D - 2; d >= 0; --d) sum = sum * (Word)resolution + (Word)corner.at[d];
    return sum;
}

// The low bits survive 32-bit arithmetic, so only a true division needs 64.
template <Indexing KIND, class L>
NT_HD uint32_t entry_index(const L& level, const Corner<L::DIMENSIONS>& corner) {
    const uint32_t entries = (uint32_t)level.entries;
    switch (KIND) {
        case DENSE: return row_major<uint32_t>(corner, level.resolution);
        case MASKED: return hashed<uint32_t>(corner) & (entries - 1);
        case DIVIDED: return (uint32_t)(hashed<uint64_t>(corner) % entries);
        case TILED_MASKED: return row_major<uint32_t>(corner, level.resolution) & (entries - 1);
        default: return (uint32_t)(row_major<uint64_t>(corner, level.resolution) % entries);
    }
}

// Whether every level has a cell between its corners; in one without, place() finds no corner.
inline bool have_cells(const int32_t* resolution, int levels) {
    for (int l = 0; l < levels; ++l)
        if (resolution[l] < 2) return false;
    return true;
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

template <class T, int D> struct Places {
    Place<T> axis[D];
};

// The 2^D corners of a point in one level: entries and multilinear weights. Bit d of a corner's
// number says whether it lies beyond the cell's first corner in coordinate d.
template <class T, int D> struct CornersOf {
    uint32_t entry[1 << D];
    T weight[1 << D];
};

// Arguments come by value, or a loop over points keeps each of them in memory instead of in a
// vector.
template <Indexing KIND, class L, class T, int D>
NT_HD CornersOf<T, D> corners_at(const L& level, Places<T, D> places) {
    CornersOf<T, D> out{};
    for (int k = 0; k < 1 << D; ++k) {
        Corner<D> corner{};
        T weight = T(1);
        for (int d = 0; d < D; ++d) {
            const int beyond = k >> d & 1;
            corner.at[d] = places.axis[d].cell + beyond;
            weight *= beyond ? places.axis[d].inner : T(1) - places.axis[d].inner;
        }
        out.entry[k] = entry_index<KIND>(level, corner);
        out.weight[k] = weight;
    }
    return out;
}

template <class L, class T, int D>
NT_HD CornersOf<T, D> corners_at(const L& level, Places<T, D> places) {
    switch (indexing_of(level)) {
        case DENSE: return corners_at<DENSE>(level, places);
        case MASKED: return corners_at<MASKED>(level, places);
        case DIVIDED: return corners_at<DIVIDED>(level, places);
        case TILED_MASKED: return corners_at<TILED_MASKED>(level, places);
        default: return corners_at<TILED_DIVIDED>(level, places);
    }
}

template <class T, int D> struct SlopesOf {
    T axis[D];
};

// What the corners' shares in a gradient mean for the coordinates of a point; a share is the
// product of the corner's entry with the gradient of its features.
template <class T, int D>
NT_HD SlopesOf<T, D> slopes_at(const T (&share)[1 << D], Places<T, D> places) {
    SlopesOf<T, D> out{};
    for (int d = 0; d < D; ++d) {
        T sum = T(0);
        for (int k = 0; k < 1 << D; ++k) {
            if (k >> d & 1) continue;
            T weight = T(1);
            for (int e = 0; e < D; ++e)
                if (e != d)
                    weight *= k >> e & 1 ? places.axis[e].inner : T(1) - places.axis[e].inner;
            sum += (share[k | 1 << d] - share[k]) * weight;
        }
        out.axis[d] = places.axis[d].slope * sum;
    }
    return out;
}

}  // namespace nt
