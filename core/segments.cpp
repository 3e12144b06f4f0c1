#include "core/segments.h"

namespace casimir {

Segments::Segments(std::vector<int32_t> index, int64_t targets) {
  auto data = std::make_shared<Data>();
  data->targets = targets;
  data->offsets.assign(targets + 1, 0);
  data->sorted = true;
  for (size_t e = 0; e < index.size(); ++e) {
    check(index[e] >= 0 && index[e] < targets, "segments: index[", e, "] is ", index[e],
          ", expected 0 to ", targets - 1);
    ++data->offsets[index[e] + 1];
    if (e > 0 && index[e] < index[e - 1]) data->sorted = false;
  }
  for (int64_t t = 0; t < targets; ++t) data->offsets[t + 1] += data->offsets[t];
  std::vector<int32_t> next(data->offsets.begin(), data->offsets.end() - 1);
  data->order.resize(index.size());
  for (size_t e = 0; e < index.size(); ++e) data->order[next[index[e]]++] = static_cast<int32_t>(e);
  data->index = std::move(index);
  data_ = std::move(data);
}

Segments Segments::to(Device device) const {
  if (!data_ || device == Device::cpu || data_->device_index.defined()) return *this;
  return with_device(Array::from(data_->index).to(device), Array::from(data_->order).to(device),
                     Array::from(data_->offsets).to(device));
}

Segments Segments::with_device(Array index, Array order, Array offsets) const {
  auto data = std::make_shared<Data>(*data_);
  data->device_index = std::move(index);
  data->device_order = std::move(order);
  data->device_offsets = std::move(offsets);
  Segments out;
  out.data_ = std::move(data);
  return out;
}

}  // namespace casimir
