// `orrery config print|check|doc|new`: configurations printed, checked, explained and written.
// Local.
#include "train/cli/cmd.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "configs/config.h"
#include "base/args.h"
#include "base/faults.h"
#include "train/cli/config_args.h"
#include "train/cli/config_new.h"
#include "train/model/axes.h"

static const orr_option options[] = {
    {"set", "KEY=VALUE", "override one key, e.g. --set optim.lr_peak=1e-4", ORR_OPTION_REPEATED},
    TRAIN_CONFIG_NEW_OPTIONS,
    {0},
};
static const orr_command command = {
    "config",
    "print|check|doc [CONFIG.yaml] | new tokenizer|dynamics",
    1,
    2,
    "print: the whole configuration as YAML, defaults included.\n"
    "check: says whether the values are valid and fit together.\n"
    "doc:   the reference of all keys as Markdown.\n"
    "new:   a commented configuration that fits --data, this machine and --minutes.",
    options,
};

// Defaults, then the file, then the overrides.
static orr_code read_config(const orr_args *a, cfg *c) {
  return train_config_args(a, a->operands > 1 ? a->operand[1] : NULL, true, c);
}

static orr_code print_config(const cfg *c) {
  char *yaml = NULL;
  ORR_TRY(cfg_print(c, &yaml));
  fputs(yaml, stdout);
  orr_free(yaml);
  return ORR_OK;
}

// What ranks refuse before their first step, of the grid that the configuration names.
static orr_code check_axes(const cfg *c) {
  const int tp = (int)c->dist.tp, cp = (int)c->dist.cp, dp = c->dist.dp > 0 ? (int)c->dist.dp : 1;
  dist_grid g;
  ORR_TRY(dist_grid_init(tp, cp, dp, 0, tp * cp * dp, &g));
  return train_axes_check(c, &g);
}

static orr_code check_config(const orr_args *a, const cfg *c) {
  orr_hash128 hash;
  orr_faults f = {0};
  ORR_TRY(cfg_check_into(c, &f));
  ORR_TRY(orr_faults_take(&f, check_axes(c)));
  ORR_TRY(orr_faults_end(&f));
  ORR_TRY(cfg_hash(c, &hash));
  printf("%s: good, hash %s\n", a->operands > 1 ? a->operand[1] : "defaults",
         orr_hash_to_hex(hash).s);
  return ORR_OK;
}

orr_code train_cmd_config(int argc, char **argv) {
  orr_args args;
  ORR_TRY(orr_args_parse(&command, argc, argv, &args));
  if (args.help) return ORR_OK;
  const char *verb = args.operand[0];
  bool print = strcmp(verb, "print") == 0, check = strcmp(verb, "check") == 0;
  if (strcmp(verb, "doc") == 0) return cfg_doc(stdout);
  if (strcmp(verb, "new") == 0) return train_config_new(&args);
  ORR_CHECK(print || check, ORR_ECONFIG, "orrery config: got '%s', wanted print, check, doc or new",
            verb);
  cfg *c = NULL;
  ORR_TRY(cfg_create(&c));
  orr_code rc = read_config(&args, c);
  if (rc == ORR_OK) rc = print ? print_config(c) : check_config(&args, c);
  cfg_destroy(c);
  return rc;
}
