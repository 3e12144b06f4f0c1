#include "core/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "core/error.h"

namespace casimir {

namespace fs = std::filesystem;

namespace {

std::string system_words(int code) {
  return std::generic_category().message(code);
}

// A file descriptor that is closed at the end of the scope, unless close() did it before.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }
  bool valid() const { return number_ >= 0; }
  bool close() {  // Linux frees the number even when a signal interrupts
    int number = number_;
    number_ = -1;
    return ::close(number) == 0 || errno == EINTR;
  }

 private:
  int number_;
};

// Removes the file at the end of the scope unless it was published.
struct TemporaryFile {
  std::string path;
  bool published = false;
  ~TemporaryFile() {
    if (!published) ::unlink(path.c_str());
  }
};

std::string folder_of(const std::string& path) {
  size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

void write_all(int descriptor, const std::string& path, std::string_view content) {
  size_t done = 0;
  while (done < content.size()) {
    ssize_t n = retry([&] { return ::write(descriptor, &content[done], content.size() - done); });
    if (n < 0) {
      int code = errno;
      fail<IoError>(path, ": cannot write ", content.size(), " bytes: ", system_words(code));
    }
    done += static_cast<size_t>(n);
  }
}

void sync_folder(const std::string& path) {
  Descriptor folder(
      retry([&] { return ::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  // Some network file systems cannot sync a folder and say EINVAL; the file itself is safe there.
  if (!folder.valid() ||
      (retry([&] { return ::fsync(folder.number()); }) != 0 && errno != EINVAL)) {
    int code = errno;
    fail<IoError>(path, ": cannot sync the folder: ", system_words(code));
  }
}

}  // namespace

std::string read_file(const std::string& path) {
  Descriptor file(retry([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); }));
  if (!file.valid()) {
    int code = errno;
    if (code == ENOENT || code == ENOTDIR) fail<MissingError>(path, ": no such file");
    fail<IoError>(path, ": cannot open: ", system_words(code));
  }
  // One byte more than announced, so that the read after the last one finds the end.
  struct stat status {};
  bool regular = ::fstat(file.number(), &status) == 0 && S_ISREG(status.st_mode);
  std::string content(regular ? static_cast<size_t>(status.st_size) + 1 : 65536, '\0');
  size_t done = 0;
  while (true) {
    if (done == content.size()) content.resize(2 * done);
    ssize_t n = retry([&] { return ::read(file.number(), &content[done], content.size() - done); });
    if (n < 0) {
      int code = errno;
      fail<IoError>(path, ": cannot read: ", system_words(code));
    }
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  content.resize(done);
  return content;
}

void write_file_atomic(const std::string& path, std::string_view content) {
  auto stop = [&](const char* step) {
    int code = errno;
    fail<IoError>(path, ": cannot ", step, ": ", system_words(code));
  };
  TemporaryFile temporary{path + ".tmp." + std::to_string(::getpid())};
  Descriptor file(retry([&] {
    return ::open(temporary.path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  }));
  if (!file.valid()) stop("create the temporary file beside it");
  write_all(file.number(), path, content);
  if (retry([&] { return ::fsync(file.number()); }) != 0) stop("sync the temporary file");
  if (!file.close()) stop("close the temporary file");
  if (::rename(temporary.path.c_str(), path.c_str()) != 0) stop("rename the temporary file to it");
  temporary.published = true;
  sync_folder(path);
}

void make_folder(const std::string& path) {
  std::error_code ignored;
  if (path.empty() || fs::is_directory(path, ignored)) return;
  make_folder(fs::path(path).parent_path());
  if (::mkdir(path.c_str(), 0777) != 0) {
    int code = errno == EEXIST ? ENOTDIR : errno;  // or another process was quicker
    check<IoError>(fs::is_directory(path, ignored), path,
                   ": cannot make this folder: ", system_words(code));
  }
  sync_folder(path);
}

void remove_file(const std::string& path) {
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return;
  int code = errno;
  fail<IoError>(path, ": cannot remove it: ", system_words(code));
}

std::vector<std::string> paths_in(const std::string& folder) {
  std::vector<std::string> paths;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    paths.push_back(folder + "/" + at->path().filename().string());
  if (error == std::errc::no_such_file_or_directory) return {};
  check<IoError>(!error, folder, ": cannot list this folder: ", error.message());
  std::sort(paths.begin(), paths.end());
  return paths;
}

// XXH64 as in the xxHash specification (github.com/Cyan4973/xxHash, doc/xxhash_spec.md).
namespace {
constexpr uint64_t prime1 = 0x9E3779B185EBCA87, prime2 = 0xC2B2AE3D27D4EB4F,
                   prime3 = 0x165667B19E3779F9, prime4 = 0x85EBCA77C2B2AE63,
                   prime5 = 0x27D4EB2F165667C5;

template <class Word>
uint64_t load(const char* from) {  // little-endian, any alignment
  Word word;
  std::memcpy(&word, from, sizeof word);
  return word;
}
uint64_t round(uint64_t lane, uint64_t word) {
  return std::rotl(lane + word * prime2, 31) * prime1;
}
uint64_t merge(uint64_t hash, uint64_t lane) {
  return (hash ^ round(0, lane)) * prime1 + prime4;
}
}  // namespace

uint64_t checksum(std::string_view bytes, uint64_t seed) {
  const char* p = bytes.data();
  const char* end = p + bytes.size();
  uint64_t hash = seed + prime5;
  if (bytes.size() >= 32) {
    uint64_t lanes[4] = {seed + prime1 + prime2, seed + prime2, seed, seed - prime1};
    for (; end - p >= 32; p += 32) {
      for (int i = 0; i < 4; ++i) lanes[i] = round(lanes[i], load<uint64_t>(p + 8 * i));
    }
    hash = std::rotl(lanes[0], 1) + std::rotl(lanes[1], 7) + std::rotl(lanes[2], 12) +
           std::rotl(lanes[3], 18);
    for (uint64_t lane : lanes) hash = merge(hash, lane);
  }
  hash += bytes.size();
  for (; end - p >= 8; p += 8) {
    hash = std::rotl(hash ^ round(0, load<uint64_t>(p)), 27) * prime1 + prime4;
  }
  if (end - p >= 4) {
    hash = std::rotl(hash ^ (load<uint32_t>(p) * prime1), 23) * prime2 + prime3;
    p += 4;
  }
  for (; p < end; ++p) hash = std::rotl(hash ^ (load<uint8_t>(p) * prime5), 11) * prime1;
  hash = (hash ^ (hash >> 33)) * prime2;
  hash = (hash ^ (hash >> 29)) * prime3;
  return hash ^ (hash >> 32);
}

// One byte at a time, by a table of the remainders of all bytes.
namespace {
constexpr std::array<uint32_t, 256> crc_table = [] {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < table.size(); ++i) {
    table[i] = i;
    for (int bit = 0; bit < 8; ++bit)
      table[i] = (table[i] >> 1) ^ ((table[i] & 1) != 0 ? 0x82F63B78 : 0);
  }
  return table;
}();
}  // namespace

uint32_t crc32c(std::string_view bytes) {
  uint32_t crc = 0xFFFFFFFF;
  for (char byte : bytes) crc = (crc >> 8) ^ crc_table[(crc ^ static_cast<uint8_t>(byte)) & 255];
  return ~crc;
}

std::string hex(uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
  return text;
}

}  // namespace casimir
