// Loaded into a child process with LD_PRELOAD: makes one system call on the files of one folder go
// wrong. Calls are numbered from 1 in the order in which the process makes them.
//   CASIMIR_FAULT_FOLDER   absolute path; only calls on paths in it are counted
//   CASIMIR_FAULT_TRACE    file that gets a line "NUMBER NAME PATH" per counted call
//   CASIMIR_FAULT_CALL     number of the call that goes wrong; 0: none
//   CASIMIR_FAULT_KIND     how:
//     EIO, ENOSPC   it fails with this error
//     short         a write or read stops halfway; an open, sync, close or cut is interrupted
//                   (EINTR; the file is closed all the same, as Linux does); else: EDQUOT
//     full          a write stops halfway, and from there on nothing new finds room (ENOSPC)
//     before        the process is killed instead of the call
//     after         the process is killed when the call is done
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <type_traits>

namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

struct Plan {
  std::string folder = variable("CASIMIR_FAULT_FOLDER"), trace = variable("CASIMIR_FAULT_TRACE"),
              kind = variable("CASIMIR_FAULT_KIND");
  long call = std::atol(variable("CASIMIR_FAULT_CALL").c_str());
};

const Plan& plan() {
  static const Plan& made = *new Plan;  // lives as long as the process makes calls
  return made;
}

template <class F>
F* real(F*, const char* name) {
  return reinterpret_cast<F*>(::dlsym(RTLD_NEXT, name));
}
#define REAL(name) real(&::name, #name)

std::string path_of(int descriptor) {
  char target[4096];
  std::string link = "/proc/self/fd/" + std::to_string(descriptor);
  ssize_t size = ::readlink(link.c_str(), target, sizeof target);
  return {target, size < 0 ? 0 : static_cast<size_t>(size)};
}

std::string path_at(int folder, const char* path) {
  if (*path == '/') return path;
  char here[4096] = "";
  std::string base =
      folder == AT_FDCWD ? (::getcwd(here, sizeof here) ? here : "") : path_of(folder);
  return base + "/" + path;
}

// What kind of call it is: what `short` and `full` do to it.
enum class Does { data, interruptible, makes, other };

struct Fault {
  int error = 0;  // of this call; 0: it is made
  bool halfway = false, kill_after = false;
};

Fault fault_of(const char* name, const std::string& path, Does does) {
  static std::atomic<long> count{0};
  const std::string& folder = plan().folder;
  const bool inside = path.starts_with(folder) && (path + "/")[folder.size()] == '/';
  if (folder.empty() || !inside) return {};
  const long number = ++count;
  if (!plan().trace.empty()) {
    int file = REAL(open)(plan().trace.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    std::string line = std::to_string(number) + " " + name + " " + path + "\n";
    if (REAL(write)(file, line.data(), line.size()) < 0) std::abort();
    REAL(close)(file);
  }
  const std::string& kind = plan().kind;
  if (plan().call == 0 || number < plan().call) return {};
  if (kind == "full") {
    if (does != Does::data && does != Does::makes) return {};
    if (number == plan().call && does == Does::data) return {.halfway = true};
    return {.error = ENOSPC};
  }
  if (number > plan().call) return {};
  if (kind == "EIO") return {.error = EIO};
  if (kind == "ENOSPC") return {.error = ENOSPC};
  if (kind == "before") ::raise(SIGKILL);
  if (kind == "after") return {.kill_after = true};
  if (kind != "short") std::abort();
  if (does == Does::data) return {.halfway = true};
  return {.error = does == Does::interruptible ? EINTR : EDQUOT};
}

// Makes the call as the plan says. `call(size)` makes it, with so many bytes where it moves data.
template <class F>
auto carry_out(const char* name, const std::string& path, Does does, size_t size, F call) {
  const int before = errno;
  const Fault fault = fault_of(name, path, does);
  errno = before;
  decltype(call(size)) result{};
  if (fault.error) {
    if constexpr (!std::is_pointer_v<decltype(result)>) result = -1;
    errno = fault.error;
    return result;
  }
  result = call(fault.halfway ? size / 2 : size);
  if (fault.kill_after) ::raise(SIGKILL);
  return result;
}

template <class F>
auto carry_out(const char* name, const std::string& path, Does does, F call) {
  return carry_out(name, path, does, 0, [&](size_t) { return call(); });
}

mode_t mode_of(int flags, va_list rest) {
  return flags & (O_CREAT | O_TMPFILE) ? static_cast<mode_t>(va_arg(rest, int)) : 0;
}

Does opens(int flags) {
  return flags & O_CREAT ? Does::makes : Does::interruptible;
}

}  // namespace

extern "C" {

#define OPEN(name)                                                   \
  int name(const char* path, int flags, ...) {                       \
    va_list rest;                                                    \
    va_start(rest, flags);                                           \
    const mode_t mode = mode_of(flags, rest);                        \
    va_end(rest);                                                    \
    return carry_out("open", path_at(AT_FDCWD, path), opens(flags),  \
                     [&] { return REAL(name)(path, flags, mode); }); \
  }
#define OPENAT(name)                                                         \
  int name(int folder, const char* path, int flags, ...) {                   \
    va_list rest;                                                            \
    va_start(rest, flags);                                                   \
    const mode_t mode = mode_of(flags, rest);                                \
    va_end(rest);                                                            \
    return carry_out("openat", path_at(folder, path), opens(flags),          \
                     [&] { return REAL(name)(folder, path, flags, mode); }); \
  }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

FILE* fopen(const char* path, const char* mode) {
  return carry_out("fopen", path_at(AT_FDCWD, path), opens(*mode == 'r' ? 0 : O_CREAT),
                   [&] { return REAL(fopen)(path, mode); });
}
FILE* fopen64(const char* path, const char* mode) {
  return fopen(path, mode);
}
DIR* opendir(const char* path) {
  return carry_out("opendir", path_at(AT_FDCWD, path), Does::interruptible,
                   [&] { return REAL(opendir)(path); });
}
dirent* readdir(DIR* folder) {
  return carry_out("readdir", path_of(::dirfd(folder)), Does::other,
                   [&] { return REAL(readdir)(folder); });
}

ssize_t read(int file, void* to, size_t size) {
  return carry_out("read", path_of(file), Does::data, size,
                   [&](size_t n) { return REAL(read)(file, to, n); });
}
ssize_t write(int file, const void* from, size_t size) {
  return carry_out("write", path_of(file), Does::data, size,
                   [&](size_t n) { return REAL(write)(file, from, n); });
}
ssize_t pwrite(int file, const void* from, size_t size, off_t place) {
  return carry_out("pwrite", path_of(file), Does::data, size,
                   [&](size_t n) { return REAL(pwrite)(file, from, n, place); });
}
ssize_t writev(int file, const iovec* parts, int count) {
  return carry_out("writev", path_of(file), Does::data, 2, [&](size_t n) {
    if (n == 2) return REAL(writev)(file, parts, count);
    return REAL(write)(file, parts[0].iov_base, parts[0].iov_len / 2);
  });
}
int fsync(int file) {
  return carry_out("fsync", path_of(file), Does::interruptible, [&] { return REAL(fsync)(file); });
}
int fdatasync(int file) {
  return carry_out("fdatasync", path_of(file), Does::interruptible,
                   [&] { return REAL(fdatasync)(file); });
}
int ftruncate(int file, off_t size) {
  return carry_out("ftruncate", path_of(file), Does::interruptible,
                   [&] { return REAL(ftruncate)(file, size); });
}
int close(int file) {
  bool closed = false;
  int result = carry_out("close", path_of(file), Does::interruptible, [&] {
    closed = true;
    return REAL(close)(file);
  });
  const int error = errno;
  if (!closed) REAL(close)(file);
  errno = error;
  return result;
}

int rename(const char* from, const char* to) {
  return carry_out("rename", path_at(AT_FDCWD, to), Does::makes,
                   [&] { return REAL(rename)(from, to); });
}
int renameat(int from_folder, const char* from, int to_folder, const char* to) {
  return carry_out("renameat", path_at(to_folder, to), Does::makes,
                   [&] { return REAL(renameat)(from_folder, from, to_folder, to); });
}
int link(const char* from, const char* to) {
  return carry_out("link", path_at(AT_FDCWD, to), Does::makes,
                   [&] { return REAL(link)(from, to); });
}
int mkdir(const char* path, mode_t mode) {
  return carry_out("mkdir", path_at(AT_FDCWD, path), Does::makes,
                   [&] { return REAL(mkdir)(path, mode); });
}
int unlink(const char* path) {
  return carry_out("unlink", path_at(AT_FDCWD, path), Does::other,
                   [&] { return REAL(unlink)(path); });
}
int remove(const char* path) {
  return carry_out("remove", path_at(AT_FDCWD, path), Does::other,
                   [&] { return REAL(remove)(path); });
}
}
