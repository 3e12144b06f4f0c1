#include "core/tensorboard.h"

#include <chrono>
#include <cstring>

#include "core/files.h"

namespace casimir {

namespace {

template <class T>
std::string bytes_of(T value) {  // little-endian, as is every processor we build for
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

// Protobuf's wire format: a byte with the field's number and kind, then what it holds.
enum class Kind { varint = 0, eight_bytes = 1, length = 2, four_bytes = 5 };

std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 128; value >>= 7) bytes += static_cast<char>(value | 128);
  return bytes + static_cast<char>(value);
}

std::string field(int number, Kind kind, const std::string& content) {
  std::string bytes = varint(static_cast<uint64_t>(8 * number + static_cast<int>(kind)));
  if (kind == Kind::length) bytes += varint(content.size());
  return bytes + content;
}

std::string masked_crc(const std::string& bytes) {
  const uint32_t crc = crc32c(bytes);
  return bytes_of(((crc >> 15) | (crc << 17)) + 0xA282EAD8);
}

// tensorflow/core/lib/io/record_writer.h
std::string framed(const std::string& data) {
  const std::string length = bytes_of(static_cast<uint64_t>(data.size()));
  return length + masked_crc(length) + data + masked_crc(data);
}

}  // namespace

double wall_time() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// Event (tensorflow/core/util/event.proto): wall_time = 1, step = 2, file_version = 3, summary = 5.
std::string event_file_start(double wall_time) {
  return framed(field(1, Kind::eight_bytes, bytes_of(wall_time)) +
                field(3, Kind::length, "brain.Event:2"));
}

// Summary (tensorflow/core/framework/summary.proto): value = 1, which has tag = 1, simple_value
// = 2.
std::string event_record(double wall_time, int64_t step, const Scalars& scalars) {
  std::string summary;
  for (const auto& [tag, value] : scalars)
    summary += field(1, Kind::length,
                     field(1, Kind::length, tag) +
                         field(2, Kind::four_bytes, bytes_of(static_cast<float>(value))));
  return framed(field(1, Kind::eight_bytes, bytes_of(wall_time)) +
                field(2, Kind::varint, varint(static_cast<uint64_t>(step))) +
                field(5, Kind::length, summary));
}

}  // namespace casimir
