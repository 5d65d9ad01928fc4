#include "train/observe/append.h"

#include <inttypes.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"

enum { RETRY_MS = 1000 };

struct train_append {
  int fd;      // -1: there was no room to make it
  uint64_t at; // end of what is written
  char *path;
  train_outage *outage;
  bool out; // counted there
  char *kept;
  size_t kept_bytes, room;
  uint64_t lost_bytes;
  double next_ms; // not tried again before
};

static void begin_outage(train_append *a) {
  if (!a->out && atomic_fetch_add(&a->outage->files, 1) == 0)
    ORR_WARN(
        "%s; training goes on: what has no room in this folder is kept in memory, up to %zu MiB "
        "of a file, and written once it has",
        orr_status_message(), TRAIN_APPEND_KEPT >> 20);
  a->out = true;
  a->next_ms = orr_clock_ms() + RETRY_MS;
  orr_status_clear();
}

static void end_outage(train_append *a) {
  if (a->out && atomic_fetch_sub(&a->outage->files, 1) == 1)
    ORR_INFO("%s: there is room again, what was kept is written", a->path);
  a->out = false;
}

// Its folder, but not those above: a run's folder that was moved away must not come back.
static void make_folder(const char *path) {
  orr_path parent;
  const char *slash = strrchr(path, '/');
  if (!slash || slash == path || (size_t)(slash - path) >= sizeof parent) return;
  snprintf(parent, sizeof parent, "%.*s", (int)(slash - path), path);
  mkdir(parent, 0777);
}

static orr_code open_file(train_append *a) {
  make_folder(a->path);
  ORR_TRY(orr_fs_open(a->path, O_WRONLY | O_CREAT, 0644, &a->fd));
  return orr_fs_size(a->path, &a->at);
}

static orr_code write_now(train_append *a, const void *p, size_t bytes) {
  if (a->fd < 0) ORR_TRY(open_file(a));
  const orr_code rc = orr_fs_pwrite_all(a->fd, a->path, p, bytes, a->at);
  if (rc == ORR_OK)
    a->at += bytes;
  else if (ftruncate(a->fd, (off_t)a->at) != 0)
    ORR_DEBUG("%s: a part of what did not fit stays", a->path); // readers pass over it
  return rc;
}

static void keep(train_append *a, const void *p, size_t bytes) {
  const size_t need = a->kept_bytes + bytes;
  if (need > a->room && need <= TRAIN_APPEND_KEPT) {
    const size_t room = 2 * need < TRAIN_APPEND_KEPT ? 2 * need : TRAIN_APPEND_KEPT;
    char *more = orr_realloc(a->kept, room);
    if (more) a->kept = more, a->room = room;
  }
  if (need > a->room) {
    a->lost_bytes += bytes;
    return;
  }
  memcpy(a->kept + a->kept_bytes, p, bytes);
  a->kept_bytes = need;
}

// True when nothing is kept any more.
static bool catch_up(train_append *a) {
  if (a->kept_bytes > 0 && write_now(a, a->kept, a->kept_bytes) != ORR_OK) {
    begin_outage(a);
    return false;
  }
  if (a->lost_bytes > 0)
    ORR_WARN("%s: %" PRIu64 " bytes found no room, neither there nor in memory, and are lost",
             a->path, a->lost_bytes);
  a->kept_bytes = 0;
  a->lost_bytes = 0;
  end_outage(a);
  return true;
}

orr_code train_append_open(const char *path, train_outage *outage, train_append **out) {
  orr_code rc;
  train_append *a = orr_calloc(1, sizeof *a);
  ORR_CHECK(a, ORR_ENOMEM, "%s: out of memory", path);
  *a = (train_append){.fd = -1, .outage = outage, .path = orr_strdup(path)};
  ORR_CHECK_GOTO(a->path, fail, ORR_ENOMEM, "%s: out of memory", path);
  rc = open_file(a);
  if (rc == ORR_EFULL)
    begin_outage(a);
  else if (rc != ORR_OK)
    goto fail;
  *out = a;
  return ORR_OK;
fail:
  train_append_close(a);
  return rc;
}

void train_append_put(train_append *a, const void *p, size_t bytes) {
  if (atomic_load(&a->outage->left)) return;
  if (a->out && (orr_clock_ms() < a->next_ms || !catch_up(a))) {
    keep(a, p, bytes);
    return;
  }
  if (write_now(a, p, bytes) == ORR_OK) return;
  begin_outage(a);
  keep(a, p, bytes);
}

bool train_append_settled(const train_append *a) {
  return !a->out;
}

uint64_t train_append_bytes(const train_append *a) {
  return a->at + a->kept_bytes;
}

void train_append_close(train_append *a) {
  if (!a) return;
  if (a->out && !atomic_load(&a->outage->left) && !catch_up(a)) {
    ORR_WARN("%s: the last %" PRIu64 " bytes found no room", a->path,
             a->kept_bytes + a->lost_bytes);
    atomic_fetch_sub(&a->outage->files, 1);
  }
  if (a->fd >= 0) close(a->fd);
  orr_free(a->kept);
  orr_free(a->path);
  orr_free(a);
}
