// Buffers and the allocator that keeps freed ones for the next step.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/device.h"

namespace casimir {

struct Pool;  // the freed buffers of one device, memory.cpp

// A piece of memory, 64-byte aligned. Freed buffers go back to size classes and are handed out
// again, so a steady training step makes no system call.
class Buffer {
 public:
  Buffer(size_t bytes, Device device);
  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  Device device() const { return device_; }

  // Makes this buffer a window of `other` (the contents are copied there first). Only Parameters
  // uses it, to gather all parameters in one flat buffer without touching the tensors that view
  // them.
  void move_into(std::shared_ptr<Buffer> other, size_t offset);

 private:
  void* data_ = nullptr;
  size_t bytes_ = 0;
  Device device_;
  std::shared_ptr<Buffer> parent_;
  std::shared_ptr<Pool> pool_;  // absent: the device's
};

// A pool for buffers whose place belongs to someone: what comes from it is given to nobody else,
// and goes back to the system with the pool's last owner, a buffer or the holder of the pointer.
std::shared_ptr<Pool> private_pool(Device device);

// While it lives, buffers that this thread makes on the pool's device come from the pool.
class PoolScope {
 public:
  explicit PoolScope(std::shared_ptr<Pool> pool);
  ~PoolScope();
  PoolScope(const PoolScope&) = delete;
  PoolScope& operator=(const PoolScope&) = delete;

 private:
  std::shared_ptr<Pool> before_;
};

struct MemoryStatistics {
  int64_t in_use = 0;        // bytes held by live buffers
  int64_t peak = 0;          // highest value of in_use
  int64_t reserved = 0;      // bytes taken from the system, free lists included
  int64_t system_calls = 0;  // times the system was asked for memory
};
MemoryStatistics memory_statistics();
void release_cached_memory();

// In poison mode every new buffer is filled with NaN bits (0xFF), so that reading what was never
// written shows. Tests use it; it changes no result of correct code.
void set_poison(bool on);
bool poison();

}  // namespace casimir
