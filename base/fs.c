// Paths and durable files over POSIX calls, each with its fault hook in front. A failing hook sets
// errno as the real call would, so the messages are those a user would see.
#define _GNU_SOURCE // nftw
#include "base/fs.h"

#include <inttypes.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/mem.h"

#define PIECE_BYTES ((size_t)1 << 30) // Linux moves at most 2 GiB - 4 KiB in one call

// Records "PATH: cannot OPERATION: errno's text; remedy".
static orr_code fail_errno(const char *path, const char *operation) {
  const char *remedy = "";
  int e = errno;
  switch (e) {
  case ENOSPC:
    remedy = "; free some space or choose a folder on another disk";
    break;
  case EDQUOT:
    remedy = "; your quota is used up: remove files or ask for more";
    break;
  case EACCES:
  case EPERM:
    remedy = "; check the owner and the permissions, or choose another folder";
    break;
  case EROFS:
    remedy = "; the file system is read-only: choose another folder";
    break;
  case EMFILE:
    remedy = "; raise the limit on open files (ulimit -n)";
    break;
  default:
    break;
  }
  const orr_code code = e == ENOENT                 ? ORR_ENOTFOUND
                        : e == EACCES || e == EPERM ? ORR_EACCESS
                                                    : ORR_EIO;
  return ORR_FAIL(code, "%s: cannot %s: %s%s", path, operation, strerror(e), remedy);
}

// True when this call must fail; sets errno then.
static bool faulty(orr_fault_kind kind, int error) {
  if (!orr_fault_hit(kind)) return false;
  errno = error;
  return true;
}

orr_code orr_fs_join(char *out, size_t size, const char *dir, const char *name) {
  size_t n = strlen(dir);
  const char *slash = n == 0 || dir[n - 1] == '/' ? "" : "/";
  int got = snprintf(out, size, "%s%s%s", dir, slash, name);
  ORR_CHECK(got >= 0 && (size_t)got < size, ORR_EINVAL, "path %s%s%s: longer than %zu bytes", dir,
            slash, name, size - 1);
  return ORR_OK;
}

orr_code orr_fs_mkdirs(const char *path) {
  orr_path partial;
  size_t n = strlen(path);
  ORR_CHECK(n > 0 && n < sizeof partial, ORR_EINVAL,
            "folder '%.64s': its path has %zu bytes, wanted 1 to %zu", path, n, sizeof partial - 1);
  memcpy(partial, path, n + 1);
  for (size_t i = 1; i <= n; i++) {
    if (partial[i] != '/' && partial[i] != 0) continue;
    partial[i] = 0;
    if (mkdir(partial, 0777) != 0) {
      const int e = errno; // looking at what is there replaces it
      if (!orr_fs_is_dir(partial)) {
        ORR_CHECK(!orr_fs_exists(partial), ORR_EIO,
                  "%s: is a file, wanted a folder; choose another path or move the file away",
                  partial);
        errno = e;
        return fail_errno(partial, "make this folder");
      }
    }
    partial[i] = path[i];
  }
  return ORR_OK;
}

bool orr_fs_exists(const char *path) {
  struct stat s;
  return stat(path, &s) == 0;
}

bool orr_fs_is_dir(const char *path) {
  struct stat s;
  int kept = errno;
  bool is_dir = stat(path, &s) == 0 && S_ISDIR(s.st_mode);
  errno = kept; // callers report the error of the call before
  return is_dir;
}

orr_code orr_fs_size(const char *path, uint64_t *bytes) {
  struct stat s;
  if (stat(path, &s) != 0) return fail_errno(path, "look at this file");
  ORR_CHECK(S_ISREG(s.st_mode), ORR_EFORMAT, "%s: got a %s, wanted a file", path,
            S_ISDIR(s.st_mode) ? "folder" : "special file");
  *bytes = (uint64_t)s.st_size;
  return ORR_OK;
}

orr_code orr_fs_read_all(const char *path, char **text, size_t *bytes) {
  orr_code rc = ORR_OK;
  uint64_t size = 0;
  int fd = -1;
  ORR_TRY(orr_fs_size(path, &size));
  ORR_TRY(orr_fs_open(path, O_RDONLY, 0, &fd));
  char *p = orr_malloc((size_t)size + 1);
  ORR_CHECK_GOTO(p, close_file, ORR_ENOMEM, "%s: out of memory for its %zu bytes", path,
                 (size_t)size);
  ORR_TRY_GOTO(orr_fs_pread_all(fd, path, p, (size_t)size, 0), free_text);
  p[size] = 0;
  *text = p;
  *bytes = (size_t)size;
  close(fd);
  return ORR_OK;
free_text:
  orr_free(p);
close_file:
  close(fd);
  return rc;
}

// The folder that holds path, "." when path has no slash.
static orr_code parent_of(const char *path, char *out, size_t size) {
  const char *slash = strrchr(path, '/');
  size_t n = slash == path ? 1 : slash ? (size_t)(slash - path) : 0;
  ORR_CHECK(n < size, ORR_EINVAL, "path %s: longer than %zu bytes", path, size - 1);
  memcpy(out, path, n);
  out[n] = 0;
  if (n == 0) snprintf(out, size, ".");
  return ORR_OK;
}

orr_code orr_fs_write_atomic(const char *path, const void *p, size_t bytes) {
  orr_code rc = ORR_OK;
  char parent[4096], temporary[4096 + 32];
  int fd = -1;
  ORR_TRY(parent_of(path, parent, sizeof parent));
  snprintf(temporary, sizeof temporary, "%s.tmp-%ld", path, (long)getpid());
  ORR_TRY(orr_fs_open(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0666, &fd));
  ORR_TRY_GOTO(orr_fs_pwrite_all(fd, path, p, bytes, 0), close_file);
  ORR_TRY_GOTO(orr_fs_fsync(fd, path), close_file);
close_file:
  close(fd);
  if (rc == ORR_OK) rc = orr_fs_rename(temporary, path);
  if (rc != ORR_OK) {
    unlink(temporary);
    return rc;
  }
  return orr_fs_fsync_dir(parent);
}

orr_code orr_fs_open(const char *path, int flags, int mode, int *fd) {
  *fd = faulty(ORR_FAULT_OPEN, EMFILE) ? -1 : open(path, flags | O_CLOEXEC, mode);
  if (*fd < 0) return fail_errno(path, flags & O_CREAT ? "create this file" : "open this file");
  return ORR_OK;
}

orr_code orr_fs_pwrite_all(int fd, const char *path, const void *p, size_t bytes, uint64_t offset) {
  const char *from = p;
  bool full = faulty(ORR_FAULT_WRITE, ENOSPC);
  if (full) bytes /= 2; // as a disk that fills up: a part is there
  while (bytes > 0) {
    ssize_t n = pwrite(fd, from, bytes < PIECE_BYTES ? bytes : PIECE_BYTES, (off_t)offset);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(path, "write to this file");
    from += n;
    bytes -= (size_t)n;
    offset += (uint64_t)n;
  }
  if (!full) return ORR_OK;
  errno = ENOSPC;
  return fail_errno(path, "write to this file");
}

orr_code orr_fs_pread_all(int fd, const char *path, void *p, size_t bytes, uint64_t offset) {
  char *to = p;
  size_t wanted = bytes;
  if (faulty(ORR_FAULT_READ, EIO)) return fail_errno(path, "read this file");
  while (bytes > 0) {
    ssize_t n = pread(fd, to, bytes < PIECE_BYTES ? bytes : PIECE_BYTES, (off_t)offset);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(path, "read this file");
    ORR_CHECK(n > 0, ORR_EFORMAT, "%s: ends at byte %" PRIu64 ", %zu of %zu bytes short: truncated",
              path, offset, bytes, wanted);
    to += n;
    bytes -= (size_t)n;
    offset += (uint64_t)n;
  }
  return ORR_OK;
}

orr_code orr_fs_fsync(int fd, const char *path) {
  if (faulty(ORR_FAULT_FSYNC, EIO) || fsync(fd) != 0) return fail_errno(path, "sync to disk");
  return ORR_OK;
}

orr_code orr_fs_fsync_dir(const char *path) {
  int fd = -1;
  ORR_TRY(orr_fs_open(path, O_RDONLY | O_DIRECTORY, 0, &fd));
  orr_code rc = orr_fs_fsync(fd, path);
  close(fd);
  return rc;
}

orr_code orr_fs_rename(const char *from, const char *to) {
  if (faulty(ORR_FAULT_RENAME, EIO) || rename(from, to) != 0) {
    return fail_errno(from, "rename into place");
  }
  return ORR_OK;
}

static int remove_entry(const char *path, const struct stat *s, int kind, struct FTW *at) {
  return remove(path);
}

orr_code orr_fs_remove_tree(const char *path) {
  struct stat s;
  if (lstat(path, &s) != 0 && errno == ENOENT) return ORR_OK;
  if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0) {
    return fail_errno(path, "remove this folder");
  }
  return ORR_OK;
}
