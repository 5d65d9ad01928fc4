// The file is removed by its holder, so whoever finds it locked or gone looks at the name again: a
// lock on a file that no longer has the name is none.
#include "base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"

#define NAME     ".orrery-lock"
#define POLL_US  50000
#define PATIENCE 60 // polls: a holder that is being killed needs a moment

struct orr_lock {
  int fd;
  char *path;
};

// Whether an open file still has its name.
static bool is_named(int fd, const char *path) {
  struct stat mine, there;
  return fstat(fd, &mine) == 0 && stat(path, &there) == 0 && mine.st_dev == there.st_dev &&
         mine.st_ino == there.st_ino;
}

static void describe_holder(const char *path, char *out, size_t size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd >= 0 ? read(fd, out, size - 1) : -1;
  if (fd >= 0) close(fd);
  out[n > 0 ? n : 0] = 0;
}

static void describe_self(int fd, const char *what) {
  char host[65] = "", text[256];
  gethostname(host, sizeof host - 1);
  int n = snprintf(text, sizeof text, "%s, process %ld on %s", what, (long)getpid(), host);
  if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n) return; // only for messages
}

// One attempt: *taken says whether it went well, without an error where somebody else holds it.
static orr_code attempt(orr_lock *l, const char *what, bool *taken) {
  ORR_TRY(orr_fs_open(l->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666, &l->fd));
  *taken = flock(l->fd, LOCK_EX | LOCK_NB) == 0;
  if (!*taken && errno != EWOULDBLOCK) {
    ORR_WARN("%s: this file system has no locks (%s); see to it that nothing else writes here",
             l->path, strerror(errno));
    *taken = true;
  }
  if (*taken && is_named(l->fd, l->path)) {
    describe_self(l->fd, what);
    return ORR_OK;
  }
  *taken = false;
  close(l->fd);
  l->fd = -1;
  return ORR_OK;
}

orr_code orr_lock_take(const char *dir, const char *what, orr_lock **out) {
  char holder[256];
  bool taken = false;
  orr_code rc = ORR_OK;
  orr_lock *l = orr_calloc(1, sizeof *l);
  ORR_CHECK(l, ORR_ENOMEM, "%s: out of memory for its lock", dir);
  *l = (orr_lock){.fd = -1, .path = orr_format("%s/" NAME, dir)};
  ORR_CHECK_GOTO(l->path, fail, ORR_ENOMEM, "%s: out of memory for its lock", dir);
  for (int i = 0; !taken && i < PATIENCE; i++) {
    if (i > 0) usleep(POLL_US);
    ORR_TRY_GOTO(attempt(l, what, &taken), fail);
  }
  if (!taken) describe_holder(l->path, holder, sizeof holder);
  ORR_CHECK_GOTO(taken, fail, ORR_EINVAL,
                 "%s: is being written by another process (%s); wait for it, or choose another "
                 "folder",
                 dir, holder[0] ? holder : "unknown");
  *out = l;
  return ORR_OK;
fail:
  orr_lock_release(l);
  return rc;
}

void orr_lock_release(orr_lock *l) {
  if (!l) return;
  if (l->fd >= 0) {
    unlink(l->path);
    close(l->fd);
  }
  orr_free(l->path);
  orr_free(l);
}
