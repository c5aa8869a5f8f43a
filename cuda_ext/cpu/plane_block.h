// A block of points in one dense or hashed level of one plane, as corner_block.h; faster where two
// features lie side by side, since neighbours of a lattice row are then read as one.
//
// Local to each source file that includes it: they may be compiled for different processors.
#pragma once

#include <type_traits>

#include "../include/triplane.h"
#include "corner_block.h"

namespace nt {
namespace {

template <class T> struct PlaneBlock {
    static constexpr int SIZE = 96, AHEAD = 24;
    alignas(64) uint32_t entry[4][SIZE];
    alignas(64) T across[SIZE], along[SIZE];  // place inside the cell, in [0, 1]
    bool dense;  // entries of one lattice row are neighbours: two of them are read as one

    // `u` and `v` are the points' coordinates in the plane, STRIDE apart.
    template <int STRIDE> void find(const T* u, const T* v, const Level& level, int count) {
        dense = indexing_of(level) == DENSE;
        switch (indexing_of(level)) {
            case DENSE: return find_as<STRIDE, DENSE>(u, v, level, count);
            case MASKED: return find_as<STRIDE, MASKED>(u, v, level, count);
            default: return find_as<STRIDE, DIVIDED>(u, v, level, count);
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
                    return *at<Entry>(table, features, entry[k][i], g);
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
                *at<Entry>(table, features, entry[0][i], g) += left - below;
                *at<Entry>(table, features, entry[1][i], g) += right - both;
                *at<Entry>(table, features, entry[2][i], g) += below;
                *at<Entry>(table, features, entry[3][i], g) += both;
            }
    }

    // Adds what the gradients of the features mean for the coordinates that find() was given.
    template <int F, int STRIDE>
    void slope(const T* table, int features, const T* gradient, int64_t point, const T* u,
               const T* v, const Level& level, int count, T* d_u, T* d_v) const {
        alignas(64) T share[4][SIZE];
        if (F == 2 && dense)
            share_pairs(table, gradient, point, count, share);
        else
            share_entries<F>(table, features, gradient, point, count, share);
#pragma omp simd
        for (int i = 0; i < count; ++i) {
            const T own[4] = {share[0][i], share[1][i], share[2][i], share[3][i]};
            const Place<T> first = place(u[STRIDE * i], level.resolution);
            const Place<T> second = place(v[STRIDE * i], level.resolution);
            const auto found = slopes_at(own, Places<T, 2>{{first, second}});
            d_u[i] += found.axis[0];
            d_v[i] += found.axis[1];
        }
    }

  private:
    // Two neighbours of two features each.
    typedef T Pair __attribute__((vector_size(4 * sizeof(T)), aligned(sizeof(T)), may_alias));
    typedef T Two __attribute__((vector_size(2 * sizeof(T)), aligned(sizeof(T)), may_alias));

    // Fetches what a later point needs: a lookup mostly waits for memory.
    NT_HD void ahead(const T* table, int i) const {
        const int later = i + AHEAD < SIZE ? i + AHEAD : i;
        __builtin_prefetch(table + 2 * (size_t)entry[0][later]);
        __builtin_prefetch(table + 2 * (size_t)entry[2][later]);
    }
    static NT_HD Pair pair(const T* table, uint32_t index) {
        return *reinterpret_cast<const Pair*>(table + 2 * (size_t)index);
    }
    static NT_HD Pair twice(const T* at) {
        const Two two = *reinterpret_cast<const Two*>(at);
        return __builtin_shufflevector(two, two, 0, 1, 0, 1);
    }

    template <int FEATURE>
    void read_pairs(const T* table, int count, T* out, int64_t point) const {
        for (int i = 0; i < count; ++i) {
            ahead(table, i);
            const Pair top = pair(table, entry[0][i]), bottom = pair(table, entry[2][i]);
            const Pair here = top + along[i] * (bottom - top);
            const Two left = __builtin_shufflevector(here, here, 0, 1);
            const Two right = __builtin_shufflevector(here, here, 2, 3);
            store<2, FEATURE>(left + across[i] * (right - left), out + i * point);
        }
    }

    // Neighbours along a ray often share a cell: its sums stay in registers meanwhile.
    void add_pairs(const T* gradient, int64_t point, int count, T* table) const {
        const Pair start = {T(1), T(1), T(0), T(0)}, turn = {T(-1), T(-1), T(1), T(1)};
        Pair *top = nullptr, *bottom = nullptr, above{}, below{};
        for (int i = 0; i < count; ++i) {
            ahead(table, i);
            __builtin_prefetch(gradient + (i + AHEAD) * point);
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
            ahead(table, i);
            const Pair given = twice(gradient + i * point);
            const Pair top = pair(table, entry[0][i]) * given;
            const Pair bottom = pair(table, entry[2][i]) * given;
            const Pair sums = __builtin_shufflevector(top, bottom, 0, 2, 4, 6) +
                              __builtin_shufflevector(top, bottom, 1, 3, 5, 7);
            for (int k = 0; k < 4; ++k) share[k][i] = sums[k];
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
                    sum += total<F>(*at<Entry>(table, features, entry[k][i], g) *
                                    *reinterpret_cast<const Entry*>(gradient + i * point + g));
                share[k][i] = sum;
            }
    }

    template <int F, class Entry> static T total(const Entry& entry) {
        if constexpr (F <= 1) {
            return entry;
        } else {
            T sum = entry[0];
            for (int f = 1; f < F; ++f) sum += entry[f];
            return sum;
        }
    }

    template <int STRIDE, Indexing KIND>
    void find_as(const T* u, const T* v, const Level& level, int count) {
#pragma omp simd
        for (int i = 0; i < count; ++i) {
            const Place<T> first = place(u[STRIDE * i], level.resolution);
            const Place<T> second = place(v[STRIDE * i], level.resolution);
            for (int k = 0; k < 4; ++k) {
                const Corner<2> corner{{first.cell + k % 2, second.cell + k / 2}};
                entry[k][i] = entry_index<KIND>(level, corner);
            }
            across[i] = first.inner;
            along[i] = second.inner;
        }
    }

    template <class Entry, class Table>
    static auto at(Table* table, int features, uint32_t index, int group) {
        using Pointer = std::conditional_t<std::is_const_v<Table>, const Entry*, Entry*>;
        return reinterpret_cast<Pointer>(table + (size_t)index * features + group);
    }

    template <int F, int FEATURE, class Entry> static void store(const Entry& sum, T* out) {
        if constexpr (F <= 1 || FEATURE == 1) {
            *reinterpret_cast<Entry*>(out) = sum;
        } else {
            for (int f = 0; f < F; ++f) out[f * FEATURE] = sum[f];
        }
    }
};

}  // namespace
}  // namespace nt
