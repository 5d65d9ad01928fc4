// The CUDA runtime played by the host: memory of the C library with the device's poison, streams
// that run at once, no graphs. One device.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/cuda_host/include/cuda_runtime_api.h"

struct cuda_host_stream {
  unsigned flags;
};
struct cuda_host_event {
  double ms;
};

enum { MOST_KERNELS = 64 };

cuda_host_machine cuda_host_here = {CUDART_VERSION, 1, 9, 0, (size_t)8 << 30};

static struct {
  cudaError_t last;
  double passed_ms; // beside the real clock
  int count;
  struct {
    const void *kernel;
    size_t bytes;
  } shared[MOST_KERNELS]; // what cudaFuncSetAttribute allowed
} runtime;

static cudaError_t result(cudaError_t e) {
  if (e != cudaSuccess) runtime.last = e;
  return e;
}

cudaError_t cudaPeekAtLastError(void) {
  return runtime.last;
}
cudaError_t cudaGetLastError(void) {
  const cudaError_t e = runtime.last;
  runtime.last = cudaSuccess;
  return e;
}

const char *cudaGetErrorName(cudaError_t e) {
  static char name[32];
  snprintf(name, sizeof name, "cudaError %d", (int)e);
  return e == cudaSuccess ? "cudaSuccess" : name;
}
const char *cudaGetErrorString(cudaError_t e) {
  if (e == cudaErrorLaunchFailure || e == cudaErrorInvalidConfiguration) return cuda_host_fault();
  return e == cudaErrorMemoryAllocation ? "out of memory" : cudaGetErrorName(e);
}

// -- the device -----------------------------------------------------------------------------

cudaError_t cudaDriverGetVersion(int *version) {
  *version = cuda_host_here.driver;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int *version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceCount(int *count) {
  *count = cuda_host_here.devices;
  return result(*count ? cudaSuccess : cudaErrorNoDevice);
}
cudaError_t cudaGetDevice(int *device) {
  *device = 0;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) {
  return result(device < cuda_host_here.devices ? cudaSuccess : cudaErrorNoDevice);
}
cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *p, int device) {
  *p = (struct cudaDeviceProp){.name = "host",
                               .totalGlobalMem = cuda_host_here.memory,
                               .sharedMemPerBlockOptin = CUDA_HOST_MOST_SHARED,
                               .major = cuda_host_here.major,
                               .minor = cuda_host_here.minor,
                               .multiProcessorCount = 4};
  return cudaSetDevice(device);
}
cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int device) {
  struct cudaDeviceProp p;
  const cudaError_t e = cudaGetDeviceProperties(&p, device);
  *value = attribute == cudaDevAttrMultiProcessorCount      ? p.multiProcessorCount
           : attribute == cudaDevAttrComputeCapabilityMajor ? p.major
           : attribute == cudaDevAttrComputeCapabilityMinor ? p.minor
                                                            : (int)p.sharedMemPerBlockOptin;
  return e;
}
cudaError_t cudaDeviceSynchronize(void) {
  return cudaSuccess;
}
cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total_bytes) {
  *free_bytes = *total_bytes = cuda_host_here.memory;
  return cudaSuccess;
}

// -- memory ---------------------------------------------------------------------------------

cudaError_t cudaMalloc(void **out, size_t bytes) {
  *out = bytes <= cuda_host_here.memory ? cuda_host_malloc(bytes) : NULL;
  return result(*out ? cudaSuccess : cudaErrorMemoryAllocation);
}
cudaError_t cudaFree(void *p) {
  cuda_host_free(p);
  return cudaSuccess;
}
cudaError_t cudaMallocHost(void **out, size_t bytes) {
  return cudaMalloc(out, bytes);
}
cudaError_t cudaHostAlloc(void **out, size_t bytes, unsigned flags) {
  return cudaMalloc(out, bytes);
}
cudaError_t cudaFreeHost(void *p) {
  return cudaFree(p);
}
cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, cudaMemcpyKind kind) {
  memmove(to, from, bytes);
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t s) {
  return cudaMemcpy(to, from, bytes, kind);
}
cudaError_t cudaMemcpy2DAsync(void *to, size_t to_pitch, const void *from, size_t from_pitch,
                              size_t width, size_t rows, cudaMemcpyKind kind, cudaStream_t s) {
  if (width > to_pitch || width > from_pitch) return result(cudaErrorInvalidValue);
  for (size_t r = 0; r < rows; r++)
    memcpy((char *)to + r * to_pitch, (const char *)from + r * from_pitch, width);
  return cudaSuccess;
}
cudaError_t cudaMemset(void *p, int value, size_t bytes) {
  memset(p, value, bytes);
  return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void *p, int value, size_t bytes, cudaStream_t s) {
  return cudaMemset(p, value, bytes);
}

// -- streams and events ---------------------------------------------------------------------

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned flags) {
  *s = calloc(1, sizeof **s);
  if (*s) (*s)->flags = flags;
  return result(*s ? cudaSuccess : cudaErrorMemoryAllocation);
}
cudaError_t cudaStreamCreateWithPriority(cudaStream_t *s, unsigned flags, int priority) {
  return cudaStreamCreateWithFlags(s, flags);
}
cudaError_t cudaStreamDestroy(cudaStream_t s) {
  free(s);
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t s) {
  return cudaSuccess;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t s, cudaEvent_t e, unsigned flags) {
  return result(e ? cudaSuccess : cudaErrorInvalidValue);
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned flags) {
  *e = calloc(1, sizeof **e);
  return result(*e ? cudaSuccess : cudaErrorMemoryAllocation);
}
cudaError_t cudaEventCreate(cudaEvent_t *e) {
  return cudaEventCreateWithFlags(e, cudaEventDefault);
}
cudaError_t cudaEventDestroy(cudaEvent_t e) {
  free(e);
  return cudaSuccess;
}
void cuda_host_pass_ms(double ms) {
  runtime.passed_ms += ms;
}

cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t s) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  e->ms = (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6 + runtime.passed_ms;
  return cudaSuccess;
}
cudaError_t cudaEventRecordWithFlags(cudaEvent_t e, cudaStream_t s, unsigned flags) {
  return cudaEventRecord(e, s);
}
cudaError_t cudaEventSynchronize(cudaEvent_t e) {
  return result(e ? cudaSuccess : cudaErrorInvalidValue);
}
cudaError_t cudaEventQuery(cudaEvent_t e) {
  return cudaEventSynchronize(e);
}
cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t from, cudaEvent_t to) {
  *ms = (float)(to->ms - from->ms);
  return cudaSuccess;
}

// -- graphs ---------------------------------------------------------------------------------

cudaError_t cudaStreamBeginCapture(cudaStream_t s, cudaStreamCaptureMode mode) {
  return result(cudaErrorStreamCaptureUnsupported);
}
cudaError_t cudaStreamEndCapture(cudaStream_t s, cudaGraph_t *graph) {
  return result(cudaErrorStreamCaptureUnsupported);
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph,
                                 unsigned long long flags) {
  return result(cudaErrorNotSupported);
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t s) {
  return result(cudaErrorNotSupported);
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  return cudaSuccess;
}

// -- launches -------------------------------------------------------------------------------

cudaError_t cuda_host_allow_shared(const void *kernel, size_t bytes) {
  int i = 0;
  while (i < runtime.count && runtime.shared[i].kernel != kernel) i++;
  if (i == MOST_KERNELS || bytes > CUDA_HOST_MOST_SHARED) return result(cudaErrorInvalidValue);
  if (i == runtime.count) runtime.count++;
  runtime.shared[i].kernel = kernel;
  runtime.shared[i].bytes = bytes;
  return cudaSuccess;
}

cudaError_t cuda_host_launch(const void *kernel, cuda_host_shape shape, void (*body)(void *),
                             void *context) {
  shape.shared_most = CUDA_HOST_SHARED;
  for (int i = 0; i < runtime.count; i++)
    if (runtime.shared[i].kernel == kernel) shape.shared_most = runtime.shared[i].bytes;
  if (cuda_host_run(&shape, body, context) == 0) return cudaSuccess;
  return result(cudaErrorLaunchFailure);
}
