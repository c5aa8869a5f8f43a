// Products of small matrices with wide registers, in plain numbers or in pairs of bfloat16.
//
// A policy says what a matrix holds (Element), what one step of a product broadcasts (Word: one
// element, or two neighbours), and what sums are kept in (Real). Rows are samples. Everything is
// local to its source file: two files may be compiled for different processors.
#pragma once

#include "../include/host_device.h"

#if defined(NT_BRAIN)
#include <immintrin.h>
#endif

namespace nt::field {
namespace {

#if defined(__AVX512F__) || defined(NT_BRAIN)
constexpr int REGISTER_BYTES = 64, SUMS = 24, PANEL = 4;  // sums kept in registers; vectors a row
#elif defined(__AVX__)
constexpr int REGISTER_BYTES = 32, SUMS = 12, PANEL = 2;
#else
constexpr int REGISTER_BYTES = 16, SUMS = 12, PANEL = 2;
#endif
constexpr int MOST_ROWS = 12;  // whose words a step reads
constexpr int STEP = 24;       // rows of a block are a multiple of this
constexpr int PAD = 16;        // numbers; every width is padded to it with zeros
constexpr int GROUP = 6;       // outputs whose weight gradients are summed at once

NT_HD int padded_width(int width) { return (width + PAD - 1) / PAD * PAD; }

template <class T> struct Rows {
    T* at;
    int stride;
    NT_HD T* operator[](int n) const { return at + (size_t)n * stride; }
};

// Element is Word is Real: a product is a multiplication and an addition.
template <class T> struct Plain {
    using Real = T;
    using Element = T;
    using Word = T;
    typedef T Wide __attribute__((vector_size(REGISTER_BYTES), may_alias));
    using Words = Wide;
    static constexpr int WIDE = REGISTER_BYTES / (int)sizeof(T), PAIR = 1;

    static NT_HD Wide dot(Wide sum, Words b, Word a) { return sum + b * a; }
    static NT_HD Word word(T first, T) { return first; }
    static NT_HD Wide load(const Element* at) { return *reinterpret_cast<const Wide*>(at); }
    template <int V> static NT_HD void store(Element* to, const Wide (&values)[V]) {
        for (int v = 0; v < V; ++v) reinterpret_cast<Wide*>(to)[v] = values[v];
    }
    static NT_HD Element element(Real value) { return value; }
    // Rows of elements as words that hold PAIR samples of one column.
    static NT_HD Rows<const Word> paired(Rows<const Element> rows, int, int, Word*) {
        return rows;
    }
};

#if defined(NT_BRAIN)
// Two neighbouring bfloat16 a word, float32 sums.
struct Brain {
    using Real = float;
    using Element = uint16_t;
    using Word = uint32_t;
    typedef float Wide __attribute__((vector_size(64), may_alias));
    typedef uint32_t Words __attribute__((vector_size(64), may_alias));
    static constexpr int WIDE = 16, PAIR = 2;

    static NT_HD Wide dot(Wide sum, Words b, Word a) {
        const __m512i all = _mm512_set1_epi32((int)a);
        return (Wide)_mm512_dpbf16_ps((__m512)sum, (__m512bh)b, (__m512bh)all);
    }
    static NT_HD Word word(float first, float second) {
        const __m256i both = (__m256i)_mm512_cvtneps_pbh(
            _mm512_setr4_ps(first, second, 0.0f, 0.0f));
        return (Word)_mm256_cvtsi256_si32(both);
    }
    static NT_HD Wide load(const Element* at) {
        const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
        return (Wide)_mm512_slli_epi32(_mm512_cvtepu16_epi32(low), 16);
    }
    template <int V> static NT_HD void store(Element* to, const Wide (&values)[V]) {
        for (int v = 0; v + 1 < V; v += 2)
            _mm512_storeu_si512(to + v * WIDE, (__m512i)_mm512_cvtne2ps_pbh((__m512)values[v + 1],
                                                                            (__m512)values[v]));
        if (V % 2)
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + (V - 1) * WIDE),
                                (__m256i)_mm512_cvtneps_pbh((__m512)values[V - 1]));
    }
    static NT_HD Element element(float value) { return (Element)word(value, 0.0f); }
    static NT_HD Rows<const Word> paired(Rows<const Element> given, int count, int columns,
                                         Word* to) {
        alignas(64) static const uint16_t order[32] = {
            0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23,
            8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
        const __m512i index = _mm512_load_si512(order);
        const Element* rows = given.at;
        const int stride = given.stride;
        Word* out = to;
        for (int n = 0; n < count; n += 2, rows += 2 * stride)
            for (int c = 0; c < columns; c += 16, out += 16) {
                const __m256i *one = reinterpret_cast<const __m256i*>(rows + c),
                              *two = reinterpret_cast<const __m256i*>(rows + stride + c);
                const __m512i both = _mm512_inserti64x4(
                    _mm512_castsi256_si512(_mm256_loadu_si256(one)), _mm256_loadu_si256(two), 1);
                _mm512_store_si512(out, _mm512_permutexvar_epi16(index, both));
            }
        return {to, columns};
    }
};
#endif

// sum[r][v] += over steps of b[step][v] * a[r, step]; the strides of a are in words.
template <class P, int R, int V>
NT_HD void add_products(const typename P::Word* a, int a_row, int a_step,
                        const typename P::Words* b, int b_step, int steps,
                        typename P::Wide (&sum)[R][V]) {
    for (int k = 0; k < steps; ++k, a += a_step, b += b_step) {
        typename P::Words in[V];
        for (int v = 0; v < V; ++v) in[v] = b[v];
        for (int r = 0; r < R; ++r) {
            const typename P::Word word = a[r * a_row];
            for (int v = 0; v < V; ++v) sum[r][v] = P::dot(sum[r][v], in[v], word);
        }
    }
}

// How a row of `vectors` vectors is cut into panels of nearly equal width, at most PANEL.
NT_HD int panel_width(int vectors) {
    const int panels = greater(1, (vectors + PANEL - 1) / PANEL);
    return (vectors + panels - 1) / panels;
}

// Calls run.operator()<V>(first vector) for every panel of a row of `vectors` vectors.
template <class Run> void for_panels(int vectors, const Run& run) {
    const int wide = panel_width(vectors);
    for (int first = 0; first < vectors; first += wide) {
        switch (lesser(wide, vectors - first)) {
            case 1: run.template operator()<1>(first); break;
            case 2: run.template operator()<2>(first); break;
            case 3: run.template operator()<(PANEL < 3 ? PANEL : 3)>(first); break;
            default: run.template operator()<PANEL>(first);
        }
    }
}

}  // namespace
}  // namespace nt::field
