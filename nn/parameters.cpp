#include "nn/parameters.h"

#include <algorithm>
#include <atomic>
#include <cmath>

namespace casimir {

namespace {
std::atomic<uint64_t> store_ids{0};

template <class F>
Init each(F draw) {
  return [draw](Array& values, Random& random) {
    visit_float("init", values.dtype(), [&]<class T>(T) {
      T* out = values.data<T>();
      for (int64_t i = 0; i < values.size(); ++i) out[i] = static_cast<T>(draw(random));
    });
  };
}
}  // namespace

namespace init {
Init zeros() {
  return constant(0);
}
Init constant(double value) {
  return each([value](Random&) { return value; });
}
Init normal(double deviation) {
  return each([deviation](Random& random) { return deviation * random.normal(); });
}
Init uniform(int64_t fan_in) {
  double bound = 1 / std::sqrt(static_cast<double>(fan_in));
  return each([bound](Random& random) { return random.uniform(-bound, bound); });
}
}  // namespace init

Parameters::Scope Parameters::Scope::operator/(const std::string& name) const {
  return Scope(store_, path_.empty() ? name : path_ + "." + name);
}
DType Parameters::Scope::dtype() const {
  return store_->dtype_;
}
Device Parameters::Scope::device() const {
  return store_->device_;
}

Parameters::Parameters(DType dtype, uint64_t seed, Device device)
    : dtype_(dtype), device_(device), seed_(seed), id_(++store_ids) {}

Tensor Parameters::Scope::get(const std::string& name, Shape shape, const Init& init,
                              bool decay) const {
  std::string full = (*this / name).path_;
  auto& entries = store_->entries_;
  check<Error>(
      std::none_of(entries.begin(), entries.end(), [&](const Entry& e) { return e.name == full; }),
      "parameters: '", full, "' is given twice");
  check<Error>(!store_->flat_.defined(), "parameters: '", full, "' comes after flatten()");
  Array values(shape, store_->dtype_);
  Random random(random_key(store_->seed_, full));
  init(values, random);
  Tensor tensor(values.to(store_->device_));
  tensor.parameter_ = static_cast<int32_t>(entries.size());
  tensor.store_ = store_->id_;
  entries.push_back({full, tensor, store_->size_, decay});
  store_->size_ += shape.size();
  return tensor;
}

Array Parameters::Scope::constant(const std::string& name, Array value) const {
  std::string full = (*this / name).path_;
  Array kept = value.cast(DType::f64);
  bool fresh = store_->constants_.emplace(full, kept).second;
  check<Error>(fresh, "parameters: constant '", full, "' is given twice");
  return kept;
}

Array Parameters::Scope::buffer(const std::string& name, Array value) const {
  Array kept = constant(name, value.copy());
  store_->buffers_.insert((*this / name).path_);
  return kept;
}

void Parameters::flatten() {
  if (flat_.defined()) return;
  flat_ = Array(Shape{size_}, dtype_, device_);
  for (Entry& entry : entries_)
    entry.tensor.array().buffer()->move_into(flat_.buffer(), entry.offset * size_of(dtype_));
}

Tensors Parameters::all() const {
  Tensors tensors;
  for (const Entry& entry : entries_) tensors.push_back(entry.tensor);
  return tensors;
}

void Parameters::load(const Safetensors& file, const std::string& source) {
  std::string missing, misshaped, unexpected;
  auto append = [](std::string& list, const std::string& item) {
    list += (list.empty() ? "" : ", ") + item;
  };
  auto expect = [&](const std::string& name, const Array* found, const Shape& shape) {
    if (!found)
      append(missing, name);
    else if (found->shape() != shape)
      append(misshaped, concat_text(name, " is ", found->shape(), ", model has ", shape));
  };
  std::set<std::string> known;
  for (Entry& entry : entries_) {
    known.insert(entry.name);
    expect(entry.name, file.find(entry.name), entry.tensor.shape());
  }
  for (const std::string& name : buffers_)
    expect(name, file.find(name), constants_.at(name).shape());
  for (const auto& [name, array] : file.arrays)
    if (!known.contains(name) && !constants_.contains(name)) append(unexpected, name);
  std::string text;
  if (!missing.empty()) text += "missing: " + missing;
  if (!misshaped.empty()) text += (text.empty() ? "" : "; ") + ("mis-shaped: " + misshaped);
  if (!unexpected.empty()) text += (text.empty() ? "" : "; ") + ("unexpected: " + unexpected);
  check<DataError>(text.empty(), source, ": ", text);
  for (Entry& entry : entries_) {
    Array target = entry.tensor.array();  // shares the buffer
    target.copy_from(file.at(entry.name).cast(dtype_));
  }
  for (const std::string& name : buffers_)
    constants_.at(name).copy_from(file.at(name).cast(DType::f64));
}

void Parameters::save(Safetensors& file, const Array* flat) const {
  for (const Entry& entry : entries_) {
    Array values = entry.tensor.array();
    if (flat)
      values = flat->rows(entry.offset, entry.offset + values.size()).reshaped(values.shape());
    file.add(entry.name, values.to(Device::cpu).cast(dtype_).copy());
  }
  for (const auto& [name, value] : constants_) file.add(name, value.copy());
}

}  // namespace casimir
