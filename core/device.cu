#include "core/cuda_launch.cuh"

namespace casimir::cuda {

bool available() {
  static const bool found = [] {
    int count = 0;
    cudaError_t status = cudaGetDeviceCount(&count);
    if (means_no_gpu(status)) {
      cudaGetLastError();
      return false;
    }
    check_status(status, "cudaGetDeviceCount");
    return count > 0;
  }();
  return found;
}

// One stream for all threads, because they share one pool of buffers: a buffer given back by one
// thread may be taken by another while the work on it is still waiting, and only a common order
// makes that safe. It is not the default stream, which would wait for those of other libraries.
cudaStream_t stream() {
  static cudaStream_t one = [] {
    cudaStream_t made = nullptr;
    CASIMIR_CUDA_CHECK(cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking));
    return made;
  }();
  return one;
}

}  // namespace casimir::cuda
