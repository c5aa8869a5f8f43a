// Multi-resolution tri-plane encoding: three two-dimensional grids over the xy, yz and xz planes.
#pragma once

#include "grid.h"

namespace nt {

// The (first, second) coordinates of the xy, yz and xz planes.
NT_HD int plane_axis(int plane, int which) {
    return which == 0 ? (plane == 1 ? 1 : 0) : (plane == 0 ? 1 : 2);
}

// A level of one plane, which is never tiled.
struct Level {
    static constexpr int DIMENSIONS = 2;
    static constexpr bool tiled = false;
    int resolution;
    int entries;
};

struct TriPlanes {
    static constexpr int PLANES = 3, COORDINATES = 3, DIMENSIONS = 2;
    using Level = nt::Level;
    static NT_HD int axis(int plane, int which) { return plane_axis(plane, which); }
    static NT_HD Level level(int resolution, int entries, bool) { return {resolution, entries}; }
};

template <class T> using Corners = CornersOf<T, 2>;

template <class T>
NT_HD Corners<T> corners(const Level& level, Place<T> across, Place<T> along) {
    return corners_at(level, Places<T, 2>{{across, along}});
}

}  // namespace nt
