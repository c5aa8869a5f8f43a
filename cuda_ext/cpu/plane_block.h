// A block of points in one dense or hashed level of one plane, as corner_block.h; faster where two
// features lie side by side, since neighbours of a lattice row are then read as one.
//
// Local to each source file that includes it: they may be compiled for different processors.
#pragma once

#include "../include/triplane.h"
#include "corner_block.h"

namespace nt {
namespace {

template <class T> struct PlaneBlock {
    static constexpr int SIZE = 96, AHEAD = 24;
    alignas(64) uint32_t entry[4][SIZE];
    alignas(64) T across[SIZE], along[SIZE];  // place inside the cell, in [0, 1]
    bool dense;  // entries of one lattice row are neighbours: two of them are read as one

    // A point's coordinates in the plane are STRIDE apart from its neighbour's.
    template <int STRIDE> void find(Axes<T, 2> points, const Level& level, int count) {
        dense = indexing_of(level) == DENSE;
        switch (indexing_of(level)) {
            case DENSE: return find_as<STRIDE, DENSE>(points, level, count);
            case MASKED: return find_as<STRIDE, MASKED>(points, level, count);
            default: return find_as<STRIDE, DIVIDED>(points, level, count);
        }
    }

    // Writes feature f of point i to out[i * point + f * FEATURE].
    template <int F, int FEATURE>
    void read(const T* table, int features, int count, T* out, int64_t point) const {
        using Entry = typename EntryOf<T, F>::type;
        if constexpr (F == 2)
            if (dense) return read_pairs<FEATURE>(table, count, out, point);
        const int groups = F ? 1 : features;
        for (int i = 0; i < count; ++i)
            for (int g = 0; g < groups; ++g) {
                const auto value = [&](int k) {
                    return entry_at<Entry>(table, features, entry[k][i], g);
                };
                const Entry left = value(0) + along[i] * (value(2) - value(0));
                const Entry right = value(1) + along[i] * (value(3) - value(1));
                store<F, FEATURE>(left + across[i] * (right - left), out + i * point + g * FEATURE);
            }
    }

    // Adds the gradients of `count` points, `point` apart, to the table's.
    template <int F>
    void add(const T* gradient, int64_t point, int features, int count, T* table) const {
        using Entry = typename EntryOf<T, F>::type;
        if constexpr (F == 2)
            if (dense) return add_pairs(gradient, point, count, table);
        const int groups = F ? 1 : features;
        for (int i = 0; i < count; ++i)
            for (int g = 0; g < groups; ++g) {
                const Entry given = *reinterpret_cast<const Entry*>(gradient + i * point + g);
                const Entry right = across[i] * given, left = given - right;
                const Entry below = along[i] * left, both = along[i] * right;
                entry_at<Entry>(table, features, entry[0][i], g) += left - below;
                entry_at<Entry>(table, features, entry[1][i], g) += right - both;
                entry_at<Entry>(table, features, entry[2][i], g) += below;
                entry_at<Entry>(table, features, entry[3][i], g) += both;
            }
    }

    // Adds what the gradients of the features mean for the coordinates that find() was given;
    // `found` holds one row an axis.
    template <int F, int STRIDE>
    void slope(const T* table, int features, const T* gradient, int64_t point, Axes<T, 2> points,
               const Level& level, int count, T* const (&found)[2]) const {
        alignas(64) T share[4][SIZE];
        if (F == 2 && dense)
            share_pairs(table, gradient, point, count, share);
        else
            share_entries<F>(table, features, gradient, point, count, share);
#pragma omp simd
        for (int i = 0; i < count; ++i) {
            const T own[4] = {share[0][i], share[1][i], share[2][i], share[3][i]};
            const auto slopes = slopes_at(own, places<STRIDE>(points, i, level.resolution));
            for (int d = 0; d < 2; ++d) found[d][i] += slopes.axis[d];
        }
    }

  private:
    // Two neighbours of two features each.
    typedef T Pair __attribute__((vector_size(4 * sizeof(T)), aligned(sizeof(T)), may_alias));
    typedef T Two __attribute__((vector_size(2 * sizeof(T)), aligned(sizeof(T)), may_alias));

    // Fetches what a later point of `count` needs: a lookup mostly waits for memory.
    NT_HD void ahead(const T* table, int i, int count) const {
        const int later = lesser(i + AHEAD, count - 1);
        __builtin_prefetch(table + 2 * (size_t)entry[0][later]);
        __builtin_prefetch(table + 2 * (size_t)entry[2][later]);
    }
    static NT_HD Pair pair(const T* table, uint32_t index) {
        return *reinterpret_cast<const Pair*>(table + 2 * (size_t)index);
    }
    static NT_HD Pair twice(const T* at) { return Pair{at[0], at[1], at[0], at[1]}; }

    template <int FEATURE>
    void read_pairs(const T* table, int count, T* out, int64_t point) const {
        for (int i = 0; i < count; ++i) {
            ahead(table, i, count);
            const Pair top = pair(table, entry[0][i]), bottom = pair(table, entry[2][i]);
            const Pair here = top + along[i] * (bottom - top);
            const Two left = {here[0], here[1]}, right = {here[2], here[3]};
            store<2, FEATURE>(left + across[i] * (right - left), out + i * point);
        }
    }

    // Neighbours along a ray often share a cell: its sums stay in registers meanwhile.
    void add_pairs(const T* gradient, int64_t point, int count, T* table) const {
        const Pair start = {T(1), T(1), T(0), T(0)}, turn = {T(-1), T(-1), T(1), T(1)};
        Pair *top = nullptr, *bottom = nullptr, above{}, below{};
        for (int i = 0; i < count; ++i) {
            ahead(table, i, count);
            __builtin_prefetch(gradient + lesser(i + AHEAD, count - 1) * point);
            Pair* here = reinterpret_cast<Pair*>(table + 2 * (size_t)entry[0][i]);
            if (here != top) {
                if (top) *top = above, *bottom = below;
                top = here;
                bottom = reinterpret_cast<Pair*>(table + 2 * (size_t)entry[2][i]);
                above = *top;
                below = *bottom;
            }
            const Pair given = twice(gradient + i * point) * (start + across[i] * turn);
            const Pair lower = along[i] * given;
            above += given - lower;
            below += lower;
        }
        if (top) *top = above, *bottom = below;
    }

    void share_pairs(const T* table, const T* gradient, int64_t point, int count,
                     T (*share)[SIZE]) const {
        for (int i = 0; i < count; ++i) {
            ahead(table, i, count);
            const Pair given = twice(gradient + i * point);
            const Pair top = pair(table, entry[0][i]) * given;
            const Pair bottom = pair(table, entry[2][i]) * given;
            share[0][i] = top[0] + top[1];
            share[1][i] = top[2] + top[3];
            share[2][i] = bottom[0] + bottom[1];
            share[3][i] = bottom[2] + bottom[3];
        }
    }

    template <int F>
    void share_entries(const T* table, int features, const T* gradient, int64_t point, int count,
                       T (*share)[SIZE]) const {
        using Entry = typename EntryOf<T, F>::type;
        const int groups = F ? 1 : features;
        for (int i = 0; i < count; ++i)
            for (int k = 0; k < 4; ++k) {
                T sum = T(0);
                for (int g = 0; g < groups; ++g)
                    sum += total<F>(entry_at<Entry>(table, features, entry[k][i], g) *
                                    *reinterpret_cast<const Entry*>(gradient + i * point + g));
                share[k][i] = sum;
            }
    }

    template <int STRIDE> static NT_HD Places<T, 2> places(Axes<T, 2> at, int i, int resolution) {
        return {{place(at.axis[0][STRIDE * i], resolution),
                 place(at.axis[1][STRIDE * i], resolution)}};
    }

    template <int STRIDE, Indexing KIND>
    void find_as(Axes<T, 2> points, const Level& level, int count) {
#pragma omp simd
        for (int i = 0; i < count; ++i) {
            const Places<T, 2> found = places<STRIDE>(points, i, level.resolution);
            for (int k = 0; k < 4; ++k) {
                const Corner<2> corner{{found.axis[0].cell + k % 2, found.axis[1].cell + k / 2}};
                entry[k][i] = entry_index<KIND>(level, corner);
            }
            across[i] = found.axis[0].inner;
            along[i] = found.axis[1].inner;
        }
    }
};

}  // namespace
}  // namespace nt
