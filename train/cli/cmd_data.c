#include "train/cli/cmd_data.h"

#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "train/cli/cmd_data_generate.h"
#include "train/cli/cmd_data_import.h"
#include "train/cli/cmd_data_inspect.h"
#include "train/cli/cmd_data_tokenize.h"
#include "train/cli/cmd_data_verify.h"

typedef struct {
  const char *name;
  orr_code (*run)(int argc, char **argv);
  const char *sentence;
} verb;

static const verb verbs[] = {
    {"generate", train_cmd_data_generate, "simulates clips and writes them as a data set"},
    {"import", train_cmd_data_import,
     "makes a data set of recordings: HDF5, or videos with actions"},
    {"tokenize", train_cmd_data_tokenize, "turns frames into a trained tokenizer's codes"},
    {"inspect", train_cmd_data_inspect, "shows what a data set holds"},
    {"verify", train_cmd_data_verify, "reads every byte and checks it"},
};
enum { VERBS = sizeof verbs / sizeof *verbs };

static void print_help(void) {
  printf("orrery data VERB ...: clips, the food of training\n\n");
  for (int i = 0; i < VERBS; i++)
    printf("  orrery data %-9s %s\n", verbs[i].name, verbs[i].sentence);
  printf("\n`orrery data VERB --help` lists a verb's options.\n");
}

static orr_code fail_unknown(const char *word) {
  orr_nearest near = orr_nearest_start(word);
  for (int i = 0; i < VERBS; i++) orr_nearest_offer(&near, verbs[i].name);
  return ORR_FAIL(
      ORR_ECONFIG,
      "orrery data: got '%s', wanted generate, import, tokenize, inspect or verify%s%s%s", word,
      near.best ? "; did you mean " : "", near.best ? near.best : "", near.best ? "?" : "");
}

orr_code train_cmd_data(int argc, char **argv) {
  ORR_CHECK(argc >= 2, ORR_ECONFIG,
            "orrery data: wanted generate, import, tokenize, inspect or verify; see `orrery data "
            "--help`");
  const char *word = argv[1];
  if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
    print_help();
    return ORR_OK;
  }
  for (int i = 0; i < VERBS; i++) {
    if (strcmp(word, verbs[i].name) == 0) return verbs[i].run(argc - 1, argv + 1);
  }
  return fail_unknown(word);
}
