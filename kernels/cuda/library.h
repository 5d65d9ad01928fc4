// cuBLASLt and cuDNN, opened when a device is chosen instead of linked: a start without a device
// pays nothing for them, and a machine that lacks them still starts the program.
#ifndef KERNELS_CUDA_LIBRARY_H
#define KERNELS_CUDA_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

#include <cublasLt.h>
#include <cudnn.h>

#include "base/status.h"

#define CUDA_BLAS_FUNCTIONS(X)                                                                     \
  X(cublasLtCreate)                                                                                \
  X(cublasLtDestroy)                                                                               \
  X(cublasLtGetVersion)                                                                            \
  X(cublasLtMatmulDescCreate)                                                                      \
  X(cublasLtMatmulDescDestroy)                                                                     \
  X(cublasLtMatmulDescSetAttribute)                                                                \
  X(cublasLtMatrixLayoutCreate)                                                                    \
  X(cublasLtMatrixLayoutDestroy)                                                                   \
  X(cublasLtMatmulPreferenceCreate)                                                                \
  X(cublasLtMatmulPreferenceDestroy)                                                               \
  X(cublasLtMatmulPreferenceSetAttribute)                                                          \
  X(cublasLtMatmulAlgoGetHeuristic)                                                                \
  X(cublasLtMatmul)

#define CUDA_DNN_FUNCTIONS(X)                                                                      \
  X(cudnnGetVersion)                                                                               \
  X(cudnnGetCudartVersion)                                                                         \
  X(cudnnGetErrorString)                                                                           \
  X(cudnnGetLastErrorString)                                                                       \
  X(cudnnCreate)                                                                                   \
  X(cudnnDestroy)                                                                                  \
  X(cudnnSetStream)                                                                                \
  X(cudnnBackendCreateDescriptor)                                                                  \
  X(cudnnBackendDestroyDescriptor)                                                                 \
  X(cudnnBackendFinalize)                                                                          \
  X(cudnnBackendSetAttribute)                                                                      \
  X(cudnnBackendGetAttribute)                                                                      \
  X(cudnnBackendExecute)

#define CUDA_LIBRARY_SLOT(f) __typeof__(&f) f;
typedef struct {
  void *handle;
  CUDA_BLAS_FUNCTIONS(CUDA_LIBRARY_SLOT)
} cuda_blas_library;

typedef struct {
  void *handle;
  void *compiler; // libnvrtc, which cuDNN looks for once it plans; NULL: there is none
  CUDA_DNN_FUNCTIONS(CUDA_LIBRARY_SLOT)
} cuda_dnn_library;
#undef CUDA_LIBRARY_SLOT

// Local. Open the library of the major version that this build was made with: where the loader
// looks, else in the toolkit's folder at build time. ORR_EUNSUPPORTED names the file and the
// loader's words. The caller closes what was opened; closing twice does nothing.
//
// cuDNN opens libcublasLt and libnvrtc by their names while it plans, and finds them where they are
// open already. Without the first, of its own CUDA, it ends the process; without the second it has
// no engine for attention. So cuBLASLt must be open before cuDNN plans, and the compiler is opened
// here.
orr_code cuda_blas_library_open(cuda_blas_library *l);
orr_code cuda_dnn_library_open(cuda_dnn_library *l);
void cuda_blas_library_close(cuda_blas_library *l);
void cuda_dnn_library_close(cuda_dnn_library *l);

#endif
