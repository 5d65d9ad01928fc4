#include "train/run/stop.h"

#include <signal.h>
#include <string.h>

// A signal handler can reach nothing else.
static volatile sig_atomic_t stop_flag;

static void on_signal(int number) {
  stop_flag = 1;
  if (number == SIGINT) signal(SIGINT, SIG_DFL);
}

static void handle_with(void (*handler)(int)) {
  struct sigaction a;
  memset(&a, 0, sizeof a);
  a.sa_handler = handler;
  sigemptyset(&a.sa_mask);
  a.sa_flags = SA_RESTART;
  sigaction(SIGUSR1, &a, NULL);
  sigaction(SIGTERM, &a, NULL);
  sigaction(SIGINT, &a, NULL);
}

void train_stop_install(void) {
  handle_with(on_signal);
}

void train_stop_remove(void) {
  handle_with(SIG_DFL);
}

bool train_stop_requested(void) {
  return stop_flag != 0;
}

void train_stop_clear(void) {
  stop_flag = 0;
}
