// Real Clebsch-Gordan coefficients and Wigner D matrices in e3nn's basis and signs.
#pragma once

#include <array>
#include <vector>

#include "core/random.h"

namespace casimir {

// e3nn's wigner_3j: C[m1, m2, m3], real, of norm 1, row-major [2 l1 + 1, 2 l2 + 1, 2 l3 + 1];
// invariant under rotations of the three indices. l up to 20; degrees that do not couple are an
// error. Kept after the first call (any thread).
const std::vector<double>& wigner_3j(int l1, int l2, int l3);

using Matrix3 = std::array<double, 9>;  // row-major

// R = Ry(alpha) Rx(beta) Ry(gamma), e3nn's Euler angles.
Matrix3 rotation_from_angles(double alpha, double beta, double gamma);
std::array<double, 3> angles_from_rotation(const Matrix3& rotation);
Matrix3 random_rotation(Random& random);  // uniform on SO(3)

// D^l of the rotation, [2l + 1, 2l + 1] row-major: Y(R x) = D Y(x). An improper matrix (det -1)
// gives D of its rotation part; multiply by the parity. One that is not orthogonal is an error.
std::vector<double> wigner_d(int l, const Matrix3& rotation);

}  // namespace casimir
