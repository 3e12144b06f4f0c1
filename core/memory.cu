#include "core/cuda_launch.cuh"

namespace casimir::cuda {

bool capturing();

// While a capture records, memory may be taken from the system but not given back.
void* allocate(size_t bytes) {
  void* data = nullptr;
  if (capturing()) {
    cudaStreamCaptureMode mode = cudaStreamCaptureModeRelaxed;
    CASIMIR_CUDA_CHECK(cudaThreadExchangeStreamCaptureMode(&mode));
    const cudaError_t status = cudaMalloc(&data, bytes);
    CASIMIR_CUDA_CHECK(cudaThreadExchangeStreamCaptureMode(&mode));
    check_status(status, "cudaMalloc during a capture");
    return data;
  }
  cudaError_t status = cudaMalloc(&data, bytes);
  if (status == cudaErrorMemoryAllocation) {  // what other sizes keep may be enough
    cudaGetLastError();
    release_cached_memory();
    status = cudaMalloc(&data, bytes);
  }
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    size_t free = 0, total = 0;
    CASIMIR_CUDA_CHECK(cudaMemGetInfo(&free, &total));
    fail<DeviceError>("cuda: out of memory: wanted ", bytes >> 20, " MiB, ", free >> 20, " of ",
                      total >> 20, " MiB are free");
  }
  check_status(status, "cudaMalloc");
  return data;
}

void release(void* data) {
  CASIMIR_CUDA_CHECK(cudaFree(data));  // waits for the work on it
}

// Copies from and to the host return when they are done: the host's memory may be gone, or read,
// right after. They belong between steps, not inside ops.
void copy(void* to, Device to_device, const void* from, Device from_device, size_t bytes) {
  const bool from_host = from_device == Device::cpu, to_host = to_device == Device::cpu;
  const cudaMemcpyKind kind = from_host ? cudaMemcpyHostToDevice
                              : to_host ? cudaMemcpyDeviceToHost
                                        : cudaMemcpyDeviceToDevice;
  check<DeviceError>(!(from_host || to_host) || !capturing(), "cuda: a copy of ", bytes, " bytes ",
                     to_host ? "to" : "from", " the host cannot be part of a captured step");
  CASIMIR_CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, kind, stream()));
  if (from_host || to_host) CASIMIR_CUDA_CHECK(cudaStreamSynchronize(stream()));
}

void fill_bytes(void* data, int value, size_t bytes) {
  CASIMIR_CUDA_CHECK(cudaMemsetAsync(data, value, bytes, stream()));
}

}  // namespace casimir::cuda
