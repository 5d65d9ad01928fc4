// Paths and durable files over POSIX calls, each with its fault hook in front. A failing hook sets
// errno as the real call would, so the messages are those a user would see.
#define _GNU_SOURCE // nftw
#include "base/fs.h"

#include <inttypes.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

enum { SWEEP_NAMES = 10000 };         // of a folder that are looked at
#define PIECE_BYTES ((size_t)1 << 30) // Linux moves at most 2 GiB - 4 KiB in one call

// Records "PATH: cannot OPERATION: errno's text; remedy".
static orr_code fail_errno(const char *path, const char *operation) {
  const char *remedy = "";
  char limit[256];
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
  case EFBIG:
    orr_limits_file_words(limit, sizeof limit);
    remedy = limit;
    break;
  case ENOMEM:
    orr_limits_memory_words(limit, sizeof limit);
    remedy = limit;
    break;
  default:
    break;
  }
  const orr_code code = e == ENOENT                                ? ORR_ENOTFOUND
                        : e == EACCES || e == EPERM                ? ORR_EACCESS
                        : e == ENOSPC || e == EDQUOT || e == EFBIG ? ORR_EFULL
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

orr_code orr_fs_mkdir(const char *path) {
  if (mkdir(path, 0777) == 0) return ORR_OK;
  const int e = errno;
  if (orr_fs_is_dir(path)) return ORR_OK;
  ORR_CHECK(!orr_fs_exists(path), ORR_EIO,
            "%s: is a file, wanted a folder; choose another path or move the file away", path);
  errno = e;
  return fail_errno(path, "make this folder");
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
    ORR_TRY(orr_fs_mkdir(partial));
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

// True for NAME.tmp-123; of any NAME when it is NULL.
static bool is_temporary(const char *file, const char *name) {
  static const char mark[] = ".tmp-";
  const char *at = name && strncmp(file, name, strlen(name)) == 0 ? file + strlen(name) : NULL;
  if (!name)
    for (const char *next = file; (next = strstr(next, mark)); next++) at = next;
  if (!at || at == file || strncmp(at, mark, sizeof mark - 1) != 0) return false;
  const char *digits = at + sizeof mark - 1;
  return *digits && digits[strspn(digits, "0123456789")] == 0;
}

// One of this name may be without its lock yet, when it is a moment old.
static bool writer_lives(const char *file) {
  const long pid = strtol(strrchr(file, '-') + 1, NULL, 10);
  return pid > 0 && (kill((pid_t)pid, 0) == 0 || errno == EPERM);
}

// Its writer holds a lock on it, which ends with that process.
static void remove_unless_written(const char *dir, const char *file) {
  orr_path path;
  struct stat s;
  if (orr_fs_join(path, sizeof path, dir, file) != ORR_OK) return;
  const int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return;
  if (fstat(fd, &s) == 0 && S_ISREG(s.st_mode) && flock(fd, LOCK_EX | LOCK_NB) == 0) unlink(path);
  close(fd);
}

void orr_fs_sweep(const char *dir, const char *name) {
  int left = SWEEP_NAMES;
  DIR *d = opendir(dir);
  if (!d) return;
  for (struct dirent *e; left-- > 0 && (e = readdir(d));)
    if (is_temporary(e->d_name, name) && !(name && writer_lives(e->d_name)))
      remove_unless_written(dir, e->d_name);
  closedir(d);
}

orr_code orr_fs_write_atomic(const char *path, const void *p, size_t bytes) {
  orr_code rc = ORR_OK;
  char parent[4096], temporary[4096 + 32];
  int fd = -1;
  ORR_TRY(parent_of(path, parent, sizeof parent));
  snprintf(temporary, sizeof temporary, "%s.tmp-%ld", path, (long)getpid());
  ORR_TRY(orr_fs_open(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0666, &fd));
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) ORR_DEBUG("%s: no locks on this file system", temporary);
  ORR_TRY_GOTO(orr_fs_pwrite_all(fd, path, p, bytes, 0), close_file);
  ORR_TRY_GOTO(orr_fs_fsync(fd, path), close_file);
  rc = orr_fs_rename(temporary, path);
close_file:
  if (rc != ORR_OK) unlink(temporary);
  close(fd); // until here it is locked
  if (rc != ORR_OK) return rc;
  const char *slash = strrchr(path, '/');
  orr_fs_sweep(parent, slash ? slash + 1 : path);
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
