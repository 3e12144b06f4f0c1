// Damaged model files and checkpoints: cuts, flipped bits, exchanged blocks, and headers that say
// something else in good form. None is read, and none is anything but a DataError with its path.
#include <doctest/doctest.h>

#include <cstring>
#include <functional>
#include <map>

#include "core/files.h"
#include "core/random.h"
#include "tests/program.h"
#include "tests/training_run.h"
#include "trainers/checkpoint.h"
#include "trainers/model_file.h"

using namespace casimir;

namespace {

uint64_t length_of(const std::string& file) {
  uint64_t length;
  std::memcpy(&length, file.data(), 8);
  return length;
}

std::string with_length(std::string file, uint64_t length) {
  std::memcpy(file.data(), &length, 8);
  return file;
}

std::string header_of(const std::string& file) {
  return file.substr(8, length_of(file));
}

// The file with another header, whose length is right, in front of the same data.
std::string with_header(const std::string& file, const std::string& header) {
  return with_length(file.substr(0, 8), header.size()) + header + file.substr(8 + length_of(file));
}

// Where `text` stands in the header, in one of its places, or npos.
size_t place_of(const std::string& header, const std::string& text, Random& random) {
  std::vector<size_t> places;
  for (size_t at = header.find(text); at != std::string::npos; at = header.find(text, at + 1))
    places.push_back(at);
  return places.empty() ? std::string::npos : places[random.below(places.size())];
}

// An array's entry in the header, `"name":{...}`; the first is the metadata's and is left out.
std::string entry_in(const std::string& header, Random& random) {
  const size_t dtype = header.find("\"dtype\"", place_of(header, "{\"data_offsets\"", random));
  const size_t end = header.find('}', dtype) + 1;
  const size_t begin = header.rfind(",\"", header.rfind('{', dtype)) + 1;
  return header.substr(begin, end - begin);
}

std::string exchanged(std::string text, const std::string& a, const std::string& b) {
  const size_t at_a = text.find(a), at_b = text.find(b);
  if (a == b || at_a == std::string::npos || at_b == std::string::npos) return text;
  const auto [first, second] = std::minmax(at_a, at_b);
  const std::string &one = at_a < at_b ? a : b, &two = at_a < at_b ? b : a;
  if (first + one.size() > second) return text;
  text.replace(second, two.size(), one);
  return text.replace(first, one.size(), two);
}

std::string value_of(const std::string& entry, const char* key, char close) {
  const size_t begin = entry.find(std::string("\"") + key + "\":");
  return entry.substr(begin, entry.find(close, begin) + 1 - begin);
}

std::string cut(const std::string& file, Random& random) {
  return file.substr(0, random.below(file.size()));
}

std::string flipped(std::string file, Random& random) {
  for (uint64_t left = 1 + random.below(8); left > 0; --left) {
    const uint64_t bit = random.below(8 * file.size());
    file[bit / 8] = static_cast<char>(file[bit / 8] ^ (1 << bit % 8));
  }
  return file;
}

std::string exchanged_blocks(std::string file, Random& random) {
  const size_t size = 1 + random.below(std::min<size_t>(4096, file.size() / 3));
  const size_t a = random.below(file.size() - 2 * size),
               b = a + size + random.below(file.size() - 2 * size - a);
  std::swap_ranges(file.begin() + a, file.begin() + a + size, file.begin() + b);
  return file;
}

std::string lost_block(std::string file, Random& random) {  // zeros, gone, or there twice
  const size_t size = 1 + random.below(std::min<size_t>(512, file.size() / 2));
  const size_t at = random.below(file.size() - size);
  switch (random.below(3)) {
    case 0:
      return file.replace(at, size, size, '\0');
    case 1:
      return file.erase(at, size);
    default:
      return file.insert(at, file.substr(at, size));
  }
}

std::string grown(const std::string& file, Random& random) {
  return file + std::string(1 + random.below(64), static_cast<char>(random.below(256)));
}

std::string other_length(const std::string& file, Random& random) {
  const uint64_t length = length_of(file);
  switch (random.below(3)) {
    case 0:
      return with_length(file, length ^ (uint64_t{1} << random.below(64)));
    case 1:
      return with_length(file, random.below(file.size()));
    default:
      return with_length(file, length + 1 + random.below(64) - 33);
  }
}

std::string exchanged_arrays(const std::string& file,
                             Random& random) {  // each has the other's data
  const std::string header = header_of(file);
  const std::string a = value_of(entry_in(header, random), "data_offsets", ']'),
                    b = value_of(entry_in(header, random), "data_offsets", ']');
  return with_header(file, exchanged(header, a, b));
}

std::string exchanged_names(const std::string& file, Random& random) {
  const std::string header = header_of(file);
  const std::string a = entry_in(header, random), b = entry_in(header, random);
  return with_header(file, exchanged(header, a.substr(0, a.find('{')), b.substr(0, b.find('{'))));
}

std::string doubled_key(const std::string& file, Random& random) {
  std::string header = header_of(file);
  const std::string entry = entry_in(header, random);
  return with_header(file, header.insert(header.find(entry), entry + ","));
}

std::string lost_key(const std::string& file, Random& random) {
  std::string header = header_of(file);
  const std::string entry = entry_in(header, random);
  return with_header(file, header.erase(header.find(entry) - 1, entry.size() + 1));
}

std::string other_dtype(const std::string& file, Random& random) {
  std::string header = header_of(file), entry = entry_in(header, random);
  const char* names[] = {"F32", "I32", "F64", "I64", "U8", "BF16"};
  const size_t begin = header.find(value_of(entry, "dtype", ','), header.find(entry));
  return with_header(
      file, header.replace(begin, 13, std::string("\"dtype\":\"") + names[random.below(6)] + "\""));
}

std::string other_shape(const std::string& file, Random& random) {
  std::string header = header_of(file), entry = entry_in(header, random);
  const std::string shape = value_of(entry, "shape", ']');
  const size_t begin = header.find(shape, header.find(entry));
  std::string other = "\"shape\":[" + std::to_string(random.below(100)) + "]";
  if (const size_t comma = shape.find(','); comma != std::string::npos && random.below(2))
    other = "\"shape\":[" + shape.substr(comma + 1, shape.size() - comma - 2) + "," +
            shape.substr(9, comma - 9) + "]";
  return with_header(file, header.replace(begin, shape.size(), other));
}

// One digit or letter of the header becomes another: sizes, names, settings, the checksum.
std::string other_letter(const std::string& file, Random& random) {
  std::string header = header_of(file);
  size_t at = random.below(header.size());
  while (!std::isalnum(static_cast<unsigned char>(header[at]))) at = (at + 1) % header.size();
  header[at] = std::isdigit(static_cast<unsigned char>(header[at]))
                   ? static_cast<char>('0' + random.below(10))
                   : static_cast<char>('a' + random.below(26));
  return with_header(file, header);
}

std::string other_padding(const std::string& file, Random& random) {
  return with_header(file, header_of(file) + std::string(1 + random.below(16), ' '));
}

using Damage = std::function<std::string(const std::string&, Random&)>;
const std::map<std::string, Damage> damages{{"cut", cut},
                                            {"bits flipped", flipped},
                                            {"blocks exchanged", exchanged_blocks},
                                            {"a block lost or doubled", lost_block},
                                            {"grown", grown},
                                            {"another header length", other_length},
                                            {"two arrays exchanged", exchanged_arrays},
                                            {"two names exchanged", exchanged_names},
                                            {"a key doubled", doubled_key},
                                            {"a key lost", lost_key},
                                            {"another dtype", other_dtype},
                                            {"another shape", other_shape},
                                            {"another letter", other_letter},
                                            {"other padding", other_padding}};

// What reading the file at `path` gave: "refused", or what else.
std::string answer(const std::string& path, const std::function<void()>& read) {
  try {
    read();
    return "accepted";
  } catch (const DataError& error) {
    return std::string(error.what()).starts_with(path + ": ") ? "refused" : error.what();
  } catch (const std::exception& error) {
    return std::string("another error: ") + error.what();
  }
}

// So many damages of a model file and as many of a checkpoint, each kind in its turn.
void check_damages(int64_t count, uint64_t seed) {
  TemporaryFolder folder;
  write_silicon(folder / "si.xyz", 4);
  RunOptions options = small_run(folder / "si.xyz");
  options.train.epochs = 1;
  REQUIRE(train(request_for(options, folder / "run")) == 0);
  const std::string path = folder / "damaged";
  const std::pair<std::string, std::function<void()>> readers[] = {
      {"model.safetensors", [&] { load_model(path); }},
      {"checkpoints/last.ckpt", [&] { read_checkpoint(path); }}};
  for (const auto& [name, read] : readers) {
    const std::string whole = read_file(folder / "run/" + name);
    write_content(path, whole);
    REQUIRE(answer(path, read) == "accepted");
    auto kind = damages.begin();
    for (int64_t i = 0; i < count; ++i) {
      Random random(random_key(seed + static_cast<uint64_t>(i), name));
      std::string damaged = kind->second(whole, random);
      while (damaged == whole) damaged = kind->second(whole, random);
      write_content(path, damaged);
      const std::string found = answer(path, read);
      CHECK_MESSAGE(found == "refused", name, ", ", kind->first, ", number ", i, ": ", found);
      if (++kind == damages.end()) kind = damages.begin();
    }
  }
}

}  // namespace

TEST_CASE("damage: of 400 damaged models and checkpoints none is read") {
  check_damages(200, 1);
}

TEST_CASE("damage: of 10000 damaged models and checkpoints none is read" *
          doctest::test_suite("slow")) {
  check_damages(5000, 1000);
}

TEST_CASE("damage: a checkpoint that has lost its checksum is refused") {
  TemporaryFolder folder;
  CheckpointFolder checkpoints(folder.path(), 1);
  Checkpoint checkpoint;
  checkpoint.arrays.add("parameters", Array::from(std::vector<float>{1, 2}));
  checkpoints.save(checkpoint, false);
  const std::string path = checkpoints.list()[0], whole = read_file(path);
  std::string header = header_of(whole);
  const size_t begin = header.find("\"checksum\":");
  header.erase(begin, header.find("\",\"", begin) + 2 - begin);
  write_content(path, with_header(whole, header));
  CHECK_THROWS_WITH_AS(read_checkpoint(path), (path + ": damaged: its checksum is missing").c_str(),
                       DataError);
}
