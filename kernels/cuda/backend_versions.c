// The headers' versions: the libraries themselves are opened where a device is used (library.h).
#include <cublasLt.h>
#include <cuda_runtime.h>
#include <cudnn.h>
#include <stdio.h>

#include "kernels/backend.h"

void kern_cuda_versions(orr_version_told *told, void *to) {
  char text[64];
  snprintf(text, sizeof text, "%d.%d", CUDART_VERSION / 1000, CUDART_VERSION % 1000 / 10);
  told(to, "CUDA", text);
  snprintf(text, sizeof text, "%d.%d.%d, when built", CUBLAS_VER_MAJOR, CUBLAS_VER_MINOR,
           CUBLAS_VER_PATCH);
  told(to, "cuBLASLt", text);
  snprintf(text, sizeof text, "%d.%d.%d, when built", CUDNN_MAJOR, CUDNN_MINOR, CUDNN_PATCHLEVEL);
  told(to, "cuDNN", text);
}
