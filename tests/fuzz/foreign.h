// A target whose library is known to fall over damaged files: HDF5 1.10 dereferences, allocates and
// loops by what it reads. Each call runs in a process of its own; one that ends by a signal inside
// the library is counted and forgiven, as the program itself runs such reading in worker processes.
// Anything that happens in Orrery's code is a finding as ever.
#ifndef TESTS_FUZZ_FOREIGN_H
#define TESTS_FUZZ_FOREIGN_H

#define _GNU_SOURCE // dladdr
#include <dlfcn.h>
#include <execinfo.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

enum { FOREIGN_EXIT = 77, FOREIGN_SECONDS = 3, FOREIGN_FRAMES = 64 };

// Whether the innermost frame that is neither the C library's nor a sanitizer's is the library's.
static int foreign_is_to_blame(const char *library) {
  void *frames[FOREIGN_FRAMES];
  int n = backtrace(frames, FOREIGN_FRAMES);
  for (int i = 1; i < n; i++) { // 0: this function's caller
    Dl_info info;
    const char *object = dladdr(frames[i], &info) && info.dli_fname ? info.dli_fname : "";
    if (strstr(object, library)) return 1;
    if (!strstr(object, "libc.so") && !strstr(object, "libasan") && !strstr(object, "libubsan") &&
        i > 2) // the handler itself
      return 0;
  }
  return 0;
}

static void foreign_on_signal(int number) {
  if (foreign_is_to_blame("libhdf5")) _exit(FOREIGN_EXIT);
  signal(number, SIG_DFL);
  raise(number);
}

static unsigned foreign_calls, foreign_forgiven;

static void foreign_report(void) {
  fprintf(stderr, "%u of %u calls ended inside the library\n", foreign_forgiven, foreign_calls);
}

static void foreign_child(void (*target)(const uint8_t *data, size_t size), const uint8_t *data,
                          size_t size) {
  const int numbers[] = {SIGABRT, SIGPROF, SIGALRM, SIGSEGV, SIGBUS, SIGFPE};
  void *warm[1];
  backtrace(warm, 1); // the first call allocates
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    signal(numbers[i], foreign_on_signal);
  const struct itimerval computing = {.it_value.tv_sec = FOREIGN_SECONDS};
  setitimer(ITIMER_PROF, &computing,
            NULL); // for ever in a loop; of its own time, not of the machine's
  alarm(300);      // for ever in a wait
  target(data, size);
  fflush(NULL);
  _exit(0);
}

// Runs the target. More than one call in ten inside the library would test nothing else: it fails.
static inline void foreign_call(void (*target)(const uint8_t *data, size_t size),
                                const uint8_t *data, size_t size) {
  int status = 0;
  if (foreign_calls++ == 0) atexit(foreign_report);
  pid_t pid = fork();
  FUZZ_PROMISE(pid >= 0);
  if (pid == 0) foreign_child(target, data, size);
  alarm(0); // the child has its own
  FUZZ_PROMISE(waitpid(pid, &status, 0) == pid);
  int forgiven = WIFEXITED(status) && WEXITSTATUS(status) == FOREIGN_EXIT;
  FUZZ_PROMISE(forgiven || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
  foreign_forgiven += (unsigned)forgiven;
  FUZZ_PROMISE(foreign_calls < 200 || foreign_forgiven * 10 < foreign_calls);
}

#endif
