// Work on the GPU that is recorded once and run again as a whole (a CUDA graph), and copies between
// host and GPU that nobody waits for. Made and used in CUDA builds only.
#pragma once

#include <functional>

#include "core/array.h"

namespace casimir {

class CapturedWork {
 public:
  // Calls `work`; what this thread gives to the GPU meanwhile is recorded and not run. Buffers come
  // from `memory`, which several captures may share, because they run one after the other. `work`
  // must not wait for the GPU, nor copy from or to pageable host memory: such a call is a
  // DeviceError with its scope.
  CapturedWork(const std::shared_ptr<Pool>& memory, const std::function<void()>& work);
  ~CapturedWork();
  CapturedWork(const CapturedWork&) = delete;
  CapturedWork& operator=(const CapturedWork&) = delete;

  void run();  // in the order of the stream; the same addresses and launches each time

 private:
  std::shared_ptr<Pool> memory_;
  void* graph_ = nullptr;
};

// Host memory that the GPU reads and writes in the order of its stream.
class PinnedBuffer {
 public:
  explicit PinnedBuffer(size_t bytes);
  ~PinnedBuffer();
  PinnedBuffer(const PinnedBuffer&) = delete;
  PinnedBuffer& operator=(const PinnedBuffer&) = delete;

  size_t bytes() const { return bytes_; }
  void* data() const { return data_; }
  // The first bytes to or from the array, at once for the caller: this memory is the GPU's until
  // wait() returns.
  void send(Array& to);
  void receive(const Array& from);
  void wait();

 private:
  size_t bytes_;
  void* data_ = nullptr;
  void* done_ = nullptr;  // event after the last copy
};

}  // namespace casimir
