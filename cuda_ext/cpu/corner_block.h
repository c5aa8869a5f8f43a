// Sixty-four points in one level of a lattice: which entries they touch, and the sums over them.
#pragma once

#include <type_traits>

#include "../include/half.h"
#include "../include/triplane.h"

namespace nt {

// The F features of an entry as one vector; a table may start at any multiple of T.
template <class T, int F> struct EntryOf {
    typedef T type __attribute__((vector_size(F * sizeof(T)), aligned(sizeof(T)), may_alias));
};
template <class T> struct EntryOf<T, 1> { typedef T type; };
template <class T> struct EntryOf<T, 0> { typedef T type; };  // any number: one at a time

template <class Entry, class T>
NT_HD Entry& entry_at(T* table, int features, uint32_t index, int group) {
    return *reinterpret_cast<Entry*>(table + (size_t)index * features + group);
}
template <class Entry, class T>
NT_HD const Entry& entry_at(const T* table, int features, uint32_t index, int group) {
    return *reinterpret_cast<const Entry*>(table + (size_t)index * features + group);
}

// The sum of an entry's F features.
template <int F, class Entry> NT_HD auto total(const Entry& entry) {
    if constexpr (F <= 1) {
        return entry;
    } else {
        auto sum = entry[0];
        for (int f = 1; f < F; ++f) sum += entry[f];
        return sum;
    }
}

// Writes feature f of an entry to out[f * FEATURE].
template <int F, int FEATURE, class Entry, class T> NT_HD void store(const Entry& entry, T* out) {
    if constexpr (F <= 1 || FEATURE == 1) {
        *reinterpret_cast<Entry*>(out) = entry;
    } else {
        for (int f = 0; f < F; ++f) out[f * FEATURE] = entry[f];
    }
}

// Where the coordinates of a block's points lie, one pointer an axis of the lattice.
template <class T, int D> struct Axes {
    const T* axis[D];
};

template <class T, int D = 2> struct CornerBlock {
    static constexpr int SIZE = 64, CORNERS = 1 << D;
    alignas(64) uint32_t entry[CORNERS][SIZE];
    alignas(64) T weight[CORNERS][SIZE];

    // A point's coordinates are STRIDE apart from its neighbour's.
    template <int STRIDE, class L> void find(Axes<T, D> points, const L& level, int count) {
        switch (indexing_of(level)) {
            case DENSE: return find_as<STRIDE, DENSE>(points, level, count);
            case MASKED: return find_as<STRIDE, MASKED>(points, level, count);
            case DIVIDED: return find_as<STRIDE, DIVIDED>(points, level, count);
            case TILED_MASKED: return find_as<STRIDE, TILED_MASKED>(points, level, count);
            default: return find_as<STRIDE, TILED_DIVIDED>(points, level, count);
        }
    }

    // The same of a plane's two coordinates.
    template <int STRIDE> void find(const T* u, const T* v, const Level& level, int count) {
        find<STRIDE>(Axes<T, 2>{{u, v}}, level, count);
    }

    // Writes feature f of point i to out[i * point + f * FEATURE].
    template <int F, int FEATURE, class S>
    void read(const S* table, int features, int count, T* out, int64_t point) const {
        using Entry = typename EntryOf<T, F>::type;
        const int groups = F ? 1 : features;
        for (int i = 0; i < count; ++i)
            for (int g = 0; g < groups; ++g) {
                Entry sum{};
                for (int k = 0; k < CORNERS; ++k)
                    sum += weight[k][i] * load<F>(table, features, entry[k][i], g);
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
                for (int k = 0; k < CORNERS; ++k)
                    entry_at<Entry>(table, features, entry[k][i], g) += weight[k][i] * given;
            }
    }

    // Adds what the gradients of the features mean for the coordinates that find() was given;
    // `found` holds one row an axis.
    template <int F, int STRIDE, class L, class S>
    void slope(const S* table, int features, const T* gradient, int64_t point, Axes<T, D> points,
               const L& level, int count, T* const (&found)[D]) const {
        using Entry = typename EntryOf<T, F>::type;
        const int groups = F ? 1 : features;
        alignas(64) T share[CORNERS][SIZE];
        for (int i = 0; i < count; ++i)
            for (int k = 0; k < CORNERS; ++k) {
                T sum = T(0);
                for (int g = 0; g < groups; ++g)
                    sum += total<F>(load<F>(table, features, entry[k][i], g) *
                                    *reinterpret_cast<const Entry*>(gradient + i * point + g));
                share[k][i] = sum;
            }
        slope_of_shares<STRIDE>(share, points, level, count, found);
    }

  private:
    template <int STRIDE> static Places<T, D> places(Axes<T, D> points, int i, int resolution) {
        Places<T, D> out;
        for (int d = 0; d < D; ++d) out.axis[d] = place(points.axis[d][STRIDE * i], resolution);
        return out;
    }

    // Neither is inlined: the code is long, and does not depend on the number of features.
    template <int STRIDE, Indexing KIND, class L>
    __attribute__((noinline)) void find_as(Axes<T, D> points, const L& level, int count) {
#pragma omp simd
        for (int i = 0; i < count; ++i) {
            const auto found = corners_at<KIND>(level, places<STRIDE>(points, i, level.resolution));
            for (int k = 0; k < CORNERS; ++k) {
                entry[k][i] = found.entry[k];
                weight[k][i] = found.weight[k];
            }
        }
    }

    template <int STRIDE, class L>
    __attribute__((noinline)) static void slope_of_shares(const T (&share)[CORNERS][SIZE],
                                                          Axes<T, D> points, const L& level,
                                                          int count, T* const (&found)[D]) {
#pragma omp simd
        for (int i = 0; i < count; ++i) {
            T own[CORNERS];
            for (int k = 0; k < CORNERS; ++k) own[k] = share[k][i];
            const auto slopes = slopes_at(own, places<STRIDE>(points, i, level.resolution));
            for (int d = 0; d < D; ++d) found[d][i] += slopes.axis[d];
        }
    }

    // An entry, or one feature of it, in T whatever it is stored in.
    template <int F, class S>
    static auto load(const S* table, int features, uint32_t index, int group) {
        using Entry = typename EntryOf<T, F>::type;
        if constexpr (std::is_same_v<S, T>) {
            return entry_at<Entry>(table, features, index, group);
        } else if constexpr (F <= 1) {
            return Entry(number(table[(size_t)index * features + group]));
        } else {
            return widened<Entry, F>(table + (size_t)index * features);
        }
    }

    template <class Entry, int F> static Entry widened(const Half* from) {
        Entry out;
#if defined(__F16C__)
        static_assert(F <= 4, "what one instruction converts");
        __m128i bits = _mm_setzero_si128();
        memcpy(&bits, from, F * sizeof(Half));
        const __m128 wide = _mm_cvtph_ps(bits);
        memcpy(&out, &wide, sizeof out);
#else
        for (int f = 0; f < F; ++f) out[f] = number(from[f]);
#endif
        return out;
    }
};

}  // namespace nt
