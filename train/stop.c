#include "train/stop.h"

#include <signal.h>
#include <string.h>

// A signal handler can reach nothing else.
static volatile sig_atomic_t stop_flag;

static void on_signal(int number) {
  stop_flag = 1;
  if (number == SIGINT) signal(SIGINT, SIG_DFL);
}

void train_stop_install(void) {
  struct sigaction a;
  memset(&a, 0, sizeof a);
  a.sa_handler = on_signal;
  sigemptyset(&a.sa_mask);
  a.sa_flags = SA_RESTART;
  sigaction(SIGUSR1, &a, NULL);
  sigaction(SIGTERM, &a, NULL);
  sigaction(SIGINT, &a, NULL);
}

bool train_stop_requested(void) {
  return stop_flag != 0;
}

void train_stop_clear(void) {
  stop_flag = 0;
}
