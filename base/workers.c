#include "base/workers.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"

#define POLL_US      10000
#define REPORT_POLLS 10

int64_t orr_board_take(orr_board *b) {
  if (atomic_load(&b->stop)) return -1;
  int64_t job = atomic_fetch_add(&b->next_job, 1);
  return job < b->jobs ? job : -1;
}

static void post_failure(orr_board *b, orr_code code) {
  if (!atomic_flag_test_and_set(&b->failed)) {
    b->code = code;
    orr_status_copy(b->message, sizeof b->message);
  }
  atomic_store(&b->stop, true);
}

// The calling worker's number, -1 without a board or outside of a worker.
static int find_self(const orr_board *b) {
  for (int i = 0; b && i < b->count; i++)
    if (atomic_load(&b->notes[i].pid) == (int)getpid()) return i;
  return -1;
}

void orr_board_note(orr_board *b, const char *doing) {
  int self = find_self(b);
  if (self >= 0) snprintf(b->notes[self].doing, ORR_NOTE_MAX, "%s", doing);
}

// SIGPROF's default action ends the process, wherever it is.
void orr_board_allow(orr_board *b, int seconds) {
  int self = find_self(b);
  if (self < 0) return;
  b->notes[self].allowed_s = seconds;
  setitimer(ITIMER_PROF, &(struct itimerval){.it_value.tv_sec = seconds}, NULL);
}

// A worker's whole life. _exit: the parent's buffers and handlers are not the worker's to run.
static _Noreturn void live(const orr_workers *w, orr_board *b, int number, pid_t parent) {
  static const int faults[] = {SIGSEGV, SIGBUS, SIGABRT};
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  // a worker's crash is its parent's to tell
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) signal(faults[i], SIG_DFL);
  atomic_store(&b->notes[number].pid, (int)getpid());
  if (getppid() != parent) _exit(1); // the parent died before the line above
  orr_code rc = w->work(w->ctx, b);
  if (rc != ORR_OK) post_failure(b, rc);
  _exit(rc == ORR_OK ? 0 : 1);
}

static orr_code fail_signal(const orr_board *b, int number, pid_t pid, int signal_number) {
  const char *doing = b->notes[number].doing;
  char limit[256];
  orr_limits_memory_words(limit, sizeof limit);
  if (signal_number == SIGPROF)
    return ORR_FAIL(ORR_EIO,
                    "worker process %ld computed for %d s without an end%s%s; the file is damaged: "
                    "copy or record it again",
                    (long)pid, b->notes[number].allowed_s, *doing ? " while " : "", doing);
  return ORR_FAIL(
      ORR_EIO,
      "worker process %ld was ended by signal %d (%s)%s%s%s; if memory ran out, use fewer "
      "processes%s",
      (long)pid, signal_number, strsignal(signal_number), *doing ? " while " : "", doing, limit,
      *doing ? ", else the file is damaged: copy or record it again" : "");
}

// One that failed has posted why; one that was killed could not.
static void note_end(const orr_workers *w, orr_board *b, int number, pid_t pid, int status) {
  if (WIFSIGNALED(status) && w->crash && !w->crash->happened) {
    w->crash->happened = true;
    memcpy(w->crash->doing, b->notes[number].doing, ORR_NOTE_MAX);
  }
  if (WIFSIGNALED(status))
    post_failure(b, fail_signal(b, number, pid, WTERMSIG(status)));
  else if (WEXITSTATUS(status) != 0)
    post_failure(b, ORR_FAIL(ORR_EIO, "worker process %ld ended with status %d without a reason",
                             (long)pid, WEXITSTATUS(status)));
}

static void report(const orr_workers *w, orr_board *b) {
  if (w->report) w->report(w->ctx, atomic_load(&b->progress));
}

static void wait_all(const orr_workers *w, orr_board *b, pid_t *pids, int started) {
  int alive = started;
  for (int64_t poll = 0; alive > 0; poll++) {
    for (int i = 0; i < started; i++) {
      int status;
      if (pids[i] == 0 || waitpid(pids[i], &status, WNOHANG) != pids[i]) continue;
      note_end(w, b, i, pids[i], status);
      pids[i] = 0;
      alive--;
    }
    if (alive == 0 || poll % REPORT_POLLS == 0) report(w, b);
    if (alive > 0) usleep(POLL_US);
  }
}

// Returns how many of the workers run; fewer than wanted is a failure on the board.
static int start_all(const orr_workers *w, orr_board *b, pid_t *pids) {
  pid_t parent = getpid();
  for (int i = 0; i < w->count; i++) {
    pids[i] = fork();
    if (pids[i] == 0) live(w, b, i, parent);
    if (pids[i] > 0) continue;
    post_failure(b, ORR_FAIL(ORR_EIO, "cannot start worker process %d of %d: %s; use fewer", i + 1,
                             w->count, strerror(errno)));
    return i;
  }
  return w->count;
}

orr_code orr_workers_run(const orr_workers *w) {
  orr_code rc = ORR_OK;
  const size_t bytes = sizeof(orr_board) + (size_t)w->count * sizeof *((orr_board *)0)->notes;
  orr_board *b = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ORR_CHECK(b != MAP_FAILED, ORR_ENOMEM, "no shared memory for the workers: %s", strerror(errno));
  pid_t *pids = orr_calloc((size_t)w->count, sizeof *pids);
  ORR_CHECK_GOTO(pids, unmap, ORR_ENOMEM, "out of memory for %d workers", w->count);
  b->jobs = w->jobs;
  b->count = w->count;
  atomic_flag_clear(&b->failed);
  wait_all(w, b, pids, start_all(w, b, pids));
  if (atomic_load(&b->stop)) {
    orr_status_set(b->message);
    rc = b->code;
  }
  orr_free(pids);
unmap:
  munmap(b, bytes);
  return rc;
}
