#include <zlib.h>

#include <algorithm>

#include "core/error.h"
#include "core/files.h"
#include "datasets/extxyz.h"
#include "datasets/extxyz_line.h"

namespace casimir {
namespace {
using namespace extxyz;

void append(std::string& out, const Vec3& v) {
  for (double x : v) out += ' ' + shortest(x);
}

std::string comment_line(const Frame& frame, const ExtxyzKeys& keys) {
  Pairs pairs;
  if (std::any_of(frame.cell.begin(), frame.cell.end(), [](double x) { return x != 0; }))
    pairs.emplace_back("Lattice", extxyz_value(frame.cell));
  std::string properties = "species:S:1:pos:R:3";
  if (!frame.forces.empty()) properties += ":" + keys.forces + ":R:3";
  for (const Frame::Column& column : frame.columns)
    properties += ":" + column.name + ":" + column.kind + ":" + std::to_string(column.width);
  pairs.emplace_back("Properties", quote(properties));
  if (frame.energy) pairs.emplace_back(keys.energy, shortest(*frame.energy));
  if (frame.stress) pairs.emplace_back(keys.stress, extxyz_value(*frame.stress));
  if (frame.config_type != "Default")
    pairs.emplace_back(keys.config_type, quote(frame.config_type));
  for (auto [name, weight] : {std::pair("config_weight", frame.weight),
                              std::pair("config_energy_weight", frame.energy_weight),
                              std::pair("config_forces_weight", frame.forces_weight),
                              std::pair("config_stress_weight", frame.stress_weight)})
    if (weight != 1) pairs.emplace_back(name, shortest(weight));
  for (const auto& [key, value] : frame.info) {
    for (const auto& [other, unused] : pairs)
      check<Error>(key != other, "write_extxyz: ", frame.where(), ": the key '", key,
                   "' is both a label and among the other pairs");
    pairs.emplace_back(key, value);
  }
  std::string flags;
  for (bool periodic : frame.pbc) flags += periodic ? "T " : "F ";
  pairs.emplace_back("pbc", '"' + flags.substr(0, 5) + '"');

  std::string line;
  for (const auto& [key, value] : pairs) {
    if (!line.empty()) line += ' ';
    line += quote(key);
    if (!value.empty()) line += '=', line += value;
  }
  return line;
}

void append_frame(std::string& out, const Frame& frame, const ExtxyzKeys& keys) {
  size_t n = frame.size();
  check<Error>(n > 0 && frame.positions.size() == n, "write_extxyz: ", n, " atoms, ",
               frame.positions.size(), " positions");
  check<Error>(frame.forces.empty() || frame.forces.size() == n, "write_extxyz: ", n, " atoms, ",
               frame.forces.size(), " forces");
  for (const Frame::Column& column : frame.columns)
    check<Error>(column.text.size() == n * column.width, "write_extxyz: column ", column.name,
                 " has ", column.text.size(), " values for ", n, " atoms");
  out += std::to_string(n) + '\n' + comment_line(frame, keys) + '\n';
  for (size_t i = 0; i < n; ++i) {
    out += symbol_of(frame.numbers[i]);
    append(out, frame.positions[i]);
    if (!frame.forces.empty()) append(out, frame.forces[i]);
    for (const Frame::Column& column : frame.columns)
      for (int k = 0; k < column.width; ++k) out += ' ' + column.text[i * column.width + k];
    out += '\n';
  }
}

// The header carries no time, so that the same frames make the same file.
std::string gzip(const std::string& text) {
  z_stream stream{};
  check<Error>(deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 16 + MAX_WBITS, 8,
                            Z_DEFAULT_STRATEGY) == Z_OK,
               "write_extxyz: zlib does not start");
  std::string out;
  std::vector<char> buffer(1 << 18);
  size_t taken = 0;
  int status = Z_OK;
  while (status == Z_OK) {
    size_t piece = std::min<size_t>(text.size() - taken, 1 << 30);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data() + taken));
    stream.avail_in = static_cast<uInt>(piece);
    stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream.avail_out = static_cast<uInt>(buffer.size());
    status = deflate(&stream, taken + piece == text.size() ? Z_FINISH : Z_NO_FLUSH);
    taken += piece - stream.avail_in;
    out.append(buffer.data(), buffer.size() - stream.avail_out);
  }
  deflateEnd(&stream);
  check<Error>(status == Z_STREAM_END, "write_extxyz: zlib failed with ", status);
  return out;
}

}  // namespace

std::string extxyz_value(std::span<const double> numbers) {
  std::string text;
  for (double x : numbers) {
    if (!text.empty()) text += ' ';
    text += shortest(x);
  }
  return numbers.size() == 1 ? text : quote(text);
}

Frame::Column extxyz_column(const std::string& name, std::span<const Vec3> rows) {
  Frame::Column column{name, 'R', 3, {}};
  column.text.reserve(rows.size() * 3);
  for (const Vec3& row : rows)
    for (double x : row) column.text.push_back(shortest(x));
  return column;
}

std::string extxyz_text(const std::vector<Frame>& frames, const ExtxyzKeys& keys) {
  std::string text;
  for (const Frame& frame : frames) append_frame(text, frame, keys);
  return text;
}

void write_extxyz(const std::string& path, const std::vector<Frame>& frames,
                  const ExtxyzKeys& keys) {
  std::string text = extxyz_text(frames, keys);
  bool compressed = path.size() >= 3 && path.compare(path.size() - 3, 3, ".gz") == 0;
  write_file_atomic(path, compressed ? gzip(text) : text);
}

}  // namespace casimir
