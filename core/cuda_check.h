// The check of every call to the CUDA runtime. Only .cu files include it.
#pragma once

#include <cuda_runtime.h>

#include "core/error.h"

namespace casimir::cuda {

// A stub of the driver (34), no driver (35) and no device (100) all mean: no GPU.
inline bool means_no_gpu(cudaError_t status) {
  return status == cudaErrorStubLibrary || status == cudaErrorInsufficientDriver ||
         status == cudaErrorNoDevice;
}

inline void check_status(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // an error that is told here is not told again by the next call
  if (means_no_gpu(status))
    fail<DeviceError>("cuda: no GPU was found: ", cudaGetErrorString(status));
  fail<DeviceError>("cuda: ", what, ": ", cudaGetErrorString(status), " (error ",
                    static_cast<int>(status), ")");
}

}  // namespace casimir::cuda

#define CASIMIR_CUDA_CHECK(call) ::casimir::cuda::check_status((call), #call)
