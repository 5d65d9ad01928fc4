// The parent of a foreign game: asks, waits, and believes nothing.
#include "data/sim/libenv.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/confine.h"
#include "base/mem.h"
#include "data/sim/libenv_child.h"

enum { PATIENCE_S = 120, SAID_MAX = 400 };

struct data_libenv {
  data_libenv_options o;
  pid_t pid;
  int fd;          // to the child
  int said;        // what the library prints
  uint32_t number; // of the last request
  int32_t level;   // -1 before the first
  uint8_t *frame;  // both processes see it
  size_t frame_bytes;
  bool broken;
  char why[ORR_STATUS_MESSAGE_MAX];
};

// -- starting and ending ----------------------------------------------------------------------

// What the library prints goes into a pipe that nobody empties while it lives.
static orr_code start(data_libenv *l) {
  orr_code rc = ORR_OK;
  int pair[2], said[2];
  ORR_CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0, ORR_EIO,
            "%s: no sockets for its process: %s", l->o.library, strerror(errno));
  ORR_CHECK_GOTO(pipe(said) == 0, close_pair, ORR_EIO, "%s: no pipe for its process: %s",
                 l->o.library, strerror(errno));
  l->fd = pair[0];
  l->said = said[0];
  fcntl(l->said, F_SETFL, O_NONBLOCK);
  libenv_child child = {&l->o, pair[1], l->frame};
  rc = orr_confined_start(
      &(orr_confinement){
          .keep = &pair[1], .kept = 1, .output = said[1], .memory_bytes = LIBENV_MEMORY},
      data_libenv_live, &child, &l->pid);
  close(said[1]);
  close(pair[1]);
  return rc;
close_pair:
  close(pair[0]);
  close(pair[1]);
  return rc;
}

static int end(data_libenv *l) { // its wait status; 0 where it has ended before
  int status = 0;
  if (l->pid <= 0) return 0;
  kill(l->pid, SIGKILL);
  while (waitpid(l->pid, &status, 0) < 0 && errno == EINTR) {
  }
  l->pid = 0;
  return status;
}

// -- blame ------------------------------------------------------------------------------------

// The end of what it printed, as one line of harmless letters.
static void read_said(const data_libenv *l, char out[SAID_MAX]) {
  char piece[4096];
  size_t n = 0;
  for (ssize_t got; (got = read(l->said, piece, sizeof piece)) > 0;)
    for (ssize_t i = 0; i < got; i++) {
      if (n == SAID_MAX - 1) memmove(out, out + 1, --n);
      out[n++] = piece[i] >= ' ' && piece[i] < 127 ? piece[i] : ' ';
    }
  while (n > 0 && out[n - 1] == ' ') n--;
  out[n] = 0;
}

static void blame(data_libenv *l, const char *what) {
  char said[SAID_MAX], where[64] = "loading it";
  read_said(l, said);
  if (l->level >= 0) snprintf(where, sizeof where, "level %d of %.32s", (int)l->level, l->o.game);
  snprintf(l->why, sizeof l->why, "%s: %s (%s)%s%s%s", l->o.library, what, where,
           *said ? "; it said: '" : "", said, *said ? "'" : "");
  l->broken = true;
}

// One that has ended by itself says how, and is given a second to; what hangs is ended.
static int wait_for_end(data_libenv *l, bool hangs) {
  int status = 0;
  for (int i = 0; !hangs && i < 100; i++) {
    if (waitpid(l->pid, &status, WNOHANG) == l->pid) {
      l->pid = 0;
      return status;
    }
    usleep(10000);
  }
  return end(l);
}

// The socket has closed, or nothing came in time.
static orr_code fail_dead(data_libenv *l, bool hangs) {
  char what[128];
  const int status = wait_for_end(l, hangs);
  if (hangs)
    snprintf(what, sizeof what, "no answer within %d s: it hangs", l->o.patience_s);
  else if (WIFSIGNALED(status))
    snprintf(what, sizeof what, "its process was ended by signal %d (%s)", WTERMSIG(status),
             strsignal(WTERMSIG(status)));
  else
    snprintf(what, sizeof what, "its process ended with status %d", WEXITSTATUS(status));
  blame(l, what);
  return ORR_FAIL(ORR_EIO, "%s", l->why);
}

static orr_code fail_nonsense(data_libenv *l, orr_code code, const char *what) {
  end(l);
  blame(l, what);
  return ORR_FAIL(code, "%s", l->why);
}

// -- asking -----------------------------------------------------------------------------------

static orr_code receive(data_libenv *l, libenv_answer *a) {
  const int64_t until = orr_clock_ns() + l->o.patience_s * INT64_C(1000000000);
  for (;;) {
    const int64_t left_ms = (until - orr_clock_ns()) / 1000000;
    struct pollfd p = {.fd = l->fd, .events = POLLIN};
    if (left_ms <= 0) return fail_dead(l, true);
    const int ready = poll(&p, 1, (int)left_ms);
    if (ready <= 0) continue; // time, or a signal of ours
    const ssize_t n = recv(l->fd, a, sizeof *a, MSG_TRUNC);
    if (n <= 0) return fail_dead(l, false);
    if (n == (ssize_t)sizeof *a) return ORR_OK;
    return fail_nonsense(l, ORR_EFORMAT, "an answer of the wrong length");
  }
}

static bool is_code(int32_t code) {
  return code >= ORR_OK && code <= ORR_EBUSY;
}

static orr_code check(data_libenv *l, libenv_answer *a) {
  char what[700];
  a->message[sizeof a->message - 1] = 0;
  for (char *c = a->message; *c; c++)
    if (*c < ' ' || *c > 126) *c = ' ';
  if (a->number != l->number || !is_code(a->code) || (a->over != 0 && a->over != 1))
    return fail_nonsense(l, ORR_EFORMAT, "an answer that is none");
  if (a->code != ORR_OK) return fail_nonsense(l, (orr_code)a->code, a->message);
  if (isfinite(a->reward)) return ORR_OK;
  snprintf(what, sizeof what, "a reward of %g, wanted a number", (double)a->reward);
  return fail_nonsense(l, ORR_EFORMAT, what);
}

static orr_code ask(data_libenv *l, int32_t what, int32_t value, libenv_answer *a) {
  const libenv_request q = {++l->number, what, value};
  ORR_CHECK(!l->broken, ORR_EIO, "%s", l->why);
  if (send(l->fd, &q, sizeof q, MSG_NOSIGNAL) != (ssize_t)sizeof q) return fail_dead(l, false);
  ORR_TRY(receive(l, a));
  return check(l, a);
}

orr_code data_libenv_create(const data_libenv_options *o, data_libenv **out) {
  orr_code rc = ORR_OK;
  libenv_answer a;
  data_libenv *l = orr_calloc(1, sizeof *l);
  ORR_CHECK(l, ORR_ENOMEM, "%s: out of memory", o->library);
  *l = (data_libenv){.o = *o, .fd = -1, .said = -1, .level = -1, .frame = MAP_FAILED};
  if (l->o.patience_s <= 0) l->o.patience_s = PATIENCE_S;
  l->frame_bytes = (size_t)(o->side * o->side * 3);
  l->frame = mmap(NULL, l->frame_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ORR_CHECK_GOTO(l->frame != MAP_FAILED, fail, ORR_ENOMEM,
                 "%s: no shared memory for its frames: %s", o->library, strerror(errno));
  ORR_TRY_GOTO(start(l), fail);
  ORR_TRY_GOTO(ask(l, LIBENV_LOAD, 0, &a), fail);
  *out = l;
  return ORR_OK;
fail:
  data_libenv_destroy(l);
  return rc;
}

void data_libenv_destroy(data_libenv *l) {
  if (!l) return;
  end(l);
  if (l->fd >= 0) close(l->fd);
  if (l->said >= 0) close(l->said);
  if (l->frame != MAP_FAILED) munmap(l->frame, l->frame_bytes);
  orr_free(l);
}

orr_code data_libenv_begin(data_libenv *l, int32_t level) {
  libenv_answer a;
  ORR_CHECK(level >= 0, ORR_EINVAL, "%s: level %d, wanted 0 or more", l->o.library, (int)level);
  l->level = level;
  return ask(l, LIBENV_BEGIN, level, &a);
}

orr_code data_libenv_act(data_libenv *l, int32_t action, data_libenv_outcome *out) {
  libenv_answer a;
  ORR_CHECK(action >= 0 && action < l->o.actions, ORR_EINVAL, "%s: action %d, wanted 0 to %d",
            l->o.library, (int)action, (int)l->o.actions - 1);
  ORR_TRY(ask(l, LIBENV_ACT, action, &a));
  *out = (data_libenv_outcome){a.reward, a.over == 1};
  return ORR_OK;
}

const uint8_t *data_libenv_frame(const data_libenv *l) {
  return l->frame;
}
