#define _GNU_SOURCE // memfd_create and its seals

#include "train/live/shared.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

orr_code train_live_shared_create(size_t bytes, train_live_shared *s, int *fd) {
  *s = (train_live_shared){.bytes = bytes};
  *fd = memfd_create("orrery-frames", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  ORR_CHECK(*fd >= 0, ORR_EIO, "program: no memory to share: %s", strerror(errno));
  void *at = MAP_FAILED;
  if (ftruncate(*fd, (off_t)bytes) == 0 &&
      fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
    at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
  if (at != MAP_FAILED) {
    s->at = at;
    return ORR_OK;
  }
  const int why = errno;
  close(*fd);
  *fd = -1;
  return ORR_FAIL(ORR_EIO, "program: no memory to share: %s", strerror(why));
}

void train_live_shared_release(train_live_shared *s) {
  if (s->at) munmap(s->at, s->bytes);
  *s = (train_live_shared){0};
}
