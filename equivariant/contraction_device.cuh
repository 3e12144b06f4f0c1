// A contraction program (contraction_program.h) in the GPU's memory, made once per plan and type.
#pragma once

#include <memory>
#include <vector>

#include "core/array.h"
#include "equivariant/contraction_program.h"

namespace casimir::cuda {

// All terms with one channel count.
struct DevicePart {
  int channels = 1;
  int first_leaf = 0, leaves = 0;
  std::vector<Array> levels;  // i32 [nodes, 4]: offset, begin, end, 0; one per channel input
  // i32 [runs, 4], likewise. A run's output block overlaps no other of its pass, so that blocks
  // have one writer; the passes follow one another.
  std::vector<Array> passes;
};

struct DeviceProgram {
  std::vector<DevicePart> parts;  // for a channel output

  // Scalar terms, sorted by leaf or, for a scalar output, by place in the output.
  int terms = 0;
  Array coefficients;  // T [terms]
  Array offsets;       // i32 [terms, scalar inputs]
  Array groups;        // i32 [leaves or places, 4]: place, begin, end, 0
  int places = 0;      // rows of `groups`, for a scalar output
  Array constants;     // T [leaves]: their coefficients, when no scalar input changes them

  // For a scalar output: what the channel inputs contribute to a term.
  Array channel_offsets;  // i32 [terms, channel inputs]
  Array channel_counts;   // i32 [terms]
  int widest = 1;         // the largest of them
};

// The plan is kept alive, with its programs, so the pointer is valid for good.
const DeviceProgram& device_program(const Plan& plan, DType dtype);

}  // namespace casimir::cuda
