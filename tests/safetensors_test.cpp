#include "core/safetensors.h"

#include <doctest/doctest.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "core/files.h"
#include "tests/message_of.h"
#include "tests/temporary_folder.h"

using namespace casimir;

namespace {

// A file with this header and so many bytes of data, as another program could write it.
std::string file_of(const std::string& header, size_t data_bytes) {
  uint64_t length = header.size();
  std::string file(reinterpret_cast<const char*>(&length), 8);
  return file + header + std::string(data_bytes, '\1');
}

// Without the syncs of a safe write; a fresh file, since some file systems sync an emptied one.
void put(const std::string& path, const std::string& bytes) {
  std::filesystem::remove(path);
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

Safetensors small_content() {
  Safetensors content;
  content.metadata = {{"kind", "mace"}, {"quoted \"text\"", "two\nlines, é"}};
  content.add("weight", Array::from<float>({1.5f, -2, 3, 4, 5, 6}, {2, 3}));
  content.add("mask", Array::from<uint8_t>({1, 0, 255}));  // what follows is not aligned
  content.add("energy", Array::from<double>({-1.25e300, 0.1}, {2, 1, 1}));
  content.add("empty", Array::from<float>(std::vector<float>(), {0, 4}));
  content.add("scalar", Array::from<int32_t>({-7}, {}));
  return content;
}

void check_same(const Array& found, const Array& expected) {
  REQUIRE(found.dtype() == expected.dtype());
  REQUIRE(found.shape() == expected.shape());
  if (found.bytes() > 0) CHECK(std::memcmp(found.raw(), expected.raw(), found.bytes()) == 0);
}

// A field of 64 bits in front of everything, then `header`, then data.
struct BadFile {
  const char* name;
  std::string bytes;
  std::string message;  // after "PATH: "
};

std::vector<BadFile> bad_files() {
  std::string absurd = "\xff\xff\xff\xff\xff\xff\xff\x7f{}";
  std::string two = R"({"a":)" + entry("F32", "[2]", "[0,8]") + R"(,"b":)";
  std::string deep = R"({"a":{"dtype":"F32","shape":[[[1]]],"data_offsets":[0,4]}})";
  return {
      {"empty file", "",
       "cut short: 0 bytes, a safetensors file starts with 8 bytes for the header's length"},
      {"five bytes", "12345",
       "cut short: 5 bytes, a safetensors file starts with 8 bytes for the header's length"},
      {"absurd header", absurd,
       "not a safetensors file: its header would take 9223372036854775807 bytes, more than "
       "100000000"},
      {"text", "energies and forces",
       "not a safetensors file: its header would take 8315168180031286885 bytes, more than "
       "100000000"},
      {"header cut", file_of("{}          ", 0).substr(0, 13),
       "cut short: the header takes 12 bytes, the file holds 5 after its length"},
      {"not JSON", file_of("{\"a\":}", 0), "damaged: the header is not JSON, at its byte 6"},
      {"huge number", file_of("{\"a\":1e999}", 0), "damaged: a number in the header is too large"},
      {"text after the JSON", file_of("{} x", 0), "damaged: the header is not JSON, at its byte 4"},
      {"not UTF-8", file_of("{\"\xff\":{}}", 0), "damaged: the header is not JSON, at its byte 3"},
      {"a list", file_of("[]", 0), "not a safetensors file: the header does not start with '{'"},
      {"leading space", file_of(" {}", 0),
       "not a safetensors file: the header does not start with '{'"},
      {"name twice",
       file_of(two.substr(0, two.size() - 4) + R"("a":)" + entry("F32", "[2]", "[8,16]") + "}", 16),
       "damaged: the name 'a' stands twice in the header"},
      {"field twice",
       file_of(R"({"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4),
       "damaged: the name 'dtype' stands twice in the header"},
      {"deep", file_of(deep, 4), "damaged: the header nests too deeply"},
      {"missing field", file_of(R"({"a":{"dtype":"F32","shape":[1]}})", 4),
       "damaged: array 'a': expected exactly dtype, shape and data_offsets"},
      {"further field",
       file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}})", 4),
       "damaged: array 'a': expected exactly dtype, shape and data_offsets"},
      {"array is text", file_of(R"({"a":"F32"})", 0),
       "damaged: array 'a': expected exactly dtype, shape and data_offsets"},
      {"dtype is a number", file_of(R"({"a":{"dtype":1,"shape":[1],"data_offsets":[0,4]}})", 4),
       "damaged: array 'a': 'dtype' is not text"},
      {"unknown dtype", file_of(R"({"a":)" + entry("BF16", "[2]", "[0,4]") + "}", 4),
       "array 'a' has the type BF16; F32, F64, I32, I64 and U8 are read"},
      {"shape is a number", file_of(R"({"a":)" + entry("F32", "2", "[0,8]") + "}", 8),
       "damaged: array 'a': 'shape' is not a list"},
      {"negative size", file_of(R"({"a":)" + entry("F32", "[-1]", "[0,4]") + "}", 4),
       "damaged: array 'a': the size -1 is not a whole number"},
      {"fractional size", file_of(R"({"a":)" + entry("F32", "[1.0]", "[0,4]") + "}", 4),
       "damaged: array 'a': the size 1.0 is not a whole number"},
      {"seven axes", file_of(R"({"a":)" + entry("U8", "[1,1,1,1,1,1,1]", "[0,1]") + "}", 1),
       "damaged: array 'a' has 7 axes, at most 6 are read"},
      {"product overflows",
       file_of(R"({"a":)" + entry("U8", "[4294967296,4294967296]", "[0,0]") + "}", 0),
       "damaged: array 'a': the sizes [4294967296,4294967296] overflow"},
      {"overflow beside zero",
       file_of(R"({"a":)" + entry("U8", "[4294967296,4294967296,0]", "[0,0]") + "}", 0),
       "damaged: array 'a': the sizes [4294967296,4294967296,0] overflow"},
      {"size of 64 bits",
       file_of(R"({"a":)" + entry("U8", "[18446744073709551615]", "[0,0]") + "}", 0),
       "damaged: array 'a': the sizes [18446744073709551615] overflow"},
      {"one offset", file_of(R"({"a":)" + entry("F32", "[1]", "[0]") + "}", 4),
       "damaged: array 'a': 'data_offsets' is not [begin, end]"},
      {"negative offset", file_of(R"({"a":)" + entry("F32", "[1]", "[-4,0]") + "}", 4),
       "damaged: array 'a': 'data_offsets' is not [begin, end]"},
      {"offsets swapped", file_of(R"({"a":)" + entry("F32", "[1]", "[4,0]") + "}", 4),
       "damaged: array 'a': its data ends before it begins"},
      {"wrong span", file_of(R"({"a":)" + entry("F32", "[3]", "[0,8]") + "}", 8),
       "damaged: array 'a': shape [3] of F32 takes 12 bytes, its offsets span 8"},
      {"hole", file_of(two + entry("U8", "[2]", "[9,11]") + "}", 11),
       "damaged: the data of array 'b' begins at byte 9, expected 8"},
      {"overlap", file_of(two + entry("U8", "[2]", "[7,9]") + "}", 9),
       "damaged: the data of array 'b' begins at byte 7, expected 8"},
      {"does not begin at 0", file_of(R"({"a":)" + entry("U8", "[2]", "[1,3]") + "}", 3),
       "damaged: the data of array 'a' begins at byte 1, expected 0"},
      {"data cut", file_of(R"({"a":)" + entry("F64", "[64]", "[0,512]") + "}", 300),
       "cut short: the header announces 512 bytes of data, the file holds 300"},
      {"data after the end", file_of(two + entry("U8", "[2]", "[8,10]") + "}", 11),
       "damaged: the header announces 10 bytes of data, the file holds 11"},
      {"metadata is a list", file_of(R"({"__metadata__":[]})", 0),
       "damaged: '__metadata__' is not a map"},
      {"metadata is a number", file_of(R"({"__metadata__":{"a":1}})", 0),
       "damaged: metadata 'a' is not text"},
      {"checksum of another form", file_of(R"({"__metadata__":{"checksum":"12"}})", 0),
       "damaged: the metadata entry 'checksum' holds '12'"},
      {"checksum under another name",
       file_of(R"({"__metadata__":{"chfcksum":"xxh64-of-file:0123456789abcdef"}})", 0),
       "damaged: the metadata entry 'chfcksum' holds 'xxh64-of-file:0123456789abcdef'"},
      {"checksum cut", file_of(R"({"__metadata__":{"checksum":"xxh64-of-file:0123"}})", 0),
       "damaged: the checksum is not written as xxh64-of-file:16 digits"},
      {"wrong checksum",
       file_of(R"({"__metadata__":{"checksum":"xxh64-of-file:0123456789abcdef"}})", 0),
       "damaged: the checksum does not match (header says 0123456789abcdef, file has "
       "cf6cdce476f5b59f)"},
  };
}

}  // namespace

TEST_CASE("safetensors: what was written is read back, in order") {
  TemporaryFolder folder;
  std::string path = folder / "a.safetensors";
  Safetensors content = small_content();
  write_safetensors(path, content);
  Safetensors found = read_safetensors(path);
  CHECK(found.metadata == content.metadata);
  REQUIRE(found.arrays.size() == content.arrays.size());
  for (size_t i = 0; i < content.arrays.size(); ++i) {
    CAPTURE(i);
    CHECK(found.arrays[i].first == content.arrays[i].first);
    check_same(found.arrays[i].second, content.arrays[i].second);
  }
  CHECK(found.find("nothing") == nullptr);
  CHECK(found.at("scalar").data<int32_t>()[0] == -7);
}

TEST_CASE("safetensors: the same content gives the same bytes") {
  TemporaryFolder folder;
  write_safetensors(folder / "a", small_content());
  write_safetensors(folder / "b", read_safetensors(folder / "a"));
  std::string bytes = read_file(folder / "a");
  CHECK(read_file(folder / "b") == bytes);
  uint64_t length;
  std::memcpy(&length, bytes.data(), 8);
  CHECK(length % 8 == 0);
  std::string header = bytes.substr(8, length);
  CHECK(header.starts_with(R"({"__metadata__":{"checksum":"xxh64-of-file:)"));
  CHECK(header.find(R"("mask":{"data_offsets":[24,27],"dtype":"U8","shape":[3]})") !=
        std::string::npos);
}

TEST_CASE("safetensors: an empty file has no arrays") {
  TemporaryFolder folder;
  write_safetensors(folder / "a", {});
  CHECK(read_safetensors(folder / "a").arrays.empty());
  put(folder / "b", file_of("{}", 0));
  CHECK(read_safetensors(folder / "b").metadata.empty());
}

// Written by the reference library safetensors (tests/reference/make_e3nn.py): D^l of 4 rotations.
TEST_CASE("safetensors: reads a file of the reference library") {
  Safetensors file = read_safetensors(CASIMIR_SOURCE_DIR "/tests/reference/e3nn.safetensors");
  const Array& scalar = file.at("D/0");
  CHECK(scalar.shape() == Shape{4, 1, 1});
  CHECK(scalar.to_vector<double>() == std::vector<double>{1, 1, 1, 1});
  CHECK(file.at("D/11").shape() == Shape{4, 23, 23});
}

TEST_CASE("safetensors: I64 becomes i32 when it fits") {
  TemporaryFolder folder;
  std::string path = folder / "a";
  std::string file = file_of(R"({"n":)" + entry("I64", "[2]", "[0,16]") + "}", 0);
  auto with = [&](int64_t a, int64_t b) {
    int64_t values[] = {a, b};
    return file + std::string(reinterpret_cast<const char*>(values), 16);
  };
  put(path, with(-2147483648, 2147483647));
  CHECK(read_safetensors(path).at("n").to_vector<int32_t>() ==
        std::vector<int32_t>{-2147483647 - 1, 2147483647});
  put(path, with(0, 5000000000));
  CHECK(message_of<DataError>([&] { read_safetensors(path); }) ==
        path + ": array 'n': the value 5000000000 of element 1 does not fit in 32 bits");
}

TEST_CASE("safetensors: every kind of bad file is named") {
  TemporaryFolder folder;
  std::string path = folder / "model.safetensors";
  for (const BadFile& bad : bad_files()) {
    CAPTURE(bad.name);
    put(path, bad.bytes);
    CHECK(message_of<DataError>([&] { read_safetensors(path); }) == path + ": " + bad.message);
  }
  CHECK(message_of<MissingError>([&] { read_safetensors(folder / "none"); }) ==
        folder / "none: no such file");
}

TEST_CASE("safetensors: a file cut anywhere is refused") {
  TemporaryFolder folder;
  write_safetensors(folder / "whole", small_content());
  std::string bytes = read_file(folder / "whole");
  std::string path = folder / "cut";
  for (size_t size = 0; size < bytes.size(); ++size) {
    CAPTURE(size);
    put(path, bytes.substr(0, size));
    CHECK(message_of<DataError>([&] { read_safetensors(path); }).starts_with(path + ": cut short"));
  }
}

TEST_CASE("safetensors: every flipped bit is refused") {
  TemporaryFolder folder;
  write_safetensors(folder / "whole", small_content());
  std::string bytes = read_file(folder / "whole");
  std::string path = folder / "flipped";
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    CAPTURE(bit);
    std::string damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    put(path, damaged);
    CHECK(message_of<DataError>([&] { read_safetensors(path); }).starts_with(path + ": "));
  }
}

TEST_CASE("safetensors: names are unique, and what cannot be written is refused") {
  TemporaryFolder folder;
  std::string path = folder / "a";
  Safetensors content;
  content.add("a", Array::from<float>({1}));
  auto again = [&] { content.add("a", Array::from<float>({2})); };
  CHECK(message_of<DataError>(again) == "safetensors: the name 'a' is given twice");
  CHECK(message_of<DataError>([&] { content.at("b"); }) == "safetensors: there is no array 'b'");

  auto write = [&] { write_safetensors(path, content); };
  content.arrays.emplace_back("a", Array::from<float>({2}));
  CHECK(message_of<DataError>(write) == path + ": the name 'a' is given twice");
  content.arrays = {{"\xff", Array::from<float>({2})}};
  CHECK(message_of<DataError>(write) == path + ": a name or metadata entry is not UTF-8");
  content.arrays.clear();
  content.metadata["x"] = "xxh64-of-file:0";
  CHECK(message_of<DataError>(write) == path + ": metadata 'x' looks like this file's checksum");
}
