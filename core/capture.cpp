#include "core/capture.h"

namespace casimir {

namespace cuda {
void begin_capture();
void* end_capture();  // an executable graph
void drop_capture();
void run_graph(void* graph);
void release_graph(void* graph);
void* allocate_pinned(size_t bytes);
void release_pinned(void* data);
void* make_event();
void release_event(void* event);
void copy_pinned(void* to, const void* from, size_t bytes, void* event);
void wait_event(void* event);
}  // namespace cuda

CapturedWork::CapturedWork(const std::shared_ptr<Pool>& memory, const std::function<void()>& work)
    : memory_(memory) {
  if constexpr (cuda_built) {
    PoolScope scope(memory);
    cuda::begin_capture();
    try {
      work();
    } catch (...) {
      cuda::drop_capture();
      throw;
    }
    graph_ = cuda::end_capture();
  }
}

CapturedWork::~CapturedWork() {
  if constexpr (cuda_built) cuda::release_graph(graph_);
}

void CapturedWork::run() {
  if constexpr (cuda_built) cuda::run_graph(graph_);
}

PinnedBuffer::PinnedBuffer(size_t bytes) : bytes_(bytes) {
  if constexpr (cuda_built) {
    data_ = cuda::allocate_pinned(bytes);
    done_ = cuda::make_event();
  }
}

PinnedBuffer::~PinnedBuffer() {
  if constexpr (cuda_built) {
    cuda::release_event(done_);
    cuda::release_pinned(data_);
  }
}

void PinnedBuffer::send(Array& to) {
  check<Error>(to.bytes() <= static_cast<int64_t>(bytes_), "pinned: ", to.bytes(), " of ", bytes_,
               " bytes");
  if constexpr (cuda_built) cuda::copy_pinned(to.raw(), data_, to.bytes(), done_);
}

void PinnedBuffer::receive(const Array& from) {
  check<Error>(from.bytes() <= static_cast<int64_t>(bytes_), "pinned: ", from.bytes(), " of ",
               bytes_, " bytes");
  if constexpr (cuda_built) cuda::copy_pinned(data_, from.raw(), from.bytes(), done_);
}

void PinnedBuffer::wait() {
  if constexpr (cuda_built) cuda::wait_event(done_);
}

}  // namespace casimir
