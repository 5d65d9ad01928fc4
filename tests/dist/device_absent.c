// tests/dist/device.h in a build without the CUDA Toolkit or NCCL: there is nothing to test.
#include "tests/dist/device.h"

const char *device_missing(void) {
  return "this build has no CUDA Toolkit or no NCCL";
}

void *device_stream(void) {
  return NULL;
}

int device_schedules(void) {
  return 1;
}
void device_schedule(int i) {}
void *device_alloc(size_t bytes) {
  return NULL;
}
void device_free(void *p) {}
void device_write(void *to, const void *host, size_t bytes) {}
void device_read(void *host, const void *from, size_t bytes) {}
bool device_finish(void) {
  return true;
}
void device_close(void) {}
