// Frames to check a model with: made at random from its elements, or others moved and deformed.
#pragma once

#include <vector>

#include "core/random.h"
#include "datasets/frame.h"

namespace casimir {

// A compact molecule of `atoms` atoms, every element at least once when they suffice; neighbours at
// bond length by rough atomic radii, none closer.
Frame random_molecule(const std::vector<int>& elements, int64_t atoms, Random& random);
// A skewed periodic cell without symmetry, at the density of a loosely packed solid.
Frame random_crystal(const std::vector<int>& elements, int64_t atoms, Random& random);

// x -> M x for positions and lattice vectors, about the centre of the atoms where there is no
// periodic direction. Labels are dropped, here and below.
Frame transformed(const Frame& frame, const Mat3& matrix);
Frame translated(const Frame& frame, const Vec3& shift);
// Each atom moved by a random lattice vector along the periodic directions.
Frame wrapped(const Frame& frame, Random& random);
// Atom k of the result is atom order[k].
Frame permuted(const Frame& frame, const std::vector<int64_t>& order);
// Positions + factor * direction.
Frame displaced(const Frame& frame, const std::vector<Vec3>& direction, double factor);
// The frame twice: beside itself beyond the reach of r_max without periodic directions, else the
// cell doubled along the first periodic one.
Frame doubled(const Frame& frame, double r_max);

Vec3 product(const Mat3& matrix, const Vec3& vector);

}  // namespace casimir
