#include "train/run/stop.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "dist/launch.h"

// A signal handler can reach nothing else.
static volatile sig_atomic_t stop_flag;

static void on_signal(int number, siginfo_t *info, void *context) {
  stop_flag = 1;
  if (number == SIGINT) signal(SIGINT, SIG_DFL);
}

// The launcher leaves little time: somebody has to say so now.
static void on_hurried_signal(int number, siginfo_t *info, void *context) {
  static const char words[] =
      "[0] mpirun ends this job about a second from now: a step that is over by then is saved, "
      "else the last checkpoint stays the newest; USR1 to mpirun waits for the step, or start it "
      "with --mca odls_base_sigkill_timeout 60\n";
  on_signal(number, info, context);
  if (number != SIGTERM || info->si_pid != getppid()) return;
  if (write(STDERR_FILENO, words, sizeof words - 1) < 0) return; // nowhere left to say it
}

static void handle_with(void (*handler)(int, siginfo_t *, void *)) {
  struct sigaction a;
  memset(&a, 0, sizeof a);
  if (handler)
    a.sa_sigaction = handler;
  else
    a.sa_handler = SIG_DFL;
  sigemptyset(&a.sa_mask);
  a.sa_flags = SA_RESTART | (handler ? SA_SIGINFO : 0);
  sigaction(SIGUSR1, &a, NULL);
  sigaction(SIGTERM, &a, NULL);
  sigaction(SIGINT, &a, NULL);
}

void train_stop_install(void) {
  handle_with(dist_job_hurries() ? on_hurried_signal : on_signal);
}

void train_stop_remove(void) {
  handle_with(NULL);
}

bool train_stop_requested(void) {
  return stop_flag != 0;
}

void train_stop_clear(void) {
  stop_flag = 0;
}
