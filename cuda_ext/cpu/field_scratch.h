// What a thread keeps of the block it works on.
#pragma once

#include <string.h>

#include "field_call.h"
#include "field_lookup.h"

namespace nt::field {
namespace {

// Activations of a block, sample by sample.
template <class P> struct Scratch {
    using Real = typename P::Real;
    using Element = typename P::Element;
    using Word = typename P::Word;
    Rows<Element> waves, move1, move2;                  // motion; only samples that may move
    Rows<Element> inputs, mouth_hidden, face_hidden;    // inputs: encoded, gated conditions
    Rows<Element> dense1, dense2, views, seen;          // views: a row for every run of a ray
    Rows<Element> ping, pong;                           // gradients of activations
    Rows<Real> reals, gates, moves, view_bias;
    Word *dy_words, *x_words, *hidden_words;
    alignas(64) Real unit[3][BLOCK], local[3][BLOCK], window[BLOCK], place[3][BLOCK];
    alignas(64) Real log_density[BLOCK], d_unit[3][BLOCK];
    alignas(64) int32_t frame[BLOCK], ray[BLOCK], moving_frame[BLOCK];
    alignas(64) int32_t run[BLOCK], run_frame[BLOCK];  // of one ray in one frame
    int moving[BLOCK], runs;

    explicit Scratch(const Plan& plan) : store_(bytes(plan)) {
        const Shape* s = plan.shape;
        waves = rows<Element>(s[MOVE1].columns());
        move1 = rows<Element>(s[MOVE2].columns());
        move2 = rows<Element>(s[MOVE3].columns());
        inputs = rows<Element>(s[DENSE1].columns());
        mouth_hidden = rows<Element>(s[MOUTH2].columns());
        face_hidden = rows<Element>(s[FACE2].columns());
        dense1 = rows<Element>(s[DENSE2].columns());
        dense2 = rows<Element>(s[SHADE].columns());
        views = rows<Element>(SH_WIDTH);
        seen = rows<Element>(s[SHADE].out_columns());
        ping = rows<Element>(widest(plan));
        pong = rows<Element>(widest(plan));
        reals = rows<Real>(widest(plan));
        gates = rows<Real>(s[MOUTH2].out_columns() + s[FACE2].out_columns());
        view_bias = rows<Real>(s[VIEW].out_columns());
        moves = rows<Real>(PAD);
        dy_words = store_.template take<Word>(BLOCK * widest(plan));
        hidden_words = store_.template take<Word>(BLOCK * widest(plan));
        x_words = store_.template take<Word>(BLOCK * widest(plan));
    }

  private:
    template <class T> Rows<T> rows(int columns) {
        T* at = store_.template take<T>((size_t)BLOCK * columns);
        memset(static_cast<void*>(at), 0, (size_t)BLOCK * columns * sizeof(T));
        return {at, columns};
    }
    static int widest(const Plan& plan) {
        int found = PAD;
        for (const Shape& s : plan.shape)
            found = greater(found, greater(s.columns(), s.out_columns()));
        return found;
    }
    static size_t bytes(const Plan& plan) {
        size_t columns = 20 * widest(plan);
        return columns * BLOCK * greater(sizeof(Real), sizeof(Word)) + 20 * 64;
    }
    Store store_;
};

}  // namespace
}  // namespace nt::field
