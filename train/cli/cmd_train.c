// `orrery train`: trains a model (docs/training.md). Collective over the world when started by
// mpirun or srun. Codes: train/run/loop.h.
#include "train/cli/cmd.h"

#include "base/clock.h"
#include "base/log.h"
#include "configs/config.h"
#include "dist/comm.h"
#include "dist/world.h"
#include "base/args.h"
#include "train/cli/config_args.h"
#include "train/eval/held_out.h"
#include "train/exam/watch.h"
#include "train/run/loop.h"
#include "train/run/replay.h"
#include "train/run/stop.h"
#include "train/setup/run_data.h"

static const orr_option options[] = {
    {"set", "KEY=VALUE", "override one knob of the configuration", ORR_OPTION_REPEATED},
    {"resume", "auto|none|PATH", "auto (default): the run's latest good checkpoint, if any", 0},
    {"replay", "STEP", "repeat the run's steps up to STEP and compare them with its record", 0},
    {"repeat", "K", "with --replay: times to do so (default 1)", 0},
    {"dry-run", NULL, "plan the model, print what a rank holds and moves in a step, stop", 0},
    {"as-rank", "R", "with --dry-run and --world: act as this rank (default 0)", 0},
    {"world", "N", "with --dry-run: act as one of N ranks, without starting them", 0},
    {0}};
static const orr_command command = {
    "train", "CONFIG.yaml", 1, 1, "Trains a tokenizer or a dynamics model.", options};

// Options of the run. A rank of a world that is not there can only be planned.
static orr_code read_options(const orr_args *args, train_run_options *o) {
  int64_t rank = 0, ranks = 0;
  ORR_TRY(orr_args_i64(args, "world", 1, 1 << 24, &ranks));
  ORR_TRY(orr_args_i64(args, "as-rank", 0, (1 << 24) - 1, &rank));
  *o = (train_run_options){.resume = orr_args_text(args, "resume", "auto"),
                           .dry_run = orr_args_flag(args, "dry-run"),
                           .as_rank = (int)rank,
                           .ranks = (int)ranks};
  ORR_CHECK(ranks == 0 ? rank == 0 : o->dry_run, ORR_ECONFIG,
            "train: --as-rank and --world belong together, and to --dry-run");
  return ORR_OK;
}

// step 0: no replay.
static orr_code read_replay(const orr_args *args, train_replay_options *o) {
  *o = (train_replay_options){.passes = 1};
  ORR_TRY(orr_args_i64(args, "replay", 1, INT64_MAX, &o->step));
  ORR_TRY(orr_args_i64(args, "repeat", 1, 1 << 20, &o->passes));
  ORR_CHECK(o->step > 0 || !orr_args_text(args, "repeat", NULL), ORR_ECONFIG,
            "train: --repeat belongs to --replay");
  ORR_CHECK(o->step == 0 ||
                (!orr_args_text(args, "resume", NULL) && !orr_args_flag(args, "dry-run")),
            ORR_ECONFIG, "train: --replay goes with neither --resume nor --dry-run");
  return ORR_OK;
}

// A configuration with faults is told of together with what the data would be refused for.
static orr_code read_config(const orr_args *args, bool say, cfg **out) {
  ORR_TRY(cfg_create(out));
  ORR_TRY(train_config_args(args, args->operand[0], say, *out));
  orr_faults f = {0};
  ORR_TRY(cfg_check_into(*out, &f));
  if (f.count > 0) ORR_TRY(train_run_data_look(*out, orr_args_text(args, "world", NULL), &f));
  return orr_faults_end(&f);
}

// With what looks at the run from outside.
static orr_code train_watched(cfg *c, train_run_options *o, dist_world *world) {
  dist_comm *all = world->axis[DIST_AXIS_WORLD];
  train_look *held_out = &o->look[0], *exam = &o->look[1];
  orr_code rc = ORR_OK;
  if (c->eval.every > 0)
    ORR_TRY(dist_agree(all, train_held_out_create(c, held_out), "prepare held-out figures"));
  if (c->eval.exam_every > 0 && !o->dry_run)
    rc = dist_agree(all, train_exam_watch_create(c, world->grid.rank == 0, exam), "prepare exams");
  if (rc == ORR_OK) rc = train_loop(c, o, world);
  train_exam_watch_destroy(exam);
  train_held_out_destroy(held_out);
  return rc;
}

// How long the start may take, before the configuration is read: what is wrong with it is said
// then.
static double timeout_s(const orr_args *args) {
  cfg *c = NULL;
  double s = 0.0;
  if (read_config(args, false, &c) == ORR_OK) s = c->dist.timeout_s;
  cfg_destroy(c);
  orr_status_clear();
  return s;
}

orr_code train_cmd_train(int argc, char **argv) {
  orr_args args;
  ORR_TRY(orr_args_parse(&command, argc, argv, &args));
  if (args.help) return ORR_OK;
  cfg *c = NULL;
  dist_world *world = NULL;
  const double begun_ms = orr_clock_ms();
  train_stop_install();
  orr_code rc = dist_world_open_watched(timeout_s(&args), &world);
  if (rc != ORR_OK) return rc;
  orr_log_setup(ORR_LOG_INFO, world->grid.rank, world->grid.ranks);
  orr_log_timed();
  rc = dist_agree(world->axis[DIST_AXIS_WORLD], read_config(&args, world->grid.rank == 0, &c),
                  "read the configuration");
  train_run_options o;
  train_replay_options replay;
  if (rc == ORR_OK) rc = read_options(&args, &o);
  if (rc == ORR_OK) rc = read_replay(&args, &replay);
  o.begun_ms = begun_ms;
  if (rc == ORR_OK)
    rc = replay.step > 0 ? train_replay(c, &replay, world) : train_watched(c, &o, world);
  if (world->grid.rank != 0) orr_status_clear(); // all ranks have the same words: rank 0 says them
  cfg_destroy(c);
  dist_world_close(world);
  return rc;
}
