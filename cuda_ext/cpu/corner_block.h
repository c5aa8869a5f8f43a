// Sixty-four points in one level of one plane: which entries they touch, and the sums over them.
#pragma once

#include <type_traits>

#include "../include/triplane.h"

namespace nt {

// The F features of an entry as one vector; a table may start at any multiple of T.
template <class T, int F> struct EntryOf {
    typedef T type __attribute__((vector_size(F * sizeof(T)), aligned(sizeof(T)), may_alias));
};
template <class T> struct EntryOf<T, 1> { typedef T type; };
template <class T> struct EntryOf<T, 0> { typedef T type; };  // any number: one at a time

template <class T> struct CornerBlock {
    static constexpr int SIZE = 64;
    alignas(64) uint32_t entry[4][SIZE];
    alignas(64) T weight[4][SIZE];

    // `u` and `v` are the points' coordinates in the plane, STRIDE apart.
    template <int STRIDE> void find(const T* u, const T* v, const Level& level, int count) {
        switch (level.indexing()) {
            case DENSE: return find_as<STRIDE, DENSE>(u, v, level, count);
            case MASKED: return find_as<STRIDE, MASKED>(u, v, level, count);
            default: return find_as<STRIDE, DIVIDED>(u, v, level, count);
        }
    }

    // Writes feature f of point i to out[i * point + f * FEATURE].
    template <int F, int FEATURE>
    void read(const T* table, int features, int count, T* out, int64_t point) const {
        using Entry = typename EntryOf<T, F>::type;
        const int groups = F ? 1 : features;
        for (int i = 0; i < count; ++i)
            for (int g = 0; g < groups; ++g) {
                Entry sum{};
                for (int k = 0; k < 4; ++k)
                    sum += weight[k][i] * *at<Entry>(table, features, entry[k][i], g);
                store<F, FEATURE>(sum, out + i * point + g * FEATURE);
            }
    }

    // Adds the gradients of `count` points, `point` apart, to the table's.
    template <int F>
    void add(const T* gradient, int64_t point, int features, int count, T* table) const {
        using Entry = typename EntryOf<T, F>::type;
        const int groups = F ? 1 : features;
        for (int i = 0; i < count; ++i)
            for (int g = 0; g < groups; ++g) {
                const Entry given = *reinterpret_cast<const Entry*>(gradient + i * point + g);
                for (int k = 0; k < 4; ++k)
                    *at<Entry>(table, features, entry[k][i], g) += weight[k][i] * given;
            }
    }

    // Adds what the gradients of the features mean for the coordinates that find() was given.
    template <int F, int STRIDE>
    void slope(const T* table, int features, const T* gradient, int64_t point, const T* u,
               const T* v, const Level& level, int count, T* d_u, T* d_v) const {
        using Entry = typename EntryOf<T, F>::type;
        const int groups = F ? 1 : features;
        alignas(64) T share[4][SIZE];
        for (int i = 0; i < count; ++i)
            for (int k = 0; k < 4; ++k) {
                T sum = T(0);
                for (int g = 0; g < groups; ++g)
                    sum += total<F>(*at<Entry>(table, features, entry[k][i], g) *
                                    *reinterpret_cast<const Entry*>(gradient + i * point + g));
                share[k][i] = sum;
            }
#pragma omp simd
        for (int i = 0; i < count; ++i) {
            const Slopes<T> found = position_gradient(
                share[0][i], share[1][i], share[2][i], share[3][i],
                place(u[STRIDE * i], level.resolution), place(v[STRIDE * i], level.resolution));
            d_u[i] += found.across;
            d_v[i] += found.along;
        }
    }

  private:
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
            const Corners<T> found = corners<KIND>(level, place(u[STRIDE * i], level.resolution),
                                                   place(v[STRIDE * i], level.resolution));
            for (int k = 0; k < 4; ++k) {
                entry[k][i] = found.entry[k];
                weight[k][i] = found.weight[k];
            }
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

}  // namespace nt
