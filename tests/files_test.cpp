#include "core/files.h"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>

#include "core/error.h"
#include "tests/message_of.h"
#include "tests/temporary_folder.h"

using namespace casimir;

namespace {

size_t files_in(const std::string& folder) {
  auto begin = std::filesystem::directory_iterator(folder);
  return static_cast<size_t>(std::distance(begin, std::filesystem::directory_iterator()));
}

// Files of this process cannot grow past `bytes` while this lives; a write past it fails with
// EFBIG.
struct FileSizeLimit {
  explicit FileSizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before);
    rlimit limit{bytes, before.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    handler = ::signal(SIGXFSZ, SIG_IGN);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before);
    ::signal(SIGXFSZ, handler);
  }
  rlimit before{};
  void (*handler)(int) = nullptr;
};

std::string counting_bytes(int size) {
  std::string bytes;
  for (int i = 0; i < size; ++i) bytes += static_cast<char>(i * 7 + 3);
  return bytes;
}

}  // namespace

TEST_CASE("files: what was written is read back") {
  TemporaryFolder folder;
  std::string path = folder / "a.bin";
  for (size_t size : {0, 1, 65535, 65536, 300001}) {
    std::string content(size, 'x');
    for (size_t i = 0; i < size; i += 11) content[i] = static_cast<char>(i);
    write_file_atomic(path, content);
    CHECK(read_file(path) == content);
  }
  CHECK(files_in(folder.path()) == 1);  // no temporary file stays
}

TEST_CASE("files: a file without a known size is read to its end") {
  CHECK(read_file("/proc/self/status").starts_with("Name:"));
  CHECK(read_file("/dev/null").empty());
}

TEST_CASE("files: reading what cannot be read") {
  TemporaryFolder folder;
  std::string path = folder / "none.bin";
  CHECK(message_of<MissingError>([&] { read_file(path); }) == path + ": no such file");
  write_file_atomic(folder / "file", "x");
  path = folder / "file/below";
  CHECK(message_of<MissingError>([&] { read_file(path); }) == path + ": no such file");
  CHECK(message_of<IoError>([&] { read_file(folder.path()); }) ==
        folder.path() + ": cannot read: Is a directory");
}

TEST_CASE("files: a failed write says the step and leaves the old file whole and nothing else") {
  TemporaryFolder folder;
  std::string path = folder / "a.bin";
  SUBCASE("no folder") {
    path = folder / "none/a.bin";
    CHECK(message_of<IoError>([&] { write_file_atomic(path, "new"); }) ==
          path + ": cannot create the temporary file beside it: No such file or directory");
    CHECK(files_in(folder.path()) == 0);
  }
  SUBCASE("the name is a folder") {
    std::filesystem::create_directory(path);
    CHECK(message_of<IoError>([&] { write_file_atomic(path, "new"); }) ==
          path + ": cannot rename the temporary file to it: Is a directory");
    CHECK(files_in(folder.path()) == 1);
  }
  SUBCASE("the file grows too large") {
    write_file_atomic(path, "old");
    std::string content(100000, 'x'), message;
    {
      FileSizeLimit limit(40000);
      message = message_of<IoError>([&] { write_file_atomic(path, content); });
    }
    CHECK(message == path + ": cannot write 100000 bytes: File too large");
    CHECK(read_file(path) == "old");
    CHECK(files_in(folder.path()) == 1);
  }
}

TEST_CASE("files: folders are made with those above, listed in order, and files removed") {
  TemporaryFolder folder;
  make_folder(folder / "a/b//c/");
  make_folder(folder / "a");
  CHECK(paths_in(folder / "none").empty());
  for (const char* name : {"z", "x", "y"})
    write_file_atomic(folder / ("a/" + std::string(name)), "");
  CHECK(paths_in(folder / "a") ==
        std::vector<std::string>{folder / "a/b", folder / "a/x", folder / "a/y", folder / "a/z"});
  remove_file(folder / "a/y");
  remove_file(folder / "a/y");
  CHECK(paths_in(folder / "a").size() == 3);
  CHECK(message_of<IoError>([&] { make_folder(folder / "a/x/b"); }) ==
        folder / "a/x: cannot make this folder: Not a directory");
  CHECK(message_of<IoError>([&] { paths_in(folder / "a/x"); }) ==
        folder / "a/x: cannot list this folder: Not a directory");
  CHECK(message_of<IoError>([&] { remove_file(folder / "a/b"); }) ==
        folder / "a/b: cannot remove it: Is a directory");
}

TEST_CASE("files: a path without a folder is in the current one") {
  TemporaryFolder folder;
  std::string before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  write_file_atomic("plain.txt", "here");
  std::filesystem::current_path(before);
  CHECK(read_file(folder / "plain.txt") == "here");
}

// Values of libxxhash 0.8.1 for the bytes 3, 10, 17, ... (each 7 more, modulo 256).
TEST_CASE("files: the checksum is XXH64") {
  struct Case {
    int size;
    uint64_t seed, value;
  };
  const Case cases[] = {
      {0, 0, 0xef46db3751d8e999},    {0, 2654435761, 0xac75fda2929b17ef},
      {1, 0, 0x1f25c8d0bc1f4bb6},    {1, 2654435761, 0x79cf94f5ace37fe1},
      {3, 0, 0x31d2363f52e564c9},    {3, 2654435761, 0x96d2a5e583ddd738},
      {4, 0, 0x9bb64b7d66ee9fda},    {4, 2654435761, 0x4a862fbb4b73776e},
      {7, 0, 0x9a7b149959ce60d8},    {7, 2654435761, 0xddc5cf71d37a6368},
      {8, 0, 0xdab99d95c6f90092},    {8, 2654435761, 0xc6e75e2cbd8e07ee},
      {12, 0, 0xd52e407833af5133},   {12, 2654435761, 0x79b0b158fab0e5d6},
      {31, 0, 0xa2aa5f33cc4a6119},   {31, 2654435761, 0x381822f33376d6b6},
      {32, 0, 0x23c3c17ef790fd97},   {32, 2654435761, 0x9abd315470ac276a},
      {33, 0, 0x50a7cfc7ba588784},   {33, 2654435761, 0x72cdd3262f467933},
      {63, 0, 0x5e3e54b431c7493c},   {63, 2654435761, 0x634da7d265979e61},
      {64, 0, 0x0eb64b3ef6eeb01f},   {64, 2654435761, 0xbcb3847d70525180},
      {100, 0, 0xa61f8d4c170fe531},  {100, 2654435761, 0x86f549ede5ac87e2},
      {1000, 0, 0x5f235fa033f1a3fb}, {1000, 2654435761, 0x83080310ee83cc20},
  };
  for (const Case& c : cases) {
    CAPTURE(c.size);
    CHECK(checksum(counting_bytes(c.size), c.seed) == c.value);
    std::string shifted = "x" + counting_bytes(c.size);  // at an odd address
    CHECK(checksum(std::string_view(shifted).substr(1), c.seed) == c.value);
  }
  CHECK(checksum("a") == 0xd24ec4f1a98c6e5b);
  CHECK(checksum("abc") == 0x44bc2cf5ad770999);
}

TEST_CASE("files: hex has 16 digits") {
  CHECK(hex(0) == "0000000000000000");
  CHECK(hex(0xdeadbeef) == "00000000deadbeef");
  CHECK(hex(~uint64_t{0}) == "ffffffffffffffff");
}
