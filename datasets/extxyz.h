// Extended XYZ, plain or gzip, ASE's keys.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "datasets/frame.h"

namespace casimir {

// Which keys hold the labels. Missing labels are counted by the caller, never filled in.
struct ExtxyzKeys {
  std::string energy = "energy", forces = "forces", stress = "stress", virial = "virial";  // stress = -virial / V
  std::string config_type = "config_type";
};

// All frames. `index` is ASE's slice text: ":", "0:450", "::2", "-50:". DataError "PATH: frame 117, line 2574: ..."
// for anything wrong; MissingError when there is no such file.
std::vector<Frame> read_extxyz(const std::string& path, const ExtxyzKeys& keys = {}, const std::string& index = ":");

// Writes frames so that ASE reads them back: labels, info and columns as read plus what is added. Published
// atomically (write_file_atomic). A name ending in .gz is compressed.
void write_extxyz(const std::string& path, const std::vector<Frame>& frames);

}  // namespace casimir
