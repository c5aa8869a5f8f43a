// The levels of a tri-plane grid as a kernel argument, and the vector load of one entry.
#pragma once

#include "../include/triplane.h"
#include "device.h"

namespace ntc {

constexpr int MAX_LEVELS = 32;

// Passed by value: it sits in constant memory and needs no allocation that outlives the launch.
struct Levels {
    int64_t table_entries;        // of all levels of one plane
    int count;                    // levels listed here
    int encoded;                  // levels of the encoding, listed here or not
    int index[MAX_LEVELS];        // place of a listed level in the encoding
    int resolution[MAX_LEVELS];
    int entries[MAX_LEVELS];
    int64_t first[MAX_LEVELS];

    NT_HD nt::Level level(int k) const { return {resolution[k], entries[k]}; }
    // First entry of listed level k of a plane, counted from the table's start.
    NT_HD int64_t slice(int plane, int k) const { return plane * table_entries + first[k]; }
    // Column of its first feature in an encoded point.
    NT_HD int64_t column(int plane, int k, int features) const {
        return ((int64_t)plane * encoded + index[k]) * features;
    }
    NT_HD int64_t width(int features) const { return (int64_t)3 * encoded * features; }
};

// All levels from host arrays; false where they do not fit into `table_entries` entries a plane.
inline bool read_levels(const int32_t* resolution, const int32_t* first_entry,
                        const int32_t* entries, int count, int64_t table_entries, Levels* out) {
    if (count < 1 || count > MAX_LEVELS) return false;
    out->count = out->encoded = count;
    out->table_entries = table_entries;
    for (int k = 0; k < count; ++k) {
        const bool sized = resolution[k] >= 2 && entries[k] >= 1 && first_entry[k] >= 0;
        if (!sized || (int64_t)first_entry[k] + entries[k] > table_entries) return false;
        out->index[k] = k;
        out->resolution[k] = resolution[k];
        out->entries[k] = entries[k];
        out->first[k] = first_entry[k];
    }
    return true;
}

// The F features of one entry, aligned so that they arrive in one load (two for F = 8, three for
// F = 3). The table itself must be aligned to 16 bytes, as every allocation is.
template <int F> struct alignas(F % 4 == 0 ? 16 : F % 2 == 0 ? 8 : 4) Entry {
    float value[F];
};

// Weighted sum of the four corners' entries; `table` is the level's slice.
template <int F>
NT_HD Entry<F> blended(const Entry<F>* table, const nt::Corners<float>& at) {
    const Entry<F> a = table[at.entry[0]], b = table[at.entry[1]];
    const Entry<F> c = table[at.entry[2]], d = table[at.entry[3]];
    Entry<F> out;
    for (int f = 0; f < F; ++f)
        out.value[f] = a.value[f] * at.weight[0] + b.value[f] * at.weight[1] +
                       c.value[f] * at.weight[2] + d.value[f] * at.weight[3];
    return out;
}

// The corners that a (3,) point has in listed level k of a plane.
NT_HD nt::Corners<float> corners_of(const Levels& levels, int plane, int k, const float* point) {
    const nt::Level level = levels.level(k);
    return nt::corners(level, nt::place(point[nt::plane_axis(plane, 0)], level.resolution),
                       nt::place(point[nt::plane_axis(plane, 1)], level.resolution));
}

}  // namespace ntc
