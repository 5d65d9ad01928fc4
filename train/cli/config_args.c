#include "train/cli/config_args.h"

#include <inttypes.h>

#include "base/log.h"

orr_code train_config_args(const orr_args *a, const char *path, bool say, cfg *c) {
  const char *assignments[ORR_ARGS_MAX + 1] = {NULL};
  char words[512];
  for (int i = 0; i < ORR_ARGS_MAX && orr_args_nth(a, "set", i); i++)
    assignments[i] = orr_args_nth(a, "set", i);
  ORR_TRY(cfg_read(c, path, assignments, words, sizeof words));
  if (say && words[0])
    ORR_INFO("to fit into train.steps %" PRId64 ", %s; --set names others", c->train.steps, words);
  return ORR_OK;
}
