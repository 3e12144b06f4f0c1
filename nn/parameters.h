// Parameters: one flat named store; layers take a scope and ask for what they need.
//
//   struct Linear {
//     Tensor weight;
//     Linear(Parameters::Scope p, int64_t in, int64_t out)
//         : weight(p.get("weight", {in, out}, init::uniform(in))) {}
//   };
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "autograd/tape.h"
#include "core/random.h"
#include "core/safetensors.h"

namespace casimir {

// Fills a fresh parameter; `random` is keyed by seed and name, so values do not depend on the
// order.
using Init = std::function<void(Array& values, Random& random)>;
namespace init {
Init zeros();
Init constant(double value);
Init normal(double deviation = 1);
Init uniform(int64_t fan_in);  // in +-1/sqrt(fan_in)
}  // namespace init

class Parameters {
 public:
  struct Entry {
    std::string name;
    Tensor tensor;       // tracked; see Tape::watch_store
    int64_t offset = 0;  // first element in the flat buffer
    bool decay = false;  // weight decay applies (MACE's rule)
  };

  class Scope {
   public:
    Scope operator/(const std::string& name) const;
    Scope operator/(int64_t number) const { return *this / std::to_string(number); }
    // A new parameter of the store's type. decay: whether weight decay applies to it.
    Tensor get(const std::string& name, Shape shape, const Init& init, bool decay = false) const;
    // Saved and loaded with the model, not trained; kept in f64 on the CPU.
    Array constant(const std::string& name, Array value) const;
    // A constant that its layer changes in place (running averages) and load() reads back.
    Array buffer(const std::string& name, Array value) const;
    const std::string& path() const { return path_; }
    DType dtype() const;
    Device device() const;

   private:
    friend class Parameters;
    Scope(Parameters* store, std::string path) : store_(store), path_(std::move(path)) {}
    Parameters* store_;
    std::string path_;
  };

  Parameters(DType dtype, uint64_t seed, Device device = Device::cpu);
  Parameters(const Parameters&) = delete;
  Parameters& operator=(const Parameters&) = delete;

  Scope root() { return Scope(this, ""); }
  // After the model is built: moves all parameters into one flat array. Layers keep their tensors.
  void flatten();

  DType dtype() const { return dtype_; }
  Device device() const { return device_; }
  int64_t size() const { return size_; }  // elements
  const std::vector<Entry>& entries() const { return entries_; }
  Tensors all() const;                         // in order of construction
  const Array& flat() const { return flat_; }  // [size]; written by the optimizer only
  Array& flat() { return flat_; }
  const std::map<std::string, Array>& constants() const { return constants_; }

  void watch(Tape& tape) const { tape.watch_store(id_, static_cast<int32_t>(entries_.size())); }

  // Values by name. Strict: missing, unexpected and mis-shaped names are listed together (DataError
  // that starts with `source`). Types are converted.
  void load(const Safetensors& file, const std::string& source);
  // The values, or those of `flat` (as flat()), and the constants.
  void save(Safetensors& file, const Array* flat = nullptr) const;

 private:
  DType dtype_;
  Device device_;
  uint64_t seed_, id_;
  int64_t size_ = 0;
  std::vector<Entry> entries_;
  std::map<std::string, Array> constants_;
  std::set<std::string> buffers_;  // those constants that are buffers
  Array flat_;
};

}  // namespace casimir
