#include "kernels/cuda/probe.h"

#include <stdio.h>

#include <cuda_runtime_api.h>

int kern_cuda_probe(char *words, size_t size) {
  int devices = 0, driver = 0, runtime = 0;
  struct cudaDeviceProp first;
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  if (driver == 0) {
    snprintf(words, size, "no NVIDIA driver is loaded");
    return 0;
  }
  if (driver < runtime / 1000 * 1000) {
    snprintf(words, size, "the driver supports CUDA %d.%d, this build wants %d.%d", driver / 1000,
             driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
    return 0;
  }
  cudaError_t rc = cudaGetDeviceCount(&devices);
  if (rc == cudaSuccess && devices > 0) rc = cudaGetDeviceProperties(&first, 0);
  if (rc != cudaSuccess || devices == 0) {
    snprintf(words, size, "%s",
             devices == 0 && rc == cudaSuccess ? "the driver shows no device"
                                               : cudaGetErrorString(rc));
    return 0;
  }
  snprintf(words, size, "%d x %s", devices, first.name);
  return devices;
}
