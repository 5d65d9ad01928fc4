// libcuda.so.1 for a machine without a driver: there is no device, but code loads. cuDNN compiles
// its kernels for any device that is described to it, and only then hands them to the driver.
#include <stdio.h>
#include <string.h>

enum { SUCCESS = 0, NO_DEVICE = 100 };

#define LOADS(name, handle)                                                                        \
  int name(void **out);                                                                            \
  int name(void **out) {                                                                           \
    *out = (void *)(handle);                                                                       \
    return SUCCESS;                                                                                \
  }
LOADS(cuLibraryLoadData, 16)
LOADS(cuModuleLoadData, 48)
LOADS(cuModuleLoadDataEx, 48)
LOADS(cuModuleGetFunction, 64)

// The names of the kernels that plans have asked for since the test emptied it, one a line.
extern char driver_kernels[4096];
char driver_kernels[4096];

int cuLibraryGetKernel(void **out, void *library, const char *name);
int cuLibraryGetKernel(void **out, void *library, const char *name) {
  const size_t at = strlen(driver_kernels);
  snprintf(driver_kernels + at, sizeof driver_kernels - at, "%s\n", name);
  *out = (void *)32;
  return SUCCESS;
}

#define DOES_NOTHING(name, code)                                                                   \
  int name(void);                                                                                  \
  int name(void) {                                                                                 \
    return code;                                                                                   \
  }
DOES_NOTHING(cuLibraryUnload, SUCCESS)
DOES_NOTHING(cuModuleUnload, SUCCESS)
DOES_NOTHING(cuKernelSetAttribute, SUCCESS)
DOES_NOTHING(cuFuncSetAttribute, SUCCESS)
// What cuDNN looks up when it opens the driver, and must find.
#define NO_DEVICE_CALLS(X)                                                                         \
  X(cuInit)                                                                                        \
  X(cuDriverGetVersion)                                                                            \
  X(cuGetProcAddress_v2)                                                                           \
  X(cuGetErrorName)                                                                                \
  X(cuGetErrorString)                                                                              \
  X(cuCtxGetCurrent)                                                                               \
  X(cuCtxGetDevice)                                                                                \
  X(cuCtxGetLimit)                                                                                 \
  X(cuCtxPopCurrent)                                                                               \
  X(cuCtxPushCurrent)                                                                              \
  X(cuDeviceGet)                                                                                   \
  X(cuDeviceGetAttribute)                                                                          \
  X(cuDeviceGetCount)                                                                              \
  X(cuDevicePrimaryCtxRelease)                                                                     \
  X(cuDevicePrimaryCtxReset)                                                                       \
  X(cuDevicePrimaryCtxRetain)                                                                      \
  X(cuFuncGetAttribute)                                                                            \
  X(cuKernelGetAttribute)                                                                          \
  X(cuLaunchCooperativeKernel)                                                                     \
  X(cuLaunchKernel)                                                                                \
  X(cuLaunchKernelEx)                                                                              \
  X(cuLibraryLoadFromFile)                                                                         \
  X(cuLinkAddData)                                                                                 \
  X(cuLinkAddData_v2)                                                                              \
  X(cuLinkAddFile_v2)                                                                              \
  X(cuLinkComplete)                                                                                \
  X(cuLinkCreate)                                                                                  \
  X(cuLinkCreate_v2)                                                                               \
  X(cuLinkDestroy)                                                                                 \
  X(cuMemcpyDtoH_v2)                                                                               \
  X(cuModuleGetGlobal_v2)                                                                          \
  X(cuModuleLoadFatBinary)                                                                         \
  X(cuOccupancyMaxActiveBlocksPerMultiprocessor)                                                   \
  X(cuOccupancyMaxPotentialClusterSize)                                                            \
  X(cuStreamGetCtx)                                                                                \
  X(cuStreamSynchronize)                                                                           \
  X(cuTensorMapEncodeTiled)
#define NO_DEVICE_CALL(name) DOES_NOTHING(name, NO_DEVICE)
NO_DEVICE_CALLS(NO_DEVICE_CALL)
