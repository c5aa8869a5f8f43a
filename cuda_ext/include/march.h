// Ray/box intersection and the march of one ray through an occupancy grid.
//
// Samples stay on the lattice near + (k + jitter) * step; empty cells are skipped by whole steps,
// so the sample set does not depend on which cells were visited.
#pragma once

#include <float.h>

#include "host_device.h"

namespace nt {

template <class T> struct Smallest;
template <> struct Smallest<float> { static NT_HD float value() { return FLT_MIN; } };
template <> struct Smallest<double> { static NT_HD double value() { return DBL_MIN; } };

// Slab test; near is held to 0, and far <= near where the ray misses.
template <class T>
NT_HD void ray_box(const T* origin, const T* direction, const T* box, T* near, T* far) {
    T enter = T(0), leave = T(INFINITY);
    for (int axis = 0; axis < 3; ++axis) {
        const T tiny = Smallest<T>::value();
        const T slope = fabs(direction[axis]) < tiny ? tiny : direction[axis];
        const T first = (box[axis] - origin[axis]) / slope;
        const T second = (box[3 + axis] - origin[axis]) / slope;
        enter = greater(enter, lesser(first, second));
        leave = lesser(leave, greater(first, second));
    }
    *near = enter;
    *far = leave;
}

// (R, R, R) cells over a box, indexed x, y, z. `blocks`, if any, is the same grid with
// BLOCK^3 cells in one: set where any of them is.
struct Occupancy {
    static constexpr int BLOCK = 4;
    const uint8_t* cells;
    const uint8_t* blocks;
    int resolution;
    NT_HD int block_resolution() const { return (resolution + BLOCK - 1) / BLOCK; }
};

// A ray that hits but has no finite end, or more steps than could ever be stored.
template <class T> NT_HD bool endless(T near, T far, T step) {
    const T length = far - near;
    return !(length <= T(0)) && !(length < step * T(INT32_MAX));
}

// What a march into buffers of a fixed capacity reports.
enum MarchTotal { WANTED, DROPPED, ENDLESS, MARCH_TOTALS };

template <class T> struct MarchRay {
    T origin[3], direction[3];
    T near, far, step, jitter;

    NT_HD T start(int64_t k) const { return near + (T(k) + jitter) * step; }
    NT_HD T middle(int64_t k) const { return start(k) + step / T(2); }
};

// Steps that stay surely inside the cell [low, high) (in units of cells) the scaled point is in.
template <class T>
NT_HD int64_t steps_inside(const T* scaled, const T* slope, const int* low, int size, T step) {
    T exit = T(INFINITY);
    for (int axis = 0; axis < 3; ++axis) {
        const T border = slope[axis] > T(0) ? T(low[axis] + size) : T(low[axis]);
        if (slope[axis] != T(0)) exit = lesser(exit, (border - scaled[axis]) / slope[axis]);
    }
    const T steps = exit / step;
    return steps < T(1) ? 1 : (steps < T(1 << 20) ? (int64_t)steps : (int64_t)(1 << 20));
}

// Calls visit(k) for every kept lattice index from `first` on, in order; visit returns false to
// end the ray.
template <class T, class Visit>
NT_HD void march_ray(const MarchRay<T>& ray, const Occupancy& grid, const T* box, Visit visit,
                     int64_t first = 0) {
    const int resolution = grid.resolution;
    T slope[3];
    for (int axis = 0; axis < 3; ++axis)
        slope[axis] = ray.direction[axis] / (box[3 + axis] - box[axis]) * T(resolution);
    for (int64_t k = first; ray.middle(k) < ray.far;) {
        const T along = ray.middle(k);
        T scaled[3];
        int cell[3];
        bool inside = true;
        for (int axis = 0; axis < 3; ++axis) {
            const T point = ray.origin[axis] + ray.direction[axis] * along;
            scaled[axis] = (point - box[axis]) / (box[3 + axis] - box[axis]) * T(resolution);
            // Truncation, as a cast does: the rim of one cell below the box counts as its first.
            inside = inside && scaled[axis] > T(-1) && scaled[axis] < T(resolution);
            cell[axis] = inside ? (int)scaled[axis] : 0;
        }
        if (!inside) {
            ++k;
            continue;
        }
        if (grid.blocks) {
            const int rough = grid.block_resolution();
            const int block[3] = {cell[0] / Occupancy::BLOCK, cell[1] / Occupancy::BLOCK,
                                  cell[2] / Occupancy::BLOCK};
            if (!grid.blocks[((size_t)block[0] * rough + block[1]) * rough + block[2]]) {
                const int low[3] = {block[0] * Occupancy::BLOCK, block[1] * Occupancy::BLOCK,
                                    block[2] * Occupancy::BLOCK};
                k += steps_inside(scaled, slope, low, Occupancy::BLOCK, ray.step);
                continue;
            }
        }
        if (!grid.cells[((size_t)cell[0] * resolution + cell[1]) * resolution + cell[2]]) {
            k += steps_inside(scaled, slope, cell, 1, ray.step);
            continue;
        }
        if (!visit(k)) return;
        ++k;
    }
}

}  // namespace nt
