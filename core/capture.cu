#include "core/cuda_launch.cuh"

namespace casimir::cuda {

bool capturing() {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  CASIMIR_CUDA_CHECK(cudaStreamIsCapturing(stream(), &status));
  return status != cudaStreamCaptureStatusNone;
}

void begin_capture() {
  CASIMIR_CUDA_CHECK(cudaStreamBeginCapture(stream(), cudaStreamCaptureModeThreadLocal));
}

void* end_capture() {
  cudaGraph_t graph = nullptr;
  CASIMIR_CUDA_CHECK(cudaStreamEndCapture(stream(), &graph));
  cudaGraphExec_t executable = nullptr;
  const cudaError_t status = cudaGraphInstantiate(&executable, graph, 0);
  cudaGraphDestroy(graph);
  check_status(status, "cudaGraphInstantiate");
  return executable;
}

void drop_capture() {
  cudaGraph_t graph = nullptr;
  cudaStreamEndCapture(stream(), &graph);
  if (graph) cudaGraphDestroy(graph);
  cudaGetLastError();  // a capture that a forbidden call has ended is told of by that call
}

void run_graph(void* graph) {
  CASIMIR_CUDA_CHECK(cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph), stream()));
}

// The release of what belongs to the driver, which may be gone when the program ends, tells
// nothing.
void release_graph(void* graph) {
  if (graph) cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph));
}

void* allocate_pinned(size_t bytes) {
  void* data = nullptr;
  CASIMIR_CUDA_CHECK(cudaMallocHost(&data, bytes));
  return data;
}
void release_pinned(void* data) {
  cudaFreeHost(data);
}

void* make_event() {
  cudaEvent_t event = nullptr;
  CASIMIR_CUDA_CHECK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  return event;
}
void release_event(void* event) {
  cudaEventDestroy(static_cast<cudaEvent_t>(event));
}
void wait_event(void* event) {
  CASIMIR_CUDA_CHECK(cudaEventSynchronize(static_cast<cudaEvent_t>(event)));
}

void copy_pinned(void* to, const void* from, size_t bytes, void* event) {
  CASIMIR_CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream()));
  CASIMIR_CUDA_CHECK(cudaEventRecord(static_cast<cudaEvent_t>(event), stream()));
}

}  // namespace casimir::cuda
