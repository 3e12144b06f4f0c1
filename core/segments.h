// Segments: an index together with its sort, made once per batch on the host.
//
// index[e] names, for each of size() rows, one of targets() rows. A gather reads by index; its
// transpose, the sum by target, runs over order()[offsets()[t] .. offsets()[t + 1]]: one writer per
// target, in a fixed order, without atomics.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "core/array.h"

namespace casimir {

class Segments {
 public:
  Segments() = default;
  Segments(std::vector<int32_t> index, int64_t targets);  // checks 0 <= index < targets

  int64_t size() const { return data_ ? static_cast<int64_t>(data_->index.size()) : 0; }
  int64_t targets() const { return data_ ? data_->targets : 0; }
  bool defined() const { return data_ != nullptr; }

  // Host memory.
  int32_t operator[](int64_t e) const { return data_->index[e]; }
  std::span<const int32_t> index() const { return data_->index; }
  std::span<const int32_t> order() const { return data_->order; }  // rows sorted by target, stable
  std::span<const int32_t> offsets() const { return data_->offsets; }  // [targets + 1]
  bool sorted() const { return data_->sorted; }                        // order() is 0, 1, 2, ...

  // Device memory, for kernels; i32. Undefined until to(Device::cuda).
  const Array& device_index() const { return data_->device_index; }
  const Array& device_order() const { return data_->device_order; }
  const Array& device_offsets() const { return data_->device_offsets; }
  Segments to(Device device) const;
  // The same index with these device arrays, whatever they hold: i32 [size], [size], [targets + 1].
  Segments with_device(Array index, Array order, Array offsets) const;

 private:
  struct Data {
    std::vector<int32_t> index, order, offsets;
    int64_t targets = 0;
    bool sorted = false;
    Array device_index, device_order, device_offsets;
  };
  std::shared_ptr<const Data> data_;
};

}  // namespace casimir
