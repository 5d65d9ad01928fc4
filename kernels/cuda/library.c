#include "kernels/cuda/library.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#define TEXT_OF(x) #x
#define TEXT(x)    TEXT_OF(x)

static orr_code open_named(const char *name, void **handle) {
  char path[4096];
  *handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (*handle) return ORR_OK;
  char words[256];
  snprintf(words, sizeof words, "%s", dlerror());
  if (snprintf(path, sizeof path, "%s/%s", CUDA_LIBRARY_DIR, name) < (int)sizeof path)
    *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  ORR_CHECK(*handle, ORR_EUNSUPPORTED,
            "%s does not open (%s); install it, or put its folder into LD_LIBRARY_PATH", name,
            words);
  return ORR_OK;
}

static orr_code find(void *handle, const char *library, const char *name, void *slot) {
  void *f = dlsym(handle, name);
  ORR_CHECK(f, ORR_EUNSUPPORTED, "%s has no %s: it is older than this build", library, name);
  memcpy(slot, &f, sizeof f); // a function's address, which ISO C does not convert
  return ORR_OK;
}

static void close_handle(void **handle) {
  if (*handle) dlclose(*handle);
  *handle = NULL;
}

static const char blas_name[] = "libcublasLt.so." TEXT(CUBLAS_VER_MAJOR);
static const char dnn_name[] = "libcudnn.so." TEXT(CUDNN_MAJOR);

orr_code cuda_blas_library_open(cuda_blas_library *l) {
  orr_code rc;
  ORR_TRY(open_named(blas_name, &l->handle));
#define FIND(f) ORR_TRY_GOTO(find(l->handle, blas_name, #f, &l->f), close);
  CUDA_BLAS_FUNCTIONS(FIND)
#undef FIND
  return ORR_OK;
close:
  close_handle(&l->handle);
  return rc;
}

orr_code cuda_dnn_library_open(cuda_dnn_library *l) {
  orr_code rc;
  ORR_TRY(open_named(dnn_name, &l->handle));
#define FIND(f) ORR_TRY_GOTO(find(l->handle, dnn_name, #f, &l->f), close);
  CUDA_DNN_FUNCTIONS(FIND)
#undef FIND
  return ORR_OK;
close:
  close_handle(&l->handle);
  return rc;
}

void cuda_blas_library_close(cuda_blas_library *l) {
  close_handle(&l->handle);
}

void cuda_dnn_library_close(cuda_dnn_library *l) {
  close_handle(&l->handle);
}
