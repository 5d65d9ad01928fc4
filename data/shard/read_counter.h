// Bytes drawn from an open file beside HDF5, counted, and watched by who wants to know. Private to
// data/.
#ifndef DATA_TAP_H
#define DATA_TAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/fs.h"
#include "data/clips/clip_batch.h"

typedef struct {
  int fd;
  const char *path;      // named in errors
  data_read_watch watch; // told of every range; NULL = nobody
  void *watcher;
  uint64_t bytes; // read so far
} data_tap;

// Local. bytes [at, at + bytes) of the file. ORR_EIO, ORR_EFORMAT for a file that has become
// shorter.
static inline orr_code data_tap_read(data_tap *t, void *out, size_t bytes, uint64_t at) {
  ORR_TRY(orr_fs_pread_all(t->fd, t->path, out, bytes, at));
  t->bytes += bytes;
  if (t->watch) t->watch(t->watcher, t->path, at, bytes);
  return ORR_OK;
}

#endif
