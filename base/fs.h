// Files that must survive a crash, and paths. Errors name the path, the operation, errno's text
// and a remedy where one is known (ENOSPC, EACCES, EDQUOT).
#ifndef BASE_FS_H
#define BASE_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

// What the name of a file may take, with its final 0.
#define ORR_PATH_MAX 4096
typedef char orr_path[ORR_PATH_MAX];

// DIR/NAME into out[size]; ORR_EINVAL when it does not fit.
orr_code orr_fs_join(char *out, size_t size, const char *dir, const char *name);
orr_code orr_fs_mkdirs(const char *path); // like mkdir -p
orr_code orr_fs_mkdir(const char *path);  // this one alone; it may be there already
bool orr_fs_exists(const char *path);
bool orr_fs_is_dir(const char *path);
orr_code orr_fs_size(const char *path, uint64_t *bytes);
// Reads a whole file; *text is malloc'ed, terminated by a 0 that is not counted.
orr_code orr_fs_read_all(const char *path, char **text, size_t *bytes);
// Writes a whole file so that a reader sees the old or the new one: temporary name, fsync,
// rename, fsync of the folder. Temporary files of that name whose writer was killed are swept.
orr_code orr_fs_write_atomic(const char *path, const void *p, size_t bytes);
// Removes temporary files NAME.tmp-PID that a killed orr_fs_write_atomic has left in a folder; of
// any NAME when it is NULL.
void orr_fs_sweep(const char *dir, const char *name);
orr_code orr_fs_open(const char *path, int flags, int mode, int *fd); // hooked; path in the message
orr_code orr_fs_pwrite_all(int fd, const char *path, const void *p, size_t bytes, uint64_t offset);
orr_code orr_fs_pread_all(int fd, const char *path, void *p, size_t bytes,
                          uint64_t offset); // short file: ORR_EFORMAT
orr_code orr_fs_fsync(int fd, const char *path);
orr_code orr_fs_fsync_dir(const char *path);
orr_code orr_fs_rename(const char *from, const char *to);
orr_code orr_fs_remove_tree(const char *path); // missing is fine

#endif
