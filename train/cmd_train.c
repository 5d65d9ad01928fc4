#include "train/cmd_train.h"

#include "base/log.h"
#include "configs/config.h"
#include "dist/comm.h"
#include "train/args.h"
#include "train/loop.h"

static const train_option options[] = {
    {"set", "KEY=VALUE", "override one knob of the configuration", TRAIN_OPTION_REPEATED},
    {"resume", "auto|none|PATH", "auto (default): the run's latest good checkpoint, if any", 0},
    {"dry-run", NULL, "plan the model, print what memory it takes, stop", 0},
    {0}};
static const train_command command = {
    "train", "CONFIG.yaml", 1, 1, "trains a tokenizer or a dynamics model", options};

static orr_code read_config(const train_args *args, cfg **out) {
  ORR_TRY(cfg_create(out));
  ORR_TRY(cfg_read_file(*out, args->operand[0]));
  for (int i = 0; train_args_nth(args, "set", i); i++)
    ORR_TRY(cfg_set(*out, train_args_nth(args, "set", i)));
  return cfg_check(*out);
}

orr_code train_cmd_train(int argc, char **argv) {
  train_args args;
  ORR_TRY(train_args_parse(&command, argc, argv, &args));
  if (args.help) return ORR_OK;
  cfg *c = NULL;
  dist_world *world = NULL;
  orr_code rc = dist_world_open(&world);
  if (rc != ORR_OK) return rc;
  orr_log_setup(ORR_LOG_INFO, world->grid.rank, world->grid.ranks);
  rc = dist_agree(world->axis[DIST_AXIS_WORLD], read_config(&args, &c), "read the configuration");
  if (rc == ORR_OK) {
    const train_loop_options o = {.resume = train_args_text(&args, "resume", "auto"),
                                  .dry_run = train_args_flag(&args, "dry-run")};
    rc = train_loop(c, &o, world);
  }
  if (world->grid.rank != 0) orr_status_clear(); // all ranks have the same words: rank 0 says them
  cfg_destroy(c);
  dist_world_close(world);
  return rc;
}
