#include "datasets/extxyz.h"

#include <zlib.h>

#include <algorithm>
#include <array>

#include "core/error.h"
#include "core/files.h"
#include "datasets/extxyz_line.h"

namespace casimir {
namespace {
using namespace extxyz;

bool has_gzip_magic(std::string_view bytes) {
  return bytes.size() >= 2 && bytes[0] == '\x1f' && bytes[1] == '\x8b';
}

// All members of a gzip file; zero bytes may follow the last one.
std::string gunzip(const std::string& path, std::string_view bytes) {
  std::string text;
  std::vector<char> buffer(1 << 18);
  while (!bytes.empty() && bytes.find_first_not_of('\0') != std::string_view::npos) {
    check<DataError>(has_gzip_magic(bytes), path, ": unknown bytes after the gzip data");
    z_stream stream{};
    check<Error>(inflateInit2(&stream, 16 + MAX_WBITS) == Z_OK, path, ": zlib does not start");
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    int status = Z_OK;
    size_t taken = 0;
    while (status == Z_OK) {
      stream.avail_in = static_cast<uInt>(std::min<size_t>(bytes.size() - taken, 1 << 30));
      size_t given = stream.avail_in;
      stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
      stream.avail_out = static_cast<uInt>(buffer.size());
      status = inflate(&stream, Z_NO_FLUSH);
      taken += given - stream.avail_in;
      text.append(buffer.data(), buffer.size() - stream.avail_out);
    }
    std::string reason = stream.msg ? stream.msg : "unknown fault";
    inflateEnd(&stream);
    check<DataError>(status != Z_BUF_ERROR, path, ": the gzip data end early (truncated file)");
    check<DataError>(status == Z_STREAM_END, path, ": damaged gzip data: ", reason);
    bytes.remove_prefix(taken);
  }
  return text;
}

// One past the UTF-8 character at i; 0 when there is none.
size_t end_of_utf8(std::string_view text, size_t i) {
  auto byte = static_cast<unsigned char>(text[i]);
  size_t length = byte >= 0xF0 && byte < 0xF5 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC2 ? 2 : 0;
  if (byte >= 0xF5 || length == 0 || i + length > text.size()) return 0;
  for (size_t k = 1; k < length; ++k)
    if ((text[i + k] & 0xC0) != 0x80) return 0;
  return i + length;
}

void check_text(const std::string& path, std::string_view text) {
  static const auto plain = [] {
    std::array<bool, 256> table{};
    for (int c = 0x20; c < 0x7F; ++c) table[c] = true;
    for (char c : {'\t', '\n', '\r', '\f', '\v'}) table[static_cast<unsigned char>(c)] = true;
    return table;
  }();
  for (size_t i = 0; i < text.size();) {
    if (plain[static_cast<unsigned char>(text[i])]) {
      ++i;
      continue;
    }
    size_t next = static_cast<unsigned char>(text[i]) >= 0x80 ? end_of_utf8(text, i) : 0;
    if (next == 0)
      fail<DataError>(path, ": line ", 1 + std::count(text.begin(), text.begin() + i, '\n'),
                      ": not text: ", shown(text.substr(i, 1)));
    i = next;
  }
}

std::string load(const std::string& path) {
  std::string bytes = read_file(path);
  bool named_gzip = path.size() >= 3 && path.compare(path.size() - 3, 3, ".gz") == 0;
  check<DataError>(!named_gzip || has_gzip_magic(bytes), path,
                   ": the name ends in .gz, but the file is not gzip");
  std::string text = has_gzip_magic(bytes) ? gunzip(path, bytes) : std::move(bytes);
  check_text(path, text);
  return text;
}

// Where a frame lies in the text; the index is made before any frame is read.
struct Span {
  size_t begin = 0;  // of the comment line
  int64_t line = 0;  // number of the comment line, from 1
  int64_t atoms = 0;
};

int64_t parse_count(const Place& place, std::string_view line, size_t bytes_left) {
  auto count = parse_integer(strip(line));
  check<DataError>(count && *count >= 0, place, "expected the number of atoms, found ",
                   shown(strip(line)));
  check<DataError>(*count > 0, place, "a frame without atoms");
  // Every line takes a byte, all but the last with its end two.
  check<DataError>(static_cast<uint64_t>(*count) <= (bytes_left + 1) / 2, place, *count,
                   " atoms announced, but only ", bytes_left, " bytes follow");
  return *count;
}

// Adds the frames in the order of the file, so that those before a fault are there when it throws.
void index_frames(const std::string& path, std::string_view text, std::vector<Span>& frames) {
  std::string_view rest = text;
  int64_t line = 0;
  while (!rest.empty()) {
    std::string_view first = take_line(rest);
    Place place{path, static_cast<int64_t>(frames.size()), ++line};
    if (strip(first).empty() && rest.find_first_not_of(" \t\r\n\f\v") == std::string_view::npos)
      break;
    Span frame{text.size() - rest.size(), line + 1, parse_count(place, first, rest.size())};
    check<DataError>(!rest.empty(), place, "the file ends before the comment line");
    take_line(rest);
    for (int64_t i = 0; i < frame.atoms; ++i, take_line(rest))
      if (rest.empty())
        fail<DataError>(place, "the file ends after ", i, " of ", frame.atoms, " atoms");
    line += frame.atoms + 1;
    frames.push_back(frame);
  }
  check<DataError>(!frames.empty(), path, ": no frames");
}

// Python's slices of n items: the chosen positions.
std::vector<int64_t> select(const std::string& path, const std::string& index, int64_t n) {
  std::vector<std::optional<int64_t>> parts;
  std::string_view rest = index;
  bool good = !rest.empty();
  for (bool more = true; more && good;) {
    size_t colon = rest.find(':');
    std::string_view part = strip(rest.substr(0, colon));
    parts.push_back(parse_integer(part));
    good = part.empty() || parts.back().has_value();
    more = colon != std::string_view::npos;
    if (more) rest.remove_prefix(colon + 1);
  }
  good = good && parts.size() <= 3 && (parts.size() > 1 || parts[0]);
  int64_t step = good && parts.size() == 3 && parts[2] ? *parts[2] : 1;
  check<ConfigError>(good && step != 0, path, ": index ", shown(index),
                     ": expected a slice like ':', '0:450', '::2', '-50:', or one number");
  std::vector<int64_t> chosen;
  if (parts.size() == 1) {
    int64_t i = *parts[0] < 0 ? *parts[0] + n : *parts[0];
    if (i >= 0 && i < n) chosen.push_back(i);
  } else {
    int64_t low = step > 0 ? 0 : -1, high = step > 0 ? n : n - 1;
    auto bound = [&](const std::optional<int64_t>& value, int64_t otherwise) {
      if (!value) return otherwise;
      return std::clamp(*value < 0 ? *value + n : *value, low, high);
    };
    int64_t begin = bound(parts[0], step > 0 ? low : high);
    int64_t end = bound(parts[1], step > 0 ? high : low);
    step = std::clamp(step, -n, n);  // so that it cannot overflow
    for (int64_t i = begin; step > 0 ? i < end : i > end; i += step) chosen.push_back(i);
  }
  check<DataError>(!chosen.empty(), path, ": index ", shown(index), " selects none of the ", n,
                   " frames");
  return chosen;
}

}  // namespace

std::vector<Frame> read_extxyz(const std::string& path, const ExtxyzKeys& keys,
                               const std::string& index) {
  const std::string text = load(path);
  std::vector<Span> spans;
  auto read = [&](int64_t i) {
    const Span& span = spans[i];
    std::string_view body = std::string_view(text).substr(span.begin);
    return read_frame({path, i, span.line}, keys, body, span.atoms);
  };
  try {
    index_frames(path, text, spans);
  } catch (const DataError&) {
    // A wrong atom count shows only in the next frame: the frame before says what is wrong.
    if (!spans.empty()) read(static_cast<int64_t>(spans.size()) - 1);
    throw;
  }
  std::vector<Frame> frames;
  for (int64_t i : select(path, index, static_cast<int64_t>(spans.size())))
    frames.push_back(read(i));
  return frames;
}

}  // namespace casimir
