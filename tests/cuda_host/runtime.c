// The CUDA runtime played by the host: memory of the C library with the device's poison, streams
// that run at once, captures (graph.h). One device.
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/cuda_host/graph.h"

struct cuda_host_event {
  double ms;
  bool captured; // its last record is a part of a capture, and says nothing outside
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
  *out = NULL;
  if (cuda_host_forbidden()) return result(cudaErrorStreamCaptureUnsupported);
  *out = bytes <= cuda_host_here.memory ? cuda_host_malloc(bytes) : NULL;
  return result(*out ? cudaSuccess : cudaErrorMemoryAllocation);
}
cudaError_t cudaFree(void *p) {
  if (cuda_host_forbidden()) return result(cudaErrorStreamCaptureUnsupported);
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

typedef struct {
  void *to;
  const void *from;
  size_t to_pitch, from_pitch, width, rows;
  int value; // of a fill, whose `from` is NULL
} transfer;

static int run_transfer(void *context) {
  const transfer *t = context;
  for (size_t r = 0; r < t->rows; r++) {
    char *to = (char *)t->to + r * t->to_pitch;
    if (t->from)
      memmove(to, (const char *)t->from + r * t->from_pitch, t->width);
    else
      memset(to, t->value, t->width);
  }
  return cudaSuccess;
}

static cudaError_t do_transfer(cudaStream_t s, transfer t) {
  return cuda_host_do(s, run_transfer, NULL, &t, sizeof t);
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t s) {
  return do_transfer(s, (transfer){to, from, 0, 0, bytes, 1, 0});
}
cudaError_t cudaMemcpy2DAsync(void *to, size_t to_pitch, const void *from, size_t from_pitch,
                              size_t width, size_t rows, cudaMemcpyKind kind, cudaStream_t s) {
  if (width > to_pitch || width > from_pitch) return result(cudaErrorInvalidValue);
  return do_transfer(s, (transfer){to, from, to_pitch, from_pitch, width, rows, 0});
}
cudaError_t cudaMemset(void *p, int value, size_t bytes) {
  memset(p, value, bytes);
  return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void *p, int value, size_t bytes, cudaStream_t s) {
  return do_transfer(s, (transfer){p, NULL, 0, 0, bytes, 1, value});
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
  return result(cuda_host_forbidden() ? cudaErrorStreamCaptureUnsupported : cudaSuccess);
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

static int record(void *event) {
  cudaEvent_t e = *(cudaEvent_t *)event;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  e->ms = (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6 + runtime.passed_ms;
  return cudaSuccess;
}

cudaError_t cudaEventRecordWithFlags(cudaEvent_t e, cudaStream_t s, unsigned flags) {
  e->captured = s && s->capture && flags != cudaEventRecordExternal;
  return e->captured ? cudaSuccess : cuda_host_do(s, record, NULL, &e, sizeof e);
}
cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t s) {
  return cudaEventRecordWithFlags(e, s, cudaEventRecordDefault);
}
cudaError_t cudaEventSynchronize(cudaEvent_t e) {
  return result(!e ? cudaErrorInvalidValue : e->captured ? cudaErrorCapturedEvent : cudaSuccess);
}
cudaError_t cudaEventQuery(cudaEvent_t e) {
  return cudaEventSynchronize(e);
}
cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t from, cudaEvent_t to) {
  *ms = (float)(to->ms - from->ms);
  return result(from->captured || to->captured ? cudaErrorCapturedEvent : cudaSuccess);
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

typedef struct {
  const void *kernel;
  cuda_host_shape shape;
  void (*body)(void *);
  _Alignas(16) char context[16 * 1024]; // the arguments of a kernel: 4 KiB, newer devices take 32
} launch;

static int run_launch(void *context) {
  launch *l = context;
  l->shape.shared_most = CUDA_HOST_SHARED;
  for (int i = 0; i < runtime.count; i++)
    if (runtime.shared[i].kernel == l->kernel) l->shape.shared_most = runtime.shared[i].bytes;
  if (cuda_host_run(&l->shape, l->body, l->context) == 0) return cudaSuccess;
  return cudaErrorLaunchFailure;
}

cudaError_t cuda_host_launch(cudaStream_t stream, const void *kernel, cuda_host_shape shape,
                             void (*body)(void *), void *context, size_t bytes) {
  launch l;
  l.kernel = kernel;
  l.shape = shape;
  l.body = body;
  if (bytes > sizeof l.context) return result(cudaErrorInvalidConfiguration);
  memcpy(l.context, context, bytes);
  return result(cuda_host_do(stream, run_launch, NULL, &l, offsetof(launch, context) + bytes));
}
