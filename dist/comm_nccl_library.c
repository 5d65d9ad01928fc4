#include "dist/comm_nccl_library.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "dist/comm_nccl.h"

#define TEXT_OF(x) #x
#define TEXT(x)    TEXT_OF(x)

static const char library_name[] = "libnccl.so." TEXT(NCCL_MAJOR);

void dist_nccl_versions(orr_version_told *told, void *to) {
  told(to, "NCCL", TEXT(NCCL_MAJOR) "." TEXT(NCCL_MINOR) "." TEXT(NCCL_PATCH) ", when built");
}

static orr_code find(void *handle, const char *name, void *slot) {
  void *f = dlsym(handle, name);
  ORR_CHECK(f, ORR_EUNSUPPORTED, "%s has no %s: it is older than this build", library_name, name);
  memcpy(slot, &f, sizeof f); // a function's address, which ISO C does not convert
  return ORR_OK;
}

orr_code dist_nccl_library_open(dist_nccl_library *l) {
  orr_code rc;
  char words[256];
  // It stays mapped: the thread that answers for an id may be at work when everything else ends.
  l->handle = dlopen(library_name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!l->handle) {
    snprintf(words, sizeof words, "%s", dlerror());
    l->handle = dlopen(CUDA_LIBRARY_DIR "/libnccl.so." TEXT(NCCL_MAJOR),
                       RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  }
  ORR_CHECK(l->handle, ORR_EUNSUPPORTED,
            "%s does not open (%s); install NCCL, or put its folder into LD_LIBRARY_PATH",
            library_name, words);
#define FIND(f) ORR_TRY_GOTO(find(l->handle, #f, &l->f), close);
  DIST_NCCL_FUNCTIONS(FIND)
#undef FIND
  return ORR_OK;
close:
  dist_nccl_library_close(l);
  return rc;
}

void dist_nccl_library_close(dist_nccl_library *l) {
  if (l->handle) dlclose(l->handle);
  l->handle = NULL;
}
