// The levels of a grid as a kernel argument, and the vector load of one entry.
#pragma once

#include "../include/half.h"
#include "../include/triplane.h"
#include "device.h"

namespace ntc {

constexpr int MAX_LEVELS = 32;

// Passed by value: it sits in constant memory and needs no allocation that outlives the launch.
struct Levels {
    int64_t table_entries;        // of all levels of one plane
    int planes;                   // 3 of a tri-plane, 1 of a grid
    int features;                 // of an entry
    int count;                    // levels listed here
    int encoded;                  // levels of the encoding, listed here or not
    bool tiled;                   // a lattice that does not fit is wrapped instead of hashed
    int index[MAX_LEVELS];        // place of a listed level in the encoding
    int resolution[MAX_LEVELS];
    int entries[MAX_LEVELS];
    int64_t first[MAX_LEVELS];

    NT_HD nt::Level level(int k) const { return {resolution[k], entries[k]}; }
    template <class P> NT_HD typename P::Level level_of(int k) const {
        return P::level(resolution[k], entries[k], tiled);
    }
    // First entry of listed level k of a plane, counted from the table's start.
    NT_HD int64_t slice(int plane, int k) const { return plane * table_entries + first[k]; }
    // Column of its first feature in an encoded point.
    NT_HD int64_t column(int plane, int k, int each) const {
        return ((int64_t)plane * encoded + index[k]) * each;
    }
    NT_HD int64_t width(int each) const { return (int64_t)planes * encoded * each; }
};

// Level arrays in host memory.
struct LevelArrays {
    const int32_t *resolution, *first, *entries;
    int count;
    int64_t table_entries;
};

// False where the levels do not fit into `table_entries` entries a plane.
inline bool read_levels(const LevelArrays& given, int planes, int features, bool tiled,
                        Levels* out) {
    if (given.count < 1 || given.count > MAX_LEVELS || features < 1) return false;
    out->count = out->encoded = given.count;
    out->table_entries = given.table_entries;
    out->planes = planes;
    out->features = features;
    out->tiled = tiled;
    for (int k = 0; k < given.count; ++k) {
        const int resolution = given.resolution[k], entries = given.entries[k];
        const int64_t first = given.first[k];
        if (resolution < 2 || entries < 1 || first < 0) return false;
        if (first + entries > given.table_entries) return false;
        out->index[k] = k;
        out->resolution[k] = resolution;
        out->entries[k] = entries;
        out->first[k] = first;
    }
    return true;
}

// The largest power of two that divides the size of an entry, 16 bytes at most.
constexpr int alignment_of(int bytes) {
    return bytes % 16 == 0 ? 16 : bytes % 8 == 0 ? 8 : bytes % 4 == 0 ? 4 : 2;
}

// The F features of one entry, aligned so that they arrive in one load (two for eight floats). The
// table itself must be aligned to 16 bytes, as every allocation is. Any other number of features is
// read one at a time, as F = 1.
template <int F, class S = float> struct alignas(alignment_of(F * sizeof(S))) Entry {
    S value[F];
};

// Weighted sum of the corners' entries; entry k lies at table[k * stride].
template <int F, class S, int D>
NT_HD Entry<F> blended(const Entry<F, S>* table, const nt::CornersOf<float, D>& at,
                       int stride = 1) {
    Entry<F> out{};
    for (int k = 0; k < 1 << D; ++k) {
        const Entry<F, S> corner = table[(size_t)at.entry[k] * stride];
        for (int f = 0; f < F; ++f) out.value[f] += nt::number(corner.value[f]) * at.weight[k];
    }
    return out;
}

// Where a point (COORDINATES) falls in a level of a plane.
template <class P>
NT_HD nt::Places<float, P::DIMENSIONS> places_of(const typename P::Level& level, int plane,
                                                 const float* point) {
    nt::Places<float, P::DIMENSIONS> out;
    for (int d = 0; d < P::DIMENSIONS; ++d)
        out.axis[d] = nt::place(point[P::axis(plane, d)], level.resolution);
    return out;
}

// The corners that a (3,) point has in listed level k of a tri-plane's plane.
NT_HD nt::Corners<float> corners_of(const Levels& levels, int plane, int k, const float* point) {
    const nt::Level level = levels.level(k);
    return nt::corners_at(level, places_of<nt::TriPlanes>(level, plane, point));
}

}  // namespace ntc
