#include "core/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <vector>

#include "core/error.h"

#ifdef CASIMIR_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#endif

namespace casimir {

namespace cuda {
void* allocate(size_t bytes);
void release(void* data);
void copy(void* to, Device to_device, const void* from, Device from_device, size_t bytes);
void fill_bytes(void* data, int value, size_t bytes);
}  // namespace cuda

struct Pool {
  explicit Pool(Device device) : device(device) {}
  ~Pool();
  void give_back();  // the free ones, to the system

  const Device device;
  std::mutex mutex;
  std::array<std::vector<void*>, 256> free;
  MemoryStatistics statistics;
};

namespace {

std::atomic<bool> poison_on{false};

// Four size classes per power of two, from 64 bytes on: at most a quarter of a block is unused.
struct SizeClass {
  int number;
  size_t bytes;
};
SizeClass size_class(size_t bytes) {
  size_t units = std::max<size_t>((bytes + 63) / 64, 1);
  if (units <= 4) return {static_cast<int>(units) - 1, units * 64};
  int power = std::bit_width(units - 1) - 1;  // 2^power < units <= 2^(power + 1)
  size_t step = size_t{1} << (power - 2);
  size_t steps = (units + step - 1) / step;  // 5 .. 8
  return {4 * (power - 1) + static_cast<int>(steps) - 5, steps * step * 64};
}

// Two pools, one per device; never destroyed, because buffers may outlive static objects.
Pool& pool_of(Device device) {
  static Pool* pools = new Pool[2]{Pool{Device::cpu}, Pool{Device::cuda}};
  return pools[device == Device::cuda];
}
thread_local std::shared_ptr<Pool> current_pool;  // of a PoolScope

// Blocks in pages of 2 MiB where the system has them; of smaller blocks too much would stay unused.
constexpr size_t large_page = size_t{2} << 20, large_block = 16 * large_page;

void* system_allocate(size_t bytes, Device device) {
  if constexpr (cuda_built)
    if (device == Device::cuda) return cuda::allocate(bytes);
  const bool large = bytes >= large_block;
  void* data = std::aligned_alloc(large ? large_page : 64, bytes);
  if (data && large) madvise(data, bytes, MADV_HUGEPAGE);  // a wish: it may fail
  if (!data) fail<DeviceError>(device, ": out of memory: wanted ", bytes >> 20, " MiB");
  return data;
}
void fill_with_nan(void* data, Device device, size_t bytes) {
  if constexpr (cuda_built)
    if (device == Device::cuda) return cuda::fill_bytes(data, 0xFF, bytes);
  std::memset(data, 0xFF, bytes);
}
// AddressSanitizer takes all of a block that nobody asked for as not allocated: what a pool keeps,
// and what its size class has beyond the bytes of a buffer.
void mark_usable([[maybe_unused]] void* data, [[maybe_unused]] size_t bytes,
                 [[maybe_unused]] size_t block, [[maybe_unused]] Device device) {
#ifdef CASIMIR_ADDRESS_SANITIZER
  if (device != Device::cpu) return;
  ASAN_UNPOISON_MEMORY_REGION(data, bytes);
  ASAN_POISON_MEMORY_REGION(static_cast<char*>(data) + bytes, block - bytes);
#endif
}
void system_release(void* data, Device device) {
  if constexpr (cuda_built)
    if (device == Device::cuda) return cuda::release(data);
  std::free(data);
}

}  // namespace

Pool::~Pool() {
  give_back();
}

void Pool::give_back() {
  for (auto& list : free) {
    for (void* data : list) system_release(data, device);
    list.clear();
  }
}

std::shared_ptr<Pool> private_pool(Device device) {
  return std::make_shared<Pool>(device);
}

PoolScope::PoolScope(std::shared_ptr<Pool> pool) : before_(std::move(pool)) {
  std::swap(before_, current_pool);
}
PoolScope::~PoolScope() {
  std::swap(before_, current_pool);
}

Buffer::Buffer(size_t bytes, Device device) : bytes_(bytes), device_(device) {
  SizeClass klass = size_class(bytes);
  if (current_pool && current_pool->device == device) pool_ = current_pool;
  Pool& pool = pool_ ? *pool_ : pool_of(device);
  {
    std::lock_guard lock(pool.mutex);
    auto& list = pool.free[klass.number];
    if (!list.empty()) {
      data_ = list.back();
      list.pop_back();
    }
  }
  const bool fresh = !data_;
  if (fresh) data_ = system_allocate(klass.bytes, device);
  {
    std::lock_guard lock(pool.mutex);
    MemoryStatistics& s = pool.statistics;
    s.in_use += static_cast<int64_t>(klass.bytes);
    s.peak = std::max(s.peak, s.in_use);
    if (fresh) s.reserved += static_cast<int64_t>(klass.bytes), ++s.system_calls;
  }
  mark_usable(data_, bytes, klass.bytes, device);
  if (poison_on) fill_with_nan(data_, device, bytes);
}

Buffer::~Buffer() {
  if (parent_) return;
  SizeClass klass = size_class(bytes_);
  mark_usable(data_, 0, klass.bytes, device_);
  Pool& pool = pool_ ? *pool_ : pool_of(device_);
  std::lock_guard lock(pool.mutex);
  pool.free[klass.number].push_back(data_);
  pool.statistics.in_use -= static_cast<int64_t>(klass.bytes);
}

void Buffer::move_into(std::shared_ptr<Buffer> other, size_t offset) {
  check<Error>(!parent_ && other->device_ == device_ && offset + bytes_ <= other->bytes_,
               "buffer: cannot move ", bytes_, " bytes to offset ", offset, " of ", other->bytes_);
  void* target = static_cast<char*>(other->data_) + offset;
  if (device_ == Device::cpu)
    std::memcpy(target, data_, bytes_);
  else if constexpr (cuda_built)
    cuda::copy(target, device_, data_, device_, bytes_);
  SizeClass klass = size_class(bytes_);
  mark_usable(data_, 0, klass.bytes, device_);
  Pool& pool = pool_ ? *pool_ : pool_of(device_);
  std::lock_guard lock(pool.mutex);
  pool.free[klass.number].push_back(data_);
  pool.statistics.in_use -= static_cast<int64_t>(klass.bytes);
  data_ = target;
  parent_ = std::move(other);
}

MemoryStatistics memory_statistics() {
  Pool& pool = pool_of(Device::cpu);
  std::lock_guard lock(pool.mutex);
  return pool.statistics;
}

void release_cached_memory() {
  for (Device device : {Device::cpu, Device::cuda}) {
    Pool& pool = pool_of(device);
    std::lock_guard lock(pool.mutex);
    pool.give_back();
    pool.statistics.reserved = pool.statistics.in_use;
  }
}

void set_poison(bool on) {
  poison_on = on;
}
bool poison() {
  return poison_on;
}

}  // namespace casimir
