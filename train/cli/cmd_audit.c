// `orrery audit`: repeats a share of an exact run's steps and compares them (docs/exactness.md).
// Collective over the world when started by mpirun or srun. Codes: train/run/audit.h.
#include "train/cli/cmd.h"

#include "base/args.h"
#include "base/fs.h"
#include "base/log.h"
#include "configs/config.h"
#include "dist/comm.h"
#include "dist/world.h"
#include "train/cli/config_args.h"
#include "train/run/audit.h"

static const orr_option options[] = {
    {"share", "X", "share of the recorded steps to train again (default 0.05)", 0},
    {"seed", "S", "of the draw of these steps (default 1)", 0},
    {"set", "KEY=VALUE", "override one knob of the run's configuration: dist.tp, run.threads, ...",
     ORR_OPTION_REPEATED},
    {0}};
static const orr_command command = {
    "audit", "RUN", 1, 1, "Trains steps of an exact run again and compares them to the bit.",
    options};

static orr_code read_options(const orr_args *args, train_audit_options *o) {
  int64_t seed = 1;
  *o = (train_audit_options){.share = 0.05};
  ORR_TRY(orr_args_f64(args, "share", 0.0, 1.0, &o->share));
  ORR_TRY(orr_args_i64(args, "seed", 0, INT64_MAX, &seed));
  o->seed = (uint64_t)seed;
  return ORR_OK;
}

// The configuration that the run was trained with, in the folder as it lies here.
static orr_code read_run(const orr_args *args, bool say, cfg **out) {
  orr_path path;
  char dir[sizeof path + 16];
  ORR_TRY(cfg_create(out));
  ORR_TRY(orr_fs_join(path, sizeof path, args->operand[0], "config.yaml"));
  ORR_TRY(train_config_args(args, path, say, *out));
  snprintf(dir, sizeof dir, "run.dir=%s", args->operand[0]);
  ORR_TRY(cfg_set(*out, dir));
  return cfg_check(*out);
}

orr_code train_cmd_audit(int argc, char **argv) {
  orr_args args;
  train_audit_options o;
  cfg *c = NULL;
  dist_world *world = NULL;
  ORR_TRY(orr_args_parse(&command, argc, argv, &args));
  if (args.help) return ORR_OK;
  ORR_TRY(read_options(&args, &o));
  ORR_TRY(dist_world_open(&world));
  orr_log_setup(ORR_LOG_INFO, world->grid.rank, world->grid.ranks);
  orr_code rc = dist_agree(world->axis[DIST_AXIS_WORLD], read_run(&args, world->grid.rank == 0, &c),
                           "read the run");
  if (rc == ORR_OK) rc = train_audit(c, &o, world);
  if (world->grid.rank != 0) orr_status_clear(); // all ranks have the same words: rank 0 says them
  cfg_destroy(c);
  dist_world_close(world);
  return rc;
}
