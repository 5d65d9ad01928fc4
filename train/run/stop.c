#include "train/run/stop.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// A signal handler can reach nothing else.
static volatile sig_atomic_t stop_flag;
static char hurry[320]; // what is said when the launcher ends the job; "" = nothing

// Open MPI's launcher ends a job in a hurry: SIGTERM, and a second later SIGKILL.
static void prepare_words(void) {
  const char *rank = getenv("OMPI_COMM_WORLD_RANK"),
             *set = getenv("OMPI_MCA_odls_base_sigkill_timeout");
  if (!rank || strcmp(rank, "0") != 0) return;
  snprintf(hurry, sizeof hurry,
           "[0] mpirun ends this job in %.12s s: what a step that is over by then leaves is saved, "
           "else the last checkpoint stays the newest; USR1 to mpirun waits for the step, or start "
           "it with --mca odls_base_sigkill_timeout 60\n",
           set ? set : "1");
}

static void on_signal(int number, siginfo_t *info, void *context) {
  stop_flag = 1;
  if (number == SIGINT) signal(SIGINT, SIG_DFL);
  if (number != SIGTERM || !hurry[0] || info->si_pid != getppid()) return;
  if (write(STDERR_FILENO, hurry, strlen(hurry)) < 0) return; // nowhere left to say it
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
  prepare_words();
  handle_with(on_signal);
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
