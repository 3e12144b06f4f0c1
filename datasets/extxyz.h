// Extended XYZ, plain or gzip, with ASE's keys; plain XYZ is the case without Properties.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "datasets/frame.h"

namespace casimir {

// Which keys of the comment line, and which column, hold the labels.
struct ExtxyzKeys {
  std::string energy = "energy";
  std::string forces = "forces";
  std::string stress = "stress";  // nine numbers (3x3) or six: xx yy zz yz xz xy
  std::string virial = "virial";  // eV; without a stress, stress = -virial / volume
  std::string config_type = "config_type";

  bool operator==(const ExtxyzKeys&) const = default;
};

// Frames of a file. `index` selects them as ASE does: ":", "0:450", "::2", "-50:", "7", "-1".
// Frames outside the selection are only counted. DataError "PATH: frame 117, line 2574: ..."
// (frames from 0, lines from 1) for anything wrong; MissingError when there is no such file. Labels
// that are missing stay empty: the caller counts them.
std::vector<Frame> read_extxyz(const std::string& path, const ExtxyzKeys& keys = {},
                               const std::string& index = ":");

// Writes frames so that ASE and read_extxyz (with the same keys) read the same numbers back: labels
// under `keys`, weights other than 1, then info and columns. Published atomically; a name ending in
// .gz is compressed.
void write_extxyz(const std::string& path, const std::vector<Frame>& frames,
                  const ExtxyzKeys& keys = {});
std::string extxyz_text(const std::vector<Frame>& frames, const ExtxyzKeys& keys = {});

// Values for info and columns, in the shortest form that reads back to the same bits.
std::string extxyz_value(std::span<const double> numbers);  // 1.5, or "1.5 2 3" in quotes
Frame::Column extxyz_column(const std::string& name, std::span<const Vec3> rows);  // name:R:3

}  // namespace casimir
