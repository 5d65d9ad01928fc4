// tests/dist/device.h on a GPU.
#include <cuda_runtime_api.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/dist/device.h"

static struct { cudaStream_t stream; } compute;

static void must_cuda(cudaError_t e, const char *what) {
  if (e == cudaSuccess) return;
  fprintf(stderr, "%s: %s\n", what, cudaGetErrorString(e));
  exit(1);
}
#define CUDA(call) must_cuda(call, #call)

const char *device_missing(void) {
  int n = 0;
  const cudaError_t e = cudaGetDeviceCount(&n);
  if (e != cudaSuccess) return cudaGetErrorString(e);
  return n > 0 ? NULL : "no GPU";
}

void *device_stream(void) {
  if (!compute.stream) CUDA(cudaStreamCreateWithFlags(&compute.stream, cudaStreamNonBlocking));
  return compute.stream;
}

int device_schedules(void) {
  return 1;
}

void device_schedule(int i) {}

void *device_alloc(size_t bytes) {
  void *p = NULL;
  CUDA(cudaMalloc(&p, bytes ? bytes : 1));
  CUDA(cudaMemset(p, 0xff, bytes));
  CUDA(cudaDeviceSynchronize());
  return p;
}

void device_free(void *p) {
  CUDA(cudaFree(p));
}

void device_write(void *to, const void *host, size_t bytes) {
  CUDA(cudaMemcpyAsync(to, host, bytes, cudaMemcpyHostToDevice, device_stream()));
  CUDA(cudaStreamSynchronize(device_stream())); // the host's copy may change at once
}

void device_read(void *host, const void *from, size_t bytes) {
  CUDA(cudaMemcpyAsync(host, from, bytes, cudaMemcpyDeviceToHost, device_stream()));
}

bool device_finish(void) {
  CUDA(cudaStreamSynchronize(device_stream()));
  return true;
}

void device_close(void) {
  if (compute.stream) CUDA(cudaStreamDestroy(compute.stream));
  compute.stream = NULL;
}
