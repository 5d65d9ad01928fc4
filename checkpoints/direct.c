#define _GNU_SOURCE // O_DIRECT
#include "checkpoints/direct.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>

#include "base/fs.h"
#include "checkpoints/layout.h"

// False where the file system refuses.
static bool set_direct(int fd, bool on) {
  const int flags = fcntl(fd, F_GETFL);
  return flags >= 0 && fcntl(fd, F_SETFL, on ? flags | O_DIRECT : flags & ~O_DIRECT) == 0;
}

// Some take the flag and then refuse the write (EINVAL: they want more than pages): *done is 0
// then.
static orr_code write_pages(int fd, const char *path, const void *p, size_t bytes, uint64_t offset,
                            size_t *done) {
  *done = 0;
  if (bytes == 0 || !set_direct(fd, true)) return ORR_OK;
  errno = 0;
  orr_code rc = orr_fs_pwrite_all(fd, path, p, bytes, offset);
  if (rc == ORR_OK)
    *done = bytes;
  else if (errno == EINVAL)
    rc = ORR_OK;
  set_direct(fd, false);
  return rc;
}

orr_code ckpt_direct_write(int fd, const char *path, const void *p, size_t bytes, uint64_t offset) {
  size_t done;
  ORR_TRY(write_pages(fd, path, p, bytes / CKPT_PAGE * CKPT_PAGE, offset, &done));
  if (done == bytes) return ORR_OK;
  return orr_fs_pwrite_all(fd, path, (const char *)p + done, bytes - done, offset + done);
}
