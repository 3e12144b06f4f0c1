#include "core/safetensors.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_map>
#include <unordered_set>

#include "core/files.h"

namespace casimir {
namespace {
using nlohmann::json;

constexpr uint64_t max_header = 100'000'000;
constexpr int max_depth = 3;  // header { array { shape [ ] } }
// The checksum's metadata entry. The prefix marks the value, so that damage to the key shows as
// well.
const std::string checksum_key = "checksum", checksum_prefix = "xxh64-of-file:";
const std::string no_digits(16, '0');

// What the header says of one array; offsets count from the end of the header.
struct Entry {
  std::string name, dtype;
  Shape shape;
  uint64_t begin = 0, end = 0;
  size_t order = 0;
};

// The header's JSON, every name once, and the order of the names of its outermost level.
struct Header {
  json names;
  std::unordered_map<std::string, size_t> order;
};

Header parse_header(const std::string& path, std::string_view text) {
  check<DataError>(text.starts_with('{'), path,
                   ": not a safetensors file: the header does not start with '{'");
  Header header;
  std::vector<std::unordered_set<std::string>> seen;
  auto visit = [&](int depth, json::parse_event_t event, json& value) {
    check<DataError>(depth <= max_depth, path, ": damaged: the header nests too deeply");
    if (event == json::parse_event_t::object_start) seen.emplace_back();
    if (event == json::parse_event_t::object_end) seen.pop_back();
    if (event == json::parse_event_t::key) {
      const std::string& name = value.get_ref<const std::string&>();
      check<DataError>(seen.back().insert(name).second, path, ": damaged: the name '", name,
                       "' stands twice in the header");
      if (depth == 1) header.order.emplace(name, header.order.size());
    }
    return true;
  };
  try {
    header.names = json::parse(text.begin(), text.end(), visit);
  } catch (const json::parse_error& error) {
    fail<DataError>(path, ": damaged: the header is not JSON, at its byte ", error.byte);
  } catch (const json::out_of_range&) {
    fail<DataError>(path, ": damaged: a number in the header is too large");
  }
  return header;
}

uint64_t dtype_bytes(const std::string& name) {  // 0: not one that is read
  if (name == "F32" || name == "I32") return 4;
  if (name == "F64" || name == "I64") return 8;
  return name == "U8" ? 1 : 0;
}

// The sizes, checked so that no product of them overflows, not even beside a zero.
Shape parse_shape(const std::string& where, const json& sizes) {
  check<DataError>(sizes.is_array(), where, ": 'shape' is not a list");
  check<DataError>(sizes.size() <= Shape::max_rank, where, " has ", sizes.size(), " axes, at most ",
                   int{Shape::max_rank}, " are read");
  std::vector<int64_t> result;
  int64_t product = 8;  // the largest element's bytes
  for (const json& size : sizes) {
    check<DataError>(size.is_number_unsigned(), where, ": the size ", size.dump(),
                     " is not a whole number");
    uint64_t n = size.get<uint64_t>();
    bool overflow = n > uint64_t(std::numeric_limits<int64_t>::max()) ||
                    (n > 0 && __builtin_mul_overflow(product, int64_t(n), &product));
    check<DataError>(!overflow, where, ": the sizes ", sizes.dump(), " overflow");
    result.push_back(static_cast<int64_t>(n));
  }
  return Shape(std::span<const int64_t>(result));
}

Entry parse_entry(const std::string& path, const std::string& name, const json& value) {
  std::string where = path + ": damaged: array '" + name + "'";
  bool complete = value.is_object() && value.size() == 3 && value.contains("dtype") &&
                  value.contains("shape") && value.contains("data_offsets");
  check<DataError>(complete, where, ": expected exactly dtype, shape and data_offsets");
  check<DataError>(value["dtype"].is_string(), where, ": 'dtype' is not text");
  Entry entry{name, value["dtype"].get<std::string>(), parse_shape(where, value["shape"])};
  uint64_t width = dtype_bytes(entry.dtype);
  check<DataError>(width > 0, path, ": array '", name, "' has the type ", entry.dtype,
                   "; F32, F64, I32, I64 and U8 are read");
  const json& offsets = value["data_offsets"];
  check<DataError>(offsets.is_array() && offsets.size() == 2 && offsets[0].is_number_unsigned() &&
                       offsets[1].is_number_unsigned(),
                   where, ": 'data_offsets' is not [begin, end]");
  entry.begin = offsets[0].get<uint64_t>(), entry.end = offsets[1].get<uint64_t>();
  check<DataError>(entry.begin <= entry.end, where, ": its data ends before it begins");
  uint64_t bytes = uint64_t(entry.shape.size()) * width;
  check<DataError>(entry.end - entry.begin == bytes, where, ": shape ", entry.shape, " of ",
                   entry.dtype, " takes ", bytes, " bytes, its offsets span ",
                   entry.end - entry.begin);
  return entry;
}

std::map<std::string, std::string> parse_metadata(const std::string& path, const json& value) {
  check<DataError>(value.is_object(), path, ": damaged: '__metadata__' is not a map");
  std::map<std::string, std::string> metadata;
  for (const auto& [key, text] : value.items()) {
    check<DataError>(text.is_string(), path, ": damaged: metadata '", key, "' is not text");
    metadata[key] = text.get<std::string>();
  }
  return metadata;
}

// Verifies and removes the checksum; false: there is none. `body` is header and data, and is
// changed.
bool verify_checksum(const std::string& path, std::map<std::string, std::string>& metadata,
                     std::string& body) {
  for (const auto& [key, text] : metadata) {
    check<DataError>(text.starts_with(checksum_prefix) == (key == checksum_key), path,
                     ": damaged: the metadata entry '", key, "' holds '", text, "'");
  }
  auto entry = metadata.find(checksum_key);
  if (entry == metadata.end()) return false;
  std::string digits = entry->second.substr(checksum_prefix.size());
  size_t place = body.find('"' + checksum_key + "\":\"" + checksum_prefix);
  check<DataError>(digits.size() == no_digits.size() && place != std::string::npos, path,
                   ": damaged: the checksum is not written as ", checksum_prefix, "16 digits");
  place += checksum_key.size() + checksum_prefix.size() + 4;
  body.replace(place, no_digits.size(), no_digits);
  std::string found = hex(checksum(body));
  check<DataError>(found == digits, path, ": damaged: the checksum does not match (header says ",
                   digits, ", file has ", found, ")");
  metadata.erase(entry);
  return true;
}

Array narrow(const std::string& path, const Entry& entry, const char* bytes) {
  Array array(entry.shape, DType::i32);
  int32_t* values = array.data<int32_t>();
  for (int64_t i = 0; i < array.size(); ++i) {
    int64_t wide;
    std::memcpy(&wide, bytes + 8 * i, 8);
    check<DataError>(wide == int32_t(wide), path, ": array '", entry.name, "': the value ", wide,
                     " of element ", i, " does not fit in 32 bits");
    values[i] = static_cast<int32_t>(wide);
  }
  return array;
}

Array read_array(const std::string& path, const Entry& entry, const char* data) {
  if (entry.dtype == "I64") return narrow(path, entry, data + entry.begin);
  DType dtype = entry.dtype == "F32"   ? DType::f32
                : entry.dtype == "F64" ? DType::f64
                : entry.dtype == "I32" ? DType::i32
                                       : DType::u8;
  Array array(entry.shape, dtype);
  if (array.bytes() > 0) std::memcpy(array.raw(), data + entry.begin, array.bytes());
  return array;
}

// The entries in the order of their data, which they must cover without overlap or hole.
std::vector<Entry> parse_entries(const std::string& path, const Header& header, uint64_t size) {
  std::vector<Entry> entries;
  for (const auto& [name, value] : header.names.items()) {
    if (name == "__metadata__") continue;
    entries.push_back(parse_entry(path, name, value));
    entries.back().order = header.order.at(name);
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.begin, a.end, a.order) < std::tie(b.begin, b.end, b.order);
  });
  uint64_t covered = 0;
  for (const Entry& entry : entries) {
    check<DataError>(entry.begin == covered, path, ": damaged: the data of array '", entry.name,
                     "' begins at byte ", entry.begin, ", expected ", covered);
    covered = entry.end;
  }
  check<DataError>(covered == size, path, covered > size ? ": cut short" : ": damaged",
                   ": the header announces ", covered, " bytes of data, the file holds ", size);
  return entries;
}

const char* safetensors_name(DType dtype) {
  return dtype == DType::f32   ? "F32"
         : dtype == DType::f64 ? "F64"
         : dtype == DType::i32 ? "I32"
                               : "U8";
}

std::string make_header(const std::string& path, const Safetensors& content) {
  std::map<std::string, std::string> metadata = content.metadata;
  for (const auto& [key, text] : metadata) {
    check<DataError>(!text.starts_with(checksum_prefix), path, ": metadata '", key,
                     "' looks like this file's checksum");
  }
  metadata[checksum_key] = checksum_prefix + no_digits;
  std::string header = "{\"__metadata__\":" + json(metadata).dump();
  std::unordered_set<std::string> names = {"__metadata__"};
  int64_t offset = 0;
  for (const auto& [name, array] : content.arrays) {
    check<DataError>(names.insert(name).second, path, ": the name '", name, "' is given twice");
    json entry = {{"dtype", safetensors_name(array.dtype())}, {"shape", array.shape().sizes()}};
    entry["data_offsets"] = {offset, offset + array.bytes()};
    header += "," + json(name).dump() + ":" + entry.dump();
    offset += array.bytes();
  }
  header += "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  return header;
}

}  // namespace

const Array* Safetensors::find(const std::string& name) const {
  for (const auto& [key, array] : arrays) {
    if (key == name) return &array;
  }
  return nullptr;
}

const Array& Safetensors::at(const std::string& name) const {
  const Array* array = find(name);
  check<DataError>(array != nullptr, "safetensors: there is no array '", name, "'");
  return *array;
}

void Safetensors::add(std::string name, Array array) {
  check<DataError>(!find(name), "safetensors: the name '", name, "' is given twice");
  arrays.emplace_back(std::move(name), std::move(array));
}

Safetensors read_safetensors(const std::string& path) {
  std::string body = read_file(path);
  check<DataError>(body.size() >= 8, path, ": cut short: ", body.size(),
                   " bytes, a safetensors file starts with 8 bytes for the header's length");
  uint64_t length;
  std::memcpy(&length, body.data(), 8);
  body.erase(0, 8);
  check<DataError>(length <= max_header, path, ": not a safetensors file: its header would take ",
                   length, " bytes, more than ", max_header);
  check<DataError>(length <= body.size(), path, ": cut short: the header takes ", length,
                   " bytes, the file holds ", body.size(), " after its length");
  Header header = parse_header(path, std::string_view(body).substr(0, length));
  std::vector<Entry> entries = parse_entries(path, header, body.size() - length);
  Safetensors content;
  if (header.names.contains("__metadata__")) {
    content.metadata = parse_metadata(path, header.names["__metadata__"]);
  }
  content.verified = verify_checksum(path, content.metadata, body);
  for (const Entry& entry : entries) {
    content.arrays.emplace_back(entry.name, read_array(path, entry, body.data() + length));
  }
  return content;
}

std::string safetensors_bytes(const std::string& path, const Safetensors& content) {
  std::string header;
  try {
    header = make_header(path, content);
  } catch (const json::type_error&) {
    fail<DataError>(path, ": a name or metadata entry is not UTF-8");
  }
  uint64_t length = header.size();
  std::string file(reinterpret_cast<const char*>(&length), 8);
  file += header;
  for (const auto& [name, array] : content.arrays) {
    Array host = array.bytes() > 0 ? array.to(Device::cpu) : Array();
    if (host.defined()) file.append(static_cast<const char*>(host.raw()), host.bytes());
  }
  std::string entry = '"' + checksum_key + "\":\"" + checksum_prefix;
  std::string digits = hex(checksum(std::string_view(file).substr(8)));
  file.replace(file.find(entry) + entry.size(), digits.size(), digits);
  return file;
}

void write_safetensors(const std::string& path, const Safetensors& content) {
  write_file_atomic(path, safetensors_bytes(path, content));
}

}  // namespace casimir
