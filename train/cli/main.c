// The command line. This file and the watchdog alone end the process; exit codes: 0 done, 1 failed,
// 2 bad usage or configuration, 3 a replayed step differs from its record, 4 another run holds the
// folder, 85 stopped early on request with a checkpoint written.
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/nearest.h"
#include "base/status.h"
#include "train/cli/cmd.h"
#include "train/cli/version.h"

typedef struct {
  const char *name;
  orr_code (*run)(int argc, char **argv);
  const char *usage;
} command;

#define COMMAND_ROW(name, words) {#name, train_cmd_##name, words},
static const command commands[] = {TRAIN_COMMANDS(COMMAND_ROW)};
#undef COMMAND_ROW
enum { COMMANDS = sizeof commands / sizeof *commands };

static int usage(FILE *out) {
  fputs("orrery: trains autoregressive video-and-action world models\n\n", out);
  for (int i = 0; i < COMMANDS; i++)
    fprintf(out, "  orrery %-8s %s\n", commands[i].name, commands[i].usage);
  fputs(
      "\n`orrery COMMAND --help` lists a command's options; `orrery --version` says what this is\n"
      "made of. With --verbose a command also says where in the sources an error arose.\n",
      out);
  return out == stdout ? 0 : 2;
}

static int exit_code(orr_code rc) {
  switch (rc) {
  case ORR_OK:
    return 0;
  case ORR_ECONFIG:
    return 2;
  case ORR_EDIFFERS:
    return 3;
  case ORR_EBUSY:
    return 4;
  case ORR_ESTOPPED:
    return 85;
  default:
    return 1;
  }
}

// Takes every --verbose before "--" out of argv[argc]: it belongs to all commands, in any place.
// Returns how many arguments are left.
static int take_verbose(int argc, char **argv) {
  int left = 1, i = 1;
  for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
    if (strcmp(argv[i], "--verbose") == 0)
      orr_log_verbose();
    else
      argv[left++] = argv[i];
  }
  while (i < argc) argv[left++] = argv[i++];
  argv[left] = NULL;
  return left;
}

// -- limits of the process ------------------------------------------------------------------

// A library that does not check what it allocates (libhdf5, C++ ones) dies of a limit on memory;
// this says of what.
static void end_out_of_memory(int number) {
  char words[512] = "error: out of memory in a library";
  size_t n = strlen(words);
  orr_limits_memory_words(words + n, sizeof words - n - 1);
  n = strlen(words);
  words[n] = '\n';
  if (number != 0 && write(STDERR_FILENO, words, n + 1) < 0) _exit(1);
  _exit(1);
}

static void end_uncaught(void) {
  end_out_of_memory(SIGABRT);
}

// std::set_terminate, where a C++ library is linked.
typedef void (*ending)(void);
__attribute__((weak)) ending _ZSt13set_terminatePFvvE(ending);

// A file that grows to its limit is an error of a write, not the end. Handlers only where memory is
// limited: elsewhere such a signal is a fault of the program, and MPI's handler shows where.
static void respect_limits(void) {
  static const int signals[] = {SIGSEGV, SIGBUS, SIGABRT};
  signal(SIGXFSZ, SIG_IGN);
  if (orr_limits_memory() == 0) return;
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
    signal(signals[i], end_out_of_memory);
  if (_ZSt13set_terminatePFvvE) _ZSt13set_terminatePFvvE(end_uncaught);
}

int main(int argc, char **argv) {
  orr_log_setup(ORR_LOG_INFO, 0, 1);
  respect_limits();
  if (argc > 1) argc = take_verbose(argc, argv);
  if (argc < 2) return usage(stderr);
  if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)
    return usage(stdout);
  if (strcmp(argv[1], "--version") == 0) {
    train_version_print();
    return 0;
  }
  for (int i = 0; i < COMMANDS; i++) {
    if (strcmp(argv[1], commands[i].name) != 0) continue;
    orr_code rc = commands[i].run(argc - 1, argv + 1);
    // Of ranks that agree on an error all but one come back without a message.
    const bool silent = *orr_status_message() == '\0';
    if (rc == ORR_ESTOPPED && !silent)
      ORR_INFO("%s", orr_status_message());
    else if (rc != ORR_OK && !silent)
      ORR_ERROR("%s", orr_status_message());
    // Where memory ran out the handlers of libraries at an exit would only fall over it.
    if (rc != ORR_OK && (rc == ORR_ENOMEM || orr_limits_memory_near())) {
      fflush(NULL);
      _exit(exit_code(rc));
    }
    return exit_code(rc);
  }
  orr_nearest near = orr_nearest_start(argv[1]);
  for (int i = 0; i < COMMANDS; i++) orr_nearest_offer(&near, commands[i].name);
  ORR_ERROR("unknown command '%s'%s%s: see `orrery --help`", argv[1],
            near.best ? ", did you mean " : "", near.best ? near.best : "");
  return 2;
}
