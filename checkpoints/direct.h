// Writing past the page cache: the kernel neither copies the bytes nor throws out for them what the
// reader of clips has there, and the disk begins at once instead of when fsync asks.
#ifndef CHECKPOINTS_DIRECT_H
#define CHECKPOINTS_DIRECT_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

// Local. Writes [offset, offset + bytes) of an open file; p and offset lie on pages (CKPT_PAGE).
// Whole pages go past the cache where the file system has such a way; the rest of a page, and all
// of it on other file systems, through it. Durable after orr_fs_fsync, as always. Errors of
// orr_fs_pwrite_all.
orr_code ckpt_direct_write(int fd, const char *path, const void *p, size_t bytes, uint64_t offset);

#endif
