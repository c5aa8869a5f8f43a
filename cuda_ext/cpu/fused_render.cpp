// Fused rendering on the CPU: march, motion, lookup, networks and compositing in one loop.
//
// A thread keeps a pool of rays in flight, one sample of each at a time; a ray that ends makes
// room for the next one. Samples are evaluated in groups of LANES. What a ray shows depends on no
// other ray, so neither the number of threads nor the order of rays matters.

#include <algorithm>
#include <memory>

#include "../include/abi.h"
#include "../include/march.h"
#include "../include/sh.h"
#include "corner_block.h"
#include "fused_networks.h"

namespace nt {
namespace {

constexpr int POOL = 4 * LANES;  // enough to gather those that move into full groups
constexpr int WIDEST = 256;      // rows of lanes in a buffer: 64 KB
constexpr int SHARE = 64;        // rays a thread takes from the queue at a time

// A ray in flight.
struct Flight {
    MarchRay<float> ray;
    int64_t number, k;  // of the ray; of its present sample on the lattice
    float left, rgb[3], opacity, depth;
};

struct alignas(64) Scratch {
    Row even[WIDEST], odd[WIDEST];
    float point[3][POOL], density[POOL], colour[3][POOL];
    Flight flights[POOL];
};

class Worker {
  public:
    Worker(const Networks& networks, Scratch& scratch)
        : call_(networks.call), networks_(networks), s_(scratch),
          grid_{call_.cells, call_.blocks, call_.cells_per_edge} {}

    // Renders rays from the shared queue until it is empty.
    void run(int64_t* queue) {
        int flying = 0;
        int64_t next = 0, end = 0;
        for (;;) {
            while (flying < POOL) {
                if (next == end) {
#pragma omp atomic capture
                    { next = *queue; *queue += SHARE; }
                    end = std::min(next + SHARE, call_.rays);
                    if (next >= call_.rays) { next = end = 0; break; }
                }
                flying += begin(next++, s_.flights[flying]);
            }
            if (!flying) return;
            evaluate(flying);
            for (int n = flying - 1; n >= 0; --n)
                if (!advance(n)) s_.flights[n] = s_.flights[--flying];
        }
    }

  private:
    // False when the ray meets nothing; then it is finished already.
    bool begin(int64_t number, Flight& flight) {
        for (int axis = 0; axis < 3; ++axis) {
            flight.ray.origin[axis] = call_.origins[3 * number + axis];
            flight.ray.direction[axis] = call_.directions[3 * number + axis];
            flight.rgb[axis] = 0.0f;
        }
        flight.ray.near = call_.near[number];
        flight.ray.far = call_.far[number];
        flight.ray.jitter = call_.jitter[number];
        flight.ray.step = call_.step;
        flight.number = number;
        flight.left = 1.0f;
        flight.opacity = flight.depth = 0.0f;
        return find(flight, 0) || finish(flight);
    }

    bool find(Flight& flight, int64_t first) {
        flight.k = -1;
        march_ray(flight.ray, grid_, call_.grid_box, [&](int64_t k) {
            flight.k = k;
            return false;
        }, first);
        return flight.k >= 0;
    }

    bool finish(const Flight& flight) {
        for (int axis = 0; axis < 3; ++axis)
            call_.rgb[3 * flight.number + axis] = flight.rgb[axis];
        call_.opacity[flight.number] = flight.opacity;
        call_.depth[flight.number] = flight.depth;
        return false;
    }

    // Adds the evaluated sample and goes to the next one; false when the ray is done.
    bool advance(int n) {
        Flight& flight = s_.flights[n];
        const float weight = flight.left * (1.0f - s_.density[n]);
        for (int c = 0; c < 3; ++c) flight.rgb[c] += weight * s_.colour[c][n];
        flight.opacity += weight;
        flight.depth += weight * flight.ray.middle(flight.k);
        flight.left *= s_.density[n];
        if (flight.left < call_.stop || !find(flight, flight.k + 1)) return finish(flight);
        return true;
    }

    void evaluate(int flying) {
        for (int n = 0; n < flying; ++n) {
            const Flight& flight = s_.flights[n];
            const float along = flight.ray.middle(flight.k);
            for (int axis = 0; axis < 3; ++axis)
                s_.point[axis][n] = flight.ray.origin[axis] + flight.ray.direction[axis] * along;
        }
        // The last group is filled up with a copy, so that no lane holds anything wild.
        for (int n = flying; n % LANES; ++n)
            for (int axis = 0; axis < 3; ++axis) s_.point[axis][n] = s_.point[axis][flying - 1];
        if (call_.mouth) move(flying);
        for (int group = 0; group < flying; group += LANES) {
            encode(group);
            shade(group, std::min(LANES, flying - group));
        }
    }

    void move(int flying) {
        int moving[POOL], count = 0;
        float window[POOL], local[POOL][3];
        for (int n = 0; n < flying; ++n) {
            const float point[3] = {s_.point[0][n], s_.point[1][n], s_.point[2][n]};
            window[count] = motion_window(call_.mouth, point, local[count]);
            moving[count] = n;
            count += window[count] > 0.0f;
        }
        for (int group = 0; group < count; group += LANES) {
            const int size = std::min(LANES, count - group);
            for (int n = 0; n < LANES; ++n)
                for (int axis = 0; axis < 3; ++axis)
                    s_.even[axis][n] = n < size ? local[group + n][axis] : 0.0f;
            for (int k = 0; k < 9; ++k) {
                const float* place = s_.even[k % 3];
                const float octave = (float)(1 << k / 3);
#pragma omp simd
                for (int n = 0; n < LANES; ++n)
                    quick_half_turns(place[n] * octave, &s_.even[3 + k][n], &s_.even[12 + k][n]);
            }
            networks_.layer[MOTION1].run<true>(s_.even, s_.odd);
            networks_.layer[MOTION2].run<true>(s_.odd, s_.even);
            networks_.layer[MOTION3].run<false>(s_.even, s_.odd);
            for (int axis = 0; axis < 3; ++axis)
                for (int n = 0; n < size; ++n)
                    s_.point[axis][moving[group + n]] +=
                        call_.largest_motion * window[group + n] * quick_tanh(s_.odd[axis][n]);
        }
    }

    void encode(int group) {
        Row unit[3];
        for (int axis = 0; axis < 3; ++axis) {
            const float low = call_.field_box[axis], size = call_.field_box[3 + axis] - low;
#pragma omp simd
            for (int n = 0; n < LANES; ++n)
                unit[axis][n] = (s_.point[axis][group + n] - low) / size;
        }
        for (int plane = 0; plane < 3; ++plane)
            for (int l = 0; l < call_.levels; ++l) {
                const int64_t slice = plane * call_.all_entries + call_.first[l];
                const Level level{call_.resolution[l], call_.entries[l]};
                float* out = s_.even[(plane * call_.levels + l) * call_.features];
                CornerBlock<float> block;
                block.find<1>(unit[plane_axis(plane, 0)], unit[plane_axis(plane, 1)], level, LANES);
                if (call_.half_table)
                    read(block, call_.half_table + slice * call_.features, out);
                else
                    read(block, call_.table + slice * call_.features, out);
            }
    }

    template <class S> void read(const CornerBlock<float>& block, const S* table, float* out) {
        switch (call_.features) {
            case 1: block.read<1, LANES>(table, 1, LANES, out, 1); break;
            case 2: block.read<2, LANES>(table, 2, LANES, out, 1); break;
            default: block.read<0, LANES>(table, call_.features, LANES, out, 1);
        }
    }

    // From the encoding in `even` to colour and what one step lets through; `size` lanes count.
    void shade(int group, int size) {
        const LaneLayer* layer = networks_.layer;
        Row* gates = s_.even + networks_.encoded;
        layer[GATES1].run<true>(s_.even, s_.odd);
        layer[GATES2].run<false>(s_.odd, gates);
        for (int g = 0; g < call_.gates; ++g)
#pragma omp simd
            for (int n = 0; n < LANES; ++n) gates[g][n] = quick_sigmoid(gates[g][n]);
        layer[DENSITY1].run<true>(s_.even, s_.odd);
        layer[DENSITY2].run<true>(s_.odd, s_.even);
        layer[DENSITY3].run<false>(s_.even, s_.odd);
#pragma omp simd
        for (int n = 0; n < LANES; ++n) {
            const float density = quick_exp(lesser(s_.odd[0][n], 9.0f) + 3.0f);
            s_.density[group + n] = quick_exp(-density * call_.step);
        }
        Row* view = s_.even + call_.hidden;
        for (int n = 0; n < size; ++n) {
            const float* d = s_.flights[group + n].ray.direction;
            float basis[SH_WIDTH];
            spherical_harmonics(d[0], d[1], d[2], basis);
            for (int k = 0; k < SH_WIDTH; ++k) view[k][n] = basis[k];
        }
        layer[COLOUR1].run<true>(s_.even, s_.odd);
        layer[COLOUR2].run<false>(s_.odd, s_.even);
        for (int c = 0; c < 3; ++c)
#pragma omp simd
            for (int n = 0; n < LANES; ++n)
                s_.colour[c][group + n] = quick_sigmoid(s_.even[c][n]) * 1.002f - 0.001f;
    }

    const FusedCall& call_;
    const Networks& networks_;
    Scratch& s_;
    Occupancy grid_;
};

int render(const FusedCall& call) {
    const Plan plan = plan_of(call);
    if (plan.weight_count != call.weight_count || plan.bias_count != call.bias_count ||
        plan.widest_even > WIDEST || plan.widest_odd > WIDEST ||
        !have_cells(call.resolution, call.levels))
        return BAD_SIZE;
    for (int64_t n = 0; n < call.rays; ++n) {
        const float length = call.far[n] - call.near[n];
        if (length > 0.0f && !(length < call.step * (float)INT32_MAX)) return NOT_FINITE;
    }
    const Networks networks(call);
    *call.queue = 0;
#pragma omp parallel
    {
        const std::unique_ptr<Scratch> scratch(new Scratch);
        Worker(networks, *scratch).run(call.queue);
    }
    return OK;
}

}  // namespace
}  // namespace nt

// `stop`: a ray ends when less than this share of the light passes.
NT_API int nt_fused_render_f32(const nt::FusedCall* call) { return nt::render(*call); }
