#include "kernels/cuda/library.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#define TEXT_OF(x) #x
#define TEXT(x)    TEXT_OF(x)

// NULL: the loader's words about the first place are in `words`.
static void *open_somewhere(const char *name, char words[256]) {
  char path[4096];
  void *handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (handle) return handle;
  snprintf(words, 256, "%s", dlerror());
  if (snprintf(path, sizeof path, "%s/%s", CUDA_LIBRARY_DIR, name) >= (int)sizeof path) return NULL;
  return dlopen(path, RTLD_NOW | RTLD_LOCAL);
}

static orr_code open_named(const char *name, void **handle) {
  char words[256];
  *handle = open_somewhere(name, words);
  ORR_CHECK(*handle, ORR_EUNSUPPORTED,
            "%s does not open (%s); install it, or put its folder into LD_LIBRARY_PATH", name,
            words);
  return ORR_OK;
}

static void close_handle(void **handle) {
  if (*handle) dlclose(*handle);
  *handle = NULL;
}

typedef struct {
  const char *name;
  void *slot;
} wanted;

// Opens the library and fills every slot, or leaves nothing open.
static orr_code open_library(const char *library, const wanted *list, size_t count, void **handle) {
  ORR_TRY(open_named(library, handle));
  for (size_t i = 0; i < count; i++) {
    void *f = dlsym(*handle, list[i].name);
    if (!f) {
      close_handle(handle);
      return ORR_FAIL(ORR_EUNSUPPORTED, "%s has no %s: it is older than this build", library,
                      list[i].name);
    }
    memcpy(list[i].slot, &f, sizeof f); // a function's address, which ISO C does not convert
  }
  return ORR_OK;
}

#define WANTED(f) {#f, &l->f},

orr_code cuda_blas_library_open(cuda_blas_library *l) {
  const wanted list[] = {CUDA_BLAS_FUNCTIONS(WANTED)};
  return open_library("libcublasLt.so." TEXT(CUBLAS_VER_MAJOR), list, sizeof list / sizeof *list,
                      &l->handle);
}

orr_code cuda_dnn_library_open(cuda_dnn_library *l) {
  char unused[256];
  const wanted list[] = {CUDA_DNN_FUNCTIONS(WANTED)};
  ORR_TRY(
      open_library("libcudnn.so." TEXT(CUDNN_MAJOR), list, sizeof list / sizeof *list, &l->handle));
  // numbered like the toolkit, as cuBLASLt is
  l->compiler = open_somewhere("libnvrtc.so." TEXT(CUBLAS_VER_MAJOR), unused);
  return ORR_OK;
}

void cuda_blas_library_close(cuda_blas_library *l) {
  close_handle(&l->handle);
}

void cuda_dnn_library_close(cuda_dnn_library *l) {
  close_handle(&l->compiler);
  close_handle(&l->handle);
}
