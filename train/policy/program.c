#include "train/policy/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"

enum { MOST_LINE = 16 << 20, ROOM = 65536 };
#define GOES_WITHIN_MS 500 // after its input has ended

struct train_policy_program {
  char *command;
  double patience_s;
  pid_t pid;
  int in, out; // to it, from it
  char *line;  // what has come and was not read yet
  size_t used, room;
};

extern char **environ;

static int64_t deadline_of(const train_policy_program *p) {
  return orr_clock_ns() + (int64_t)(1e9 * p->patience_s);
}

static orr_code wait_for(const train_policy_program *p, int fd, short events, int64_t until,
                         const char *what) {
  for (;;) {
    const int64_t left_ms = (until - orr_clock_ns() + 999999) / 1000000;
    struct pollfd f = {.fd = fd, .events = events};
    const int got = left_ms > 0 ? poll(&f, 1, left_ms > 1000 ? 1000 : (int)left_ms) : 0;
    if (got > 0) return ORR_OK;
    ORR_CHECK(got == 0 || errno == EINTR, ORR_EIO, "policy %s: %s", p->command, strerror(errno));
    ORR_CHECK(orr_clock_ns() < until, ORR_EIO,
              "policy %s: it %s within %g s: is it still busy? --patience S waits longer",
              p->command, what, p->patience_s);
  }
}

// -- life -----------------------------------------------------------------------------------

static orr_code start(train_policy_program *p, const int *to, const int *from) {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t how;
  char *const argv[] = {"sh", "-c", p->command, NULL};
  posix_spawn_file_actions_init(&files);
  posix_spawnattr_init(&how);
  int why = posix_spawn_file_actions_adddup2(&files, to[0], STDIN_FILENO);
  if (!why) why = posix_spawn_file_actions_adddup2(&files, from[1], STDOUT_FILENO);
  if (!why) why = posix_spawn_file_actions_addclose(&files, to[0]);
  if (!why) why = posix_spawn_file_actions_addclose(&files, from[1]);
  if (!why) why = posix_spawnattr_setflags(&how, POSIX_SPAWN_SETPGROUP);
  if (!why) why = posix_spawnattr_setpgroup(&how, 0);
  if (!why) why = posix_spawn(&p->pid, "/bin/sh", &files, &how, argv, environ);
  posix_spawnattr_destroy(&how);
  posix_spawn_file_actions_destroy(&files);
  ORR_CHECK(!why, ORR_EIO, "policy %s: cannot be started: %s", p->command, strerror(why));
  return ORR_OK;
}

orr_code train_policy_program_open(const char *command, double patience_s,
                                   train_policy_program **out) {
  orr_code rc = ORR_OK;
  int to[2] = {-1, -1}, from[2] = {-1, -1};
  train_policy_program *p = orr_calloc(1, sizeof *p);
  ORR_CHECK(p, ORR_ENOMEM, "policy %s: out of memory", command);
  p->in = p->out = -1;
  p->patience_s = patience_s;
  p->command = orr_strdup(command);
  p->line = orr_malloc(ROOM);
  p->room = ROOM;
  ORR_CHECK_GOTO(p->command && p->line, done, ORR_ENOMEM, "policy %s: out of memory", command);
  ORR_CHECK_GOTO(pipe(to) == 0 && pipe(from) == 0, done, ORR_EIO, "policy %s: no pipe: %s", command,
                 strerror(errno));
  (void)fcntl(to[1], F_SETFD, FD_CLOEXEC);
  (void)fcntl(from[0], F_SETFD, FD_CLOEXEC);
  ORR_TRY_GOTO(start(p, to, from), done);
  p->in = to[1];
  p->out = from[0];
  to[1] = from[0] = -1;
  (void)fcntl(p->in, F_SETFL, O_NONBLOCK);
  (void)fcntl(p->out, F_SETFL, O_NONBLOCK);
  *out = p;
done:
  for (int i = 0; i < 2; i++) {
    if (to[i] >= 0) close(to[i]);
    if (from[i] >= 0) close(from[i]);
  }
  if (rc != ORR_OK) train_policy_program_close(p);
  return rc;
}

// Its input ends; then it may go by itself, and otherwise is made to.
static void end(train_policy_program *p) {
  const int64_t until = orr_clock_ns() + INT64_C(1000000) * GOES_WITHIN_MS;
  while (waitpid(p->pid, NULL, WNOHANG) == 0) {
    if (orr_clock_ns() > until) {
      (void)kill(-p->pid, SIGKILL);
      (void)waitpid(p->pid, NULL, 0);
      return;
    }
    (void)poll(NULL, 0, 5);
  }
  (void)kill(-p->pid, SIGKILL); // what it started and left
}

void train_policy_program_close(train_policy_program *p) {
  if (!p) return;
  if (p->in >= 0) close(p->in);
  if (p->pid > 0) end(p);
  if (p->out >= 0) close(p->out);
  orr_free(p->line);
  orr_free(p->command);
  orr_free(p);
}

// -- lines ----------------------------------------------------------------------------------

static orr_code write_all(train_policy_program *p, const char *text, size_t size) {
  const int64_t until = deadline_of(p);
  while (size > 0) {
    const ssize_t n = write(p->in, text, size);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
      ORR_TRY(wait_for(p, p->in, POLLOUT, until, "did not take a line"));
      continue;
    }
    ORR_CHECK(n > 0, ORR_EIO, "policy %s: it has ended", p->command);
    text += n;
    size -= (size_t)n;
  }
  return ORR_OK;
}

orr_code train_policy_program_say(train_policy_program *p, const json_t *line) {
  char *text = line ? json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
  ORR_CHECK(text, ORR_ENOMEM, "policy %s: out of memory", p->command);
  // one that has gone is an error here, not a signal
  void (*before)(int) = signal(SIGPIPE, SIG_IGN);
  orr_code rc = write_all(p, text, strlen(text));
  if (rc == ORR_OK) rc = write_all(p, "\n", 1);
  signal(SIGPIPE, before);
  free(text);
  return rc;
}

static orr_code read_more(train_policy_program *p, int64_t until) {
  if (p->used == p->room) {
    ORR_CHECK(p->room < MOST_LINE, ORR_EFORMAT, "policy %s: a line of more than %d bytes",
              p->command, (int)MOST_LINE);
    char *more = orr_realloc(p->line, 2 * p->room);
    ORR_CHECK(more, ORR_ENOMEM, "policy %s: out of memory", p->command);
    p->line = more;
    p->room *= 2;
  }
  const ssize_t n = read(p->out, p->line + p->used, p->room - p->used);
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return wait_for(p, p->out, POLLIN, until, "did not answer");
  ORR_CHECK(n > 0, ORR_EIO, "policy %s: it has ended without an answer", p->command);
  p->used += (size_t)n;
  return ORR_OK;
}

orr_code train_policy_program_hear(train_policy_program *p, json_t **out) {
  const int64_t until = deadline_of(p);
  char what[128];
  char *end;
  while (!(end = memchr(p->line, '\n', p->used))) ORR_TRY(read_more(p, until));
  const size_t size = (size_t)(end - p->line);
  snprintf(what, sizeof what, "policy %.100s, its answer", p->command);
  const orr_code rc = orr_json_parse(what, p->line, size, out);
  p->used -= size + 1;
  memmove(p->line, end + 1, p->used);
  return rc;
}
