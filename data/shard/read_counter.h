// Counts the bytes that are read from an open file without HDF5, and tells a watcher of each range.
// Private to data/.
#ifndef DATA_READ_COUNTER_H
#define DATA_READ_COUNTER_H

#include <stddef.h>
#include <stdint.h>

#include "base/fs.h"

// Told of every range that is read.
typedef void (*data_read_watch)(void *ctx, const char *path, uint64_t offset, size_t bytes);

typedef struct {
  int fd;
  const char *path;      // named in errors
  data_read_watch watch; // told of every range; NULL = nobody
  void *watcher;
  uint64_t bytes; // read so far
} data_read_counter;

// Local. bytes [at, at + bytes) of the file. ORR_EIO, ORR_EFORMAT for a file that has become
// shorter.
static inline orr_code data_read_counter_read(data_read_counter *t, void *out, size_t bytes,
                                              uint64_t at) {
  ORR_TRY(orr_fs_pread_all(t->fd, t->path, out, bytes, at));
  t->bytes += bytes;
  if (t->watch) t->watch(t->watcher, t->path, at, bytes);
  return ORR_OK;
}

#endif
