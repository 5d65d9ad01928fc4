#define _GNU_SOURCE // locks of an open file (F_OFD_SETLK)
#include "train/run/lease.h"

#include <inttypes.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

enum { RECORD_BYTES = 512 }; // one length, so that a new record covers the old one whole

// What the file says, and whom it means. `machine` is the kernel's identity of this boot: host
// names may be alike, and a machine that was switched off and on holds nothing any more.
typedef struct {
  char host[65], job[65], machine[65], token[65]; // token: of this holding, never used twice
  int64_t pid, beat;
  bool held;
} record;

typedef enum { LOCK_MINE, LOCK_TAKEN, LOCK_ABSENT } lock_state;

struct train_lease {
  int fd;
  orr_path path;
  double beat_s;
  record mine;
  bool record_only;
  int folder;     // the run's, open
  orr_path where; // it is, by its own name
  pthread_t thread;
  pthread_mutex_t mutex; // guards what follows, and the file
  pthread_cond_t changed;
  bool ending;
  bool put_back;      // its file was removed, and made again
  orr_code verdict;   // not ORR_OK: this run must not write here any more, and why
  char why[3 * 4096]; // in words
};

// -- the record -----------------------------------------------------------------------------

static void copy_word(char out[65], const char *word) {
  snprintf(out, 65, "%s", word ? word : "");
}

static void describe_self(record *r, const char *job) {
  *r = (record){.pid = getpid(), .held = true};
  gethostname(r->host, sizeof r->host - 1);
  copy_word(r->job, job);
  const int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  const ssize_t n = fd >= 0 ? read(fd, r->machine, 36) : 0;
  if (fd >= 0) close(fd);
  if (n != 36) copy_word(r->machine, r->host);
  snprintf(r->token, sizeof r->token, "%.8s-%" PRId64 "-%llx", r->machine, r->pid,
           (unsigned long long)orr_clock_ns());
}

static orr_code record_write(int fd, const char *path, const record *r) {
  char text[RECORD_BYTES + 1];
  const int n =
      snprintf(text, sizeof text,
               "{\"held\": %s, \"host\": \"%s\", \"pid\": %" PRId64 ", \"job\": \"%s\", "
               "\"machine\": \"%s\", \"token\": \"%s\", \"beat\": %" PRId64 "}",
               r->held ? "true" : "false", r->host, r->pid, r->job, r->machine, r->token, r->beat);
  ORR_CHECK(n > 0 && n < RECORD_BYTES, ORR_EINVAL, "%s: a record of %d bytes, %d are the most",
            path, n, RECORD_BYTES - 1);
  memset(text + n, ' ', (size_t)(RECORD_BYTES - n));
  text[RECORD_BYTES - 1] = '\n';
  ORR_TRY(orr_fs_pwrite_all(fd, path, text, RECORD_BYTES, 0));
  return orr_fs_fsync(fd, path);
}

// False when there is none, or not a whole one: somebody is just writing it.
static bool record_read(const char *path, record *r) {
  char *text = NULL;
  const char *host, *job, *machine, *token;
  size_t bytes;
  json_t *j = NULL;
  // Opened anew each time: that is when a network file system looks at the server again.
  bool ok = orr_fs_read_all(path, &text, &bytes) == ORR_OK && bytes == RECORD_BYTES &&
            orr_json_parse(path, text, bytes, &j) == ORR_OK &&
            orr_json_get_str(j, path, "host", &host) == ORR_OK &&
            orr_json_get_str(j, path, "job", &job) == ORR_OK &&
            orr_json_get_str(j, path, "machine", &machine) == ORR_OK &&
            orr_json_get_str(j, path, "token", &token) == ORR_OK &&
            orr_json_get_i64(j, path, "pid", &r->pid) == ORR_OK &&
            orr_json_get_i64(j, path, "beat", &r->beat) == ORR_OK;
  if (ok) {
    copy_word(r->host, host);
    copy_word(r->job, job);
    copy_word(r->machine, machine);
    copy_word(r->token, token);
    r->held = json_is_true(json_object_get(j, "held"));
  } else {
    orr_status_clear();
  }
  json_decref(j);
  orr_free(text);
  return ok;
}

// -- taking ---------------------------------------------------------------------------------

// A lock of the open file, not of the process: a second run in this process is refused as well.
static lock_state lock_file(int fd, bool record_only) {
  struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  if (record_only) return LOCK_ABSENT;
  if (fcntl(fd, F_OFD_SETLK, &whole) == 0) return LOCK_MINE;
  return errno == EAGAIN || errno == EACCES ? LOCK_TAKEN : LOCK_ABSENT;
}

static orr_code refuse(const char *dir, const record *r, bool known) {
  if (!known)
    return ORR_FAIL(ORR_EBUSY, "%s: another run is writing here: choose another run.dir", dir);
  return ORR_FAIL(ORR_EBUSY,
                  "%s: process %" PRId64
                  " on %s%s%s is training here: wait for it, stop it, or choose "
                  "another run.dir",
                  dir, r->pid, r->host, r->job[0] ? ", job " : "", r->job);
}

static void pause_s(double seconds) {
  const struct timespec t = {.tv_sec = (time_t)seconds,
                             .tv_nsec = (long)(1e9 * (seconds - (double)(time_t)seconds))};
  nanosleep(&t, NULL);
}

// Until the folder is free, or its holder is seen alive, or the time is over.
static orr_code wait_until_free(const train_lease *l, const train_lease_options *o) {
  record first, now;
  bool known = record_read(l->path, &first);
  const double until = orr_clock_ms() + 1e3 * TRAIN_LEASE_MISSED * o->beat_s;
  for (bool said = false;; said = true) {
    const lock_state lock = lock_file(l->fd, o->record_only);
    const bool there = record_read(l->path, &now), over = orr_clock_ms() >= until;
    if (lock != LOCK_TAKEN) {
      if (!there && (!known || over)) return ORR_OK;
      if (there && !now.held) return ORR_OK;
      // a holder on this machine would still have the lock
      if (lock == LOCK_MINE && there && strcmp(now.machine, l->mine.machine) == 0) return ORR_OK;
      if (there && known && (now.beat != first.beat || strcmp(now.token, first.token) != 0))
        return refuse(o->dir, &now, true);
    }
    if (there && !known) first = now, known = true;
    if (over) return lock == LOCK_TAKEN ? refuse(o->dir, &now, there) : ORR_OK;
    if (!said)
      ORR_INFO(
          "%s: in use, or left by a crash (process %lld on %s%s%s): waiting up to %.0f s to see",
          o->dir, there ? (long long)now.pid : 0, there ? now.host : "a host without name",
          there && now.job[0] ? ", job " : "", there ? now.job : "",
          TRAIN_LEASE_MISSED * o->beat_s);
    pause_s(0.1 * o->beat_s);
  }
}

// -- holding --------------------------------------------------------------------------------

// True after a beat's time, false when the lease ends.
static bool sleep_a_beat(train_lease *l) {
  const int64_t until_ns = orr_clock_ns() + (int64_t)(1e9 * l->beat_s);
  pthread_mutex_lock(&l->mutex);
  while (!l->ending && orr_cond_wait(&l->changed, &l->mutex, until_ns)) {
  }
  const bool on = !l->ending;
  pthread_mutex_unlock(&l->mutex);
  return on;
}

// Where an open file or folder is now; false when the system does not say.
static bool place_of(int fd, orr_path out) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t n = readlink(link, out, sizeof(orr_path) - 1);
  out[n > 0 ? n : 0] = '\0';
  return n > 0;
}

__attribute__((format(printf, 3, 4))) static void give_up(train_lease *l, orr_code code,
                                                          const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  vsnprintf(l->why, sizeof l->why, fmt, args);
  va_end(args);
  l->verdict = code;
}

static void give_up_to_another(train_lease *l) {
  give_up(l, ORR_EBUSY,
          "%s: another run took this folder while this process stood still, or after this file was "
          "removed; this one ends, the other goes on",
          l->path);
}

// The path of the lock's file leads to this run's.
static bool in_place(const train_lease *l) {
  struct stat by_path, mine;
  if (stat(l->path, &by_path) != 0) return errno != ENOENT; // otherwise it cannot be told
  return fstat(l->fd, &mine) != 0 ||
         (by_path.st_dev == mine.st_dev && by_path.st_ino == mine.st_ino);
}

// The path of the run's folder does not lead to where its files are open.
static bool moved(train_lease *l) {
  struct stat by_path, mine;
  orr_path now, dir;
  snprintf(dir, sizeof dir, "%.*s", (int)(strrchr(l->path, '/') - l->path), l->path);
  if (fstat(l->folder, &mine) != 0) return false;
  const bool elsewhere = place_of(l->folder, now) && strcmp(now, l->where) != 0;
  if (elsewhere && strstr(now, " (deleted)"))
    give_up(l, ORR_ENOTFOUND, "%s: this folder was removed while the run wrote into it: it ends",
            dir);
  else if (elsewhere)
    give_up(
        l, ORR_ENOTFOUND,
        "%s: this folder was moved to %s while the run wrote into it: it ends; go on with --set "
        "run.dir=%s",
        dir, now, now);
  else if (stat(dir, &by_path) != 0 || by_path.st_dev != mine.st_dev ||
           by_path.st_ino != mine.st_ino)
    give_up(
        l, ORR_ENOTFOUND,
        "%s: this path leads to another folder since, the run wrote into %s: it ends; go on with "
        "--set run.dir=%s",
        dir, l->where, l->where);
  return l->verdict != ORR_OK;
}

// The file was removed, alone. Whoever is first makes it again: another run that came meanwhile has
// its lock, or its record in it.
static void take_again(train_lease *l) {
  record now;
  int fd;
  if (orr_fs_open(l->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666, &fd) != ORR_OK) {
    orr_status_clear(); // the next look
    return;
  }
  const bool theirs = record_read(l->path, &now) && strcmp(now.token, l->mine.token) != 0;
  if (theirs || lock_file(fd, l->record_only) == LOCK_TAKEN) {
    close(fd);
    give_up_to_another(l);
    return;
  }
  close(l->fd);
  l->fd = fd;
  if (record_write(fd, l->path, &l->mine) != ORR_OK) orr_status_clear();
  if (!l->put_back)
    ORR_WARN("%s: was removed while this run holds the folder; made again", l->path);
  l->put_back = true;
}

// Called with the mutex held. A process that was stopped for minutes may no longer be the holder.
static void look(train_lease *l, bool at_record) {
  record now;
  if (l->verdict != ORR_OK) return;
  if (!in_place(l)) {
    if (!moved(l)) take_again(l);
  } else if (at_record && record_read(l->path, &now) && strcmp(now.token, l->mine.token) != 0) {
    give_up_to_another(l);
  }
}

// Looks before it writes. A beat that cannot be written is no reason to end a run.
static void *beat(void *arg) {
  train_lease *l = arg;
  while (sleep_a_beat(l)) {
    pthread_mutex_lock(&l->mutex);
    look(l, true);
    l->mine.beat++;
    if (l->verdict == ORR_OK && record_write(l->fd, l->path, &l->mine) != ORR_OK)
      orr_status_clear();
    pthread_mutex_unlock(&l->mutex);
  }
  return NULL;
}

static orr_code start_beating(train_lease *l) {
  pthread_mutex_init(&l->mutex, NULL);
  orr_cond_init(&l->changed);
  const orr_code rc = orr_thread_start(&l->thread, beat, l, l->path);
  if (rc == ORR_OK) return ORR_OK;
  pthread_cond_destroy(&l->changed);
  pthread_mutex_destroy(&l->mutex);
  return rc;
}

static orr_code open_folder(train_lease *l, const char *dir) {
  ORR_TRY(orr_fs_open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, &l->folder));
  if (!place_of(l->folder, l->where)) l->where[0] = '\0';
  return ORR_OK;
}

orr_code train_lease_take(const train_lease_options *o, train_lease **out) {
  orr_code rc = ORR_OK;
  train_lease *l = orr_calloc(1, sizeof *l);
  ORR_CHECK(l, ORR_ENOMEM, "%s: out of memory for its lock", o->dir);
  l->beat_s = o->beat_s;
  l->record_only = o->record_only;
  describe_self(&l->mine, o->job);
  ORR_TRY_GOTO(orr_fs_join(l->path, sizeof l->path, o->dir, "run.lock"), free_lease);
  ORR_TRY_GOTO(open_folder(l, o->dir), free_lease);
  ORR_TRY_GOTO(orr_fs_open(l->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666, &l->fd), close_folder);
  ORR_TRY_GOTO(wait_until_free(l, o), close_file);
  ORR_TRY_GOTO(record_write(l->fd, l->path, &l->mine), close_file);
  ORR_TRY_GOTO(start_beating(l), close_file);
  *out = l;
  return ORR_OK;
close_file:
  close(l->fd);
close_folder:
  close(l->folder);
free_lease:
  orr_free(l);
  return rc;
}

orr_code train_lease_held(train_lease *l) {
  pthread_mutex_lock(&l->mutex);
  look(l, false);
  const orr_code rc = l->verdict == ORR_OK ? ORR_OK : ORR_FAIL(l->verdict, "%s", l->why);
  pthread_mutex_unlock(&l->mutex);
  return rc;
}

void train_lease_release(train_lease *l) {
  if (!l) return;
  pthread_mutex_lock(&l->mutex);
  l->ending = true;
  pthread_cond_broadcast(&l->changed);
  pthread_mutex_unlock(&l->mutex);
  pthread_join(l->thread, NULL);
  l->mine.held = false;
  // The folder is free without this too, only later. The message that ends the run stays.
  char message[ORR_STATUS_MESSAGE_MAX];
  orr_status_copy(message, sizeof message);
  if (l->verdict != ORR_EBUSY) record_write(l->fd, l->path, &l->mine);
  orr_status_set(message);
  pthread_cond_destroy(&l->changed);
  pthread_mutex_destroy(&l->mutex);
  close(l->fd);
  close(l->folder);
  orr_free(l);
}
