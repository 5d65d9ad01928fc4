#include "data/remote/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "data/remote/user_dirs.h"

struct data_cache {
  char dir[DATA_CACHE_PATH_MAX];
  uint64_t bytes;
  int slots;
};

orr_code data_cache_open(const char *dir, uint64_t bytes, int slots, data_cache **out) {
  orr_code rc = ORR_OK;
  data_cache *c = orr_calloc(1, sizeof *c);
  ORR_CHECK(c, ORR_ENOMEM, "cache of remote data: out of memory");
  c->bytes = bytes;
  c->slots = slots;
  if (dir[0])
    rc = strlen(dir) < sizeof c->dir
             ? orr_fs_join(c->dir, sizeof c->dir, dir, "")
             : ORR_FAIL(ORR_EINVAL, "data.cache_dir: a path of %zu bytes", strlen(dir));
  else
    rc = data_user_dirs_cache(c->dir, sizeof c->dir);
  if (rc != ORR_OK) goto fail;
  ORR_TRY_GOTO(orr_fs_mkdirs(c->dir), fail);
  *out = c;
  return ORR_OK;
fail:
  data_cache_close(c);
  return rc;
}

void data_cache_close(data_cache *c) {
  orr_free(c);
}

// -- names ----------------------------------------------------------------------------------

orr_code data_cache_folder(const data_cache *c, const char *address, const char *last,
                           char out[DATA_CACHE_PATH_MAX]) {
  char name[64];
  int n = 0;
  for (; last[n] && n < 40; n++) // for people; the hash tells addresses apart
    name[n] = strchr("/%:?*\"<>|", last[n]) ? '_' : last[n];
  snprintf(name + n, sizeof name - (size_t)n, "-%016" PRIx64,
           orr_hash64(address, strlen(address), 0));
  ORR_TRY(orr_fs_join(out, DATA_CACHE_PATH_MAX, c->dir, name));
  return orr_fs_mkdirs(out);
}

static orr_code format_path(char out[DATA_CACHE_PATH_MAX], int got, const char *stem) {
  ORR_CHECK(got > 0 && got < DATA_CACHE_PATH_MAX, ORR_EINVAL, "%.200s...: a path too long", stem);
  return ORR_OK;
}

orr_code data_cache_stem(const char *folder, const char *file, orr_hash128 hash,
                         char out[DATA_CACHE_PATH_MAX]) {
  size_t n = strlen(file);
  if (n > 3 && strcmp(file + n - 3, ".h5") == 0) n -= 3;
  return format_path(out,
                     snprintf(out, DATA_CACHE_PATH_MAX, "%s/%.*s.%s", folder, (int)n, file,
                              orr_hash_to_hex(hash).s),
                     folder);
}

orr_code data_cache_whole(const char *stem, char out[DATA_CACHE_PATH_MAX]) {
  return format_path(out, snprintf(out, DATA_CACHE_PATH_MAX, "%s.h5", stem), stem);
}

orr_code data_cache_part(const char *stem, uint64_t bytes, char out[DATA_CACHE_PATH_MAX]) {
  return format_path(out, snprintf(out, DATA_CACHE_PATH_MAX, "%s.%" PRIu64 ".part", stem, bytes),
                     stem);
}

// -- locks ----------------------------------------------------------------------------------

static bool lock(int fd, int how) {
  int got;
  do got = flock(fd, how);
  while (got != 0 && errno == EINTR);
  return got == 0;
}

// Whether `path` is still the file that fd opened: it may have been renamed or removed before the
// lock.
static bool is_still(const char *path, int fd) {
  struct stat named, opened;
  return stat(path, &named) == 0 && fstat(fd, &opened) == 0 && named.st_ino == opened.st_ino &&
         named.st_dev == opened.st_dev;
}

orr_code data_cache_pin(const char *path, int *fd) {
  for (;;) {
    *fd = -1;
    if (!orr_fs_exists(path)) return ORR_OK;
    orr_code rc = orr_fs_open(path, O_RDONLY, 0, fd);
    if (rc == ORR_ENOTFOUND) continue;
    ORR_TRY(rc);
    if (!lock(*fd, LOCK_SH)) {
      close(*fd);
      *fd = -1;
      return ORR_FAIL(ORR_EIO, "%s: cannot lock it: %s; choose a data.cache_dir on a local disk",
                      path, strerror(errno));
    }
    if (is_still(path, *fd)) break;
    close(*fd);
  }
  const struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_OMIT}};
  futimens(*fd, times); // for those who evict what was used longest ago; it may fail
  return ORR_OK;
}

orr_code data_cache_claim(const char *path, int *fd) {
  for (;;) {
    ORR_TRY(orr_fs_open(path, O_RDWR | O_CREAT, 0666, fd));
    if (!lock(*fd, LOCK_EX | LOCK_NB)) break;
    if (is_still(path, *fd)) return ORR_OK;
    close(*fd);
  }
  int error = errno;
  close(*fd);
  *fd = -1;
  ORR_CHECK(error == EWOULDBLOCK, ORR_EIO,
            "%s: cannot lock it: %s; choose a data.cache_dir on a local disk", path,
            strerror(error));
  return ORR_OK;
}

orr_code data_cache_slot(const data_cache *c, int *fd) {
  char path[DATA_CACHE_PATH_MAX], name[32];
  for (int i = 0; i < c->slots; i++) {
    snprintf(name, sizeof name, "slot-%d", i);
    ORR_TRY(orr_fs_join(path, sizeof path, c->dir, name));
    ORR_TRY(orr_fs_open(path, O_RDWR | O_CREAT, 0666, fd));
    if (lock(*fd, LOCK_EX | LOCK_NB)) return ORR_OK;
    close(*fd);
  }
  *fd = -1;
  return ORR_OK;
}

// -- the budget -----------------------------------------------------------------------------

typedef struct {
  char *path;
  uint64_t bytes; // that it has or, a partial one, will have
  uint64_t disk;  // that removing it frees
  uint64_t need;
  struct timespec used;
} kept;

typedef struct {
  kept *v;
  size_t n, room;
  uint64_t bytes;
} listing;

// Last needed first; among those nobody here needs, the one used longest ago.
static int by_need(const void *a, const void *b) {
  const kept *x = a, *y = b;
  if (x->need != y->need) return x->need < y->need ? 1 : -1;
  if (x->used.tv_sec != y->used.tv_sec) return x->used.tv_sec < y->used.tv_sec ? -1 : 1;
  return x->used.tv_nsec < y->used.tv_nsec ? -1 : x->used.tv_nsec > y->used.tv_nsec;
}

static void listing_free(listing *l) {
  for (size_t i = 0; i < l->n; i++) orr_free(l->v[i].path);
  orr_free(l->v);
  *l = (listing){0};
}

// Cuts what follows the hash off a file's path, in place; *bytes is set for a partial file. False
// for a file that is not the cache's.
static bool cut_to_stem(char *path, uint64_t *bytes) {
  size_t n = strlen(path);
  if (n > 3 && strcmp(path + n - 3, ".h5") == 0) {
    path[n - 3] = 0;
    return true;
  }
  if (n <= 5 || strcmp(path + n - 5, ".part") != 0) return false;
  path[n - 5] = 0;
  char *dot = strrchr(path, '.'), *end = NULL;
  if (!dot) return false;
  *bytes = strtoull(dot + 1, &end, 10);
  if (end == dot + 1 || *end) return false;
  *dot = 0;
  return true;
}

static orr_code add_file(listing *l, const char *dir, const char *name,
                         const data_cache_need *needs) {
  char stem[DATA_CACHE_PATH_MAX];
  struct stat s;
  ORR_TRY(orr_fs_join(stem, sizeof stem, dir, name));
  if (stat(stem, &s) != 0 || !S_ISREG(s.st_mode)) return ORR_OK; // gone meanwhile
  kept k = {.bytes = (uint64_t)s.st_size, .disk = (uint64_t)s.st_blocks * 512, .used = s.st_atim};
  k.path = orr_strdup(stem);
  if (l->n == l->room) {
    size_t room = l->room ? 2 * l->room : 64;
    kept *v = orr_realloc(l->v, room * sizeof *v);
    if (v) l->v = v, l->room = room;
  }
  if (!k.path || l->n == l->room) {
    orr_free(k.path);
    return ORR_FAIL(ORR_ENOMEM, "%s: out of memory: cannot list the cache", dir);
  }
  if (!cut_to_stem(stem, &k.bytes)) {
    orr_free(k.path);
    return ORR_OK;
  }
  k.need = needs->of(needs->ctx, stem);
  l->bytes += k.bytes;
  l->v[l->n++] = k;
  return ORR_OK;
}

static orr_code add_folder(listing *l, const char *dir, const data_cache_need *needs) {
  orr_code rc = ORR_OK;
  DIR *d = opendir(dir);
  if (!d) return ORR_OK;
  for (struct dirent *e = readdir(d); e && rc == ORR_OK; e = readdir(d))
    if (e->d_name[0] != '.') rc = add_file(l, dir, e->d_name, needs);
  closedir(d);
  return rc;
}

static orr_code list_cache(const data_cache *c, const data_cache_need *needs, listing *l) {
  char folder[DATA_CACHE_PATH_MAX];
  orr_code rc = ORR_OK;
  DIR *d = opendir(c->dir);
  ORR_CHECK(d, ORR_EIO, "%s: cannot list the cache: %s", c->dir, strerror(errno));
  for (struct dirent *e = readdir(d); e && rc == ORR_OK; e = readdir(d)) {
    if (e->d_name[0] == '.') continue;
    rc = orr_fs_join(folder, sizeof folder, c->dir, e->d_name);
    if (rc == ORR_OK) rc = add_folder(l, folder, needs); // a file is none, and has none
  }
  closedir(d);
  if (rc == ORR_OK && l->n) qsort(l->v, l->n, sizeof *l->v, by_need);
  return rc;
}

// Removes the file unless somebody has it open. The folder of a data set stays: others may be
// about to write into it.
static bool remove_unused(kept *k, const data_cache_need *needs) {
  int fd = open(k->path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  bool unused = lock(fd, LOCK_EX | LOCK_NB) && is_still(k->path, fd) && unlink(k->path) == 0;
  close(fd);
  if (unused && cut_to_stem(k->path, &k->bytes)) needs->gone(needs->ctx, k->path);
  return unused;
}

// Evicts until `total` bytes are left or `disk` bytes are freed, whichever the caller is after.
static orr_code evict(const data_cache *c, uint64_t total, uint64_t disk, uint64_t need,
                      const data_cache_need *needs, uint64_t *left, uint64_t *freed) {
  char path[DATA_CACHE_PATH_MAX];
  listing l = {0};
  int fd = -1;
  ORR_TRY(orr_fs_join(path, sizeof path, c->dir, "lock"));
  ORR_TRY(orr_fs_open(path, O_RDWR | O_CREAT, 0666, &fd));
  orr_code rc = lock(fd, LOCK_EX)
                    ? list_cache(c, needs, &l)
                    : ORR_FAIL(ORR_EIO, "%s: cannot lock it: %s", path, strerror(errno));
  *left = l.bytes;
  *freed = 0;
  for (size_t i = 0; rc == ORR_OK && i < l.n && l.v[i].need > need; i++) {
    if (*left <= total && *freed >= disk) break;
    uint64_t bytes = l.v[i].bytes, blocks = l.v[i].disk;
    if (!remove_unused(&l.v[i], needs)) continue;
    *left -= bytes;
    *freed += blocks;
  }
  listing_free(&l);
  close(fd); // and with it the lock
  return rc;
}

orr_code data_cache_fit(const data_cache *c, uint64_t need, const data_cache_need *needs,
                        bool *fits) {
  uint64_t left = 0, freed = 0;
  ORR_TRY(evict(c, c->bytes, 0, need, needs, &left, &freed));
  *fits = left <= c->bytes;
  return ORR_OK;
}

orr_code data_cache_evict(const data_cache *c, uint64_t bytes, uint64_t need,
                          const data_cache_need *needs, uint64_t *freed) {
  uint64_t left = 0;
  return evict(c, UINT64_MAX, bytes, need, needs, &left, freed);
}
