// Element types, and the one place where a runtime type becomes a compile-time one.
#pragma once

#include <cstdint>
#include <ostream>
#include <type_traits>

#include "core/error.h"

namespace casimir {

enum class DType : uint8_t { f32, f64, i32, u8 };

constexpr int64_t size_of(DType dtype) {
  return dtype == DType::f64 ? 8 : dtype == DType::u8 ? 1 : 4;
}
constexpr bool is_float(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f64;
}
constexpr const char* name_of(DType dtype) {
  return dtype == DType::f32   ? "f32"
         : dtype == DType::f64 ? "f64"
         : dtype == DType::i32 ? "i32"
                               : "u8";
}
inline std::ostream& operator<<(std::ostream& out, DType dtype) {
  return out << name_of(dtype);
}

template <class T>
constexpr DType dtype_of() {
  if constexpr (std::is_same_v<T, float>)
    return DType::f32;
  else if constexpr (std::is_same_v<T, double>)
    return DType::f64;
  else if constexpr (std::is_same_v<T, int32_t>)
    return DType::i32;
  else {
    static_assert(std::is_same_v<T, uint8_t>, "no DType for this type");
    return DType::u8;
  }
}

// visit(dtype, []<class T>(T) { ... }) calls f with a value of the element type.
template <class F>
decltype(auto) visit(DType dtype, F&& f) {
  switch (dtype) {
    case DType::f32:
      return f(float{});
    case DType::f64:
      return f(double{});
    case DType::i32:
      return f(int32_t{});
    default:
      return f(uint8_t{});
  }
}

// The same for real numbers; anything else is an error that names the op.
template <class F>
decltype(auto) visit_float(const char* op, DType dtype, F&& f) {
  check(is_float(dtype), op, ": expected f32 or f64, found ", dtype);
  if (dtype == DType::f32) return f(float{});
  return f(double{});
}

}  // namespace casimir
