// The command line. This file and the watchdog alone end the process; exit codes: 0 done, 1 failed,
// 2 bad usage or configuration, 3 a replayed step differs from its record, 4 another run holds the
// folder, 85 stopped early on request with a checkpoint written.
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/status.h"
#include "train/cli/cmd_bench.h"
#include "train/cli/cmd_ckpt.h"
#include "train/cli/cmd_config.h"
#include "train/cli/cmd_data.h"
#include "train/cli/cmd_eval.h"
#include "train/cli/cmd_play.h"
#include "train/cli/cmd_rollout.h"
#include "train/cli/cmd_train.h"
#include "train/report/report.h"

typedef struct {
  const char *name;
  orr_code (*run)(int argc, char **argv);
  const char *usage;
} command;

static const command commands[] = {
    {"data", train_cmd_data, "generate | import | tokenize | inspect | verify"},
    {"train", train_cmd_train, "CONFIG.yaml [--set key=value]... [--resume auto|none|PATH]"},
    {"eval", train_cmd_eval, "CHECKPOINT --data DIR [--json FILE]"},
    {"rollout", train_cmd_rollout,
     "CHECKPOINT --data DIR --clip N --frames N --out FILE.mp4|.gif|.png"},
    {"play", train_cmd_play, "RUN --data DIR [--port N]"},
    {"ckpt", train_cmd_ckpt, "inspect | verify | export"},
    {"config", train_cmd_config, "print | check | doc"},
    {"bench", train_cmd_bench, "step | ops | comm | io | rollout"},
    {"report", train_cmd_report, "RUN_DIR | --compare RUN_DIR RUN_DIR"},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static int usage(FILE *out) {
  fputs("orrery: trains autoregressive video-and-action world models\n\n", out);
  for (int i = 0; i < COMMANDS; i++)
    fprintf(out, "  orrery %-8s %s\n", commands[i].name, commands[i].usage);
  fputs("\n`orrery COMMAND --help` lists a command's options. With --verbose a command also says "
        "where in the\nsources an error arose, and what passed it on.\n",
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

int main(int argc, char **argv) {
  orr_log_setup(ORR_LOG_INFO, 0, 1);
  if (argc > 1) argc = take_verbose(argc, argv);
  if (argc < 2) return usage(stderr);
  if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)
    return usage(stdout);
  for (int i = 0; i < COMMANDS; i++) {
    if (strcmp(argv[1], commands[i].name) != 0) continue;
    orr_code rc = commands[i].run(argc - 1, argv + 1);
    // Of ranks that agree on an error all but one come back without a message.
    const bool silent = *orr_status_message() == '\0';
    if (rc == ORR_ESTOPPED && !silent)
      ORR_INFO("%s", orr_status_message());
    else if (rc != ORR_OK && !silent)
      ORR_ERROR("%s", orr_status_message());
    return exit_code(rc);
  }
  ORR_ERROR("unknown command '%s': see `orrery --help`", argv[1]);
  return 2;
}
