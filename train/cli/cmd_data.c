// `orrery data`: chooses among what can be done with data sets. Collective for tokenize when
// started by mpirun or srun, else local.
#include "train/cli/cmd.h"

#include <stdio.h>
#include <string.h>

#include "base/nearest.h"

typedef struct {
  const char *name;
  orr_code (*run)(int argc, char **argv);
  const char *sentence;
} verb;

#define VERB_ROW(verb, words) {#verb, train_cmd_data_##verb, words},
static const verb verbs[] = {TRAIN_DATA_VERBS(VERB_ROW)};
#undef VERB_ROW
enum { VERBS = sizeof verbs / sizeof *verbs };

static void print_help(void) {
  printf("orrery data VERB ...: makes data sets of clips, and looks into them\n\n");
  for (int i = 0; i < VERBS; i++)
    printf("  orrery data %-9s %s\n", verbs[i].name, verbs[i].sentence);
  printf("\n`orrery data VERB --help` lists a verb's options.\n");
}

static orr_code fail_unknown(const char *word) {
  orr_nearest near = orr_nearest_start(word);
  for (int i = 0; i < VERBS; i++) orr_nearest_offer(&near, verbs[i].name);
  return ORR_FAIL(ORR_ECONFIG, "orrery data: got '%s'%s%s%s, wanted one of: %s", word,
                  near.best ? " (did you mean " : "", near.best ? near.best : "",
                  near.best ? "?)" : "", TRAIN_DATA_VERBS(TRAIN_VERB_WORD));
}

orr_code train_cmd_data(int argc, char **argv) {
  ORR_CHECK(argc >= 2, ORR_ECONFIG,
            "orrery data wants one of these, and `orrery data --help` tells more: %s",
            TRAIN_DATA_VERBS(TRAIN_VERB_WORD));
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
