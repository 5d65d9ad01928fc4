// `orrery data verify`: reads every byte of a data set. Local. One line when it is whole;
// ORR_ECORRUPT or ORR_EFORMAT naming shard and place when it is not.
#include "train/cli/cmd.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/cores.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/lock.h"
#include "base/log.h"
#include "data/set/verify.h"
#include "base/args.h"
#include "train/setup/remote_data.h"

static const orr_option options[] = {
    {"processes", "P", "processes that read (the machine's cores)", ORR_OPTION_ONCE},
    {"index", NULL, "write index.json first: for shards that were made elsewhere", ORR_OPTION_ONCE},
    TRAIN_REMOTE_OPTION,
    {0},
};
static const orr_command command = {
    "data verify",
    "DIR|URL",
    1,
    1,
    "Reads every byte of a data set and checks it against its index.",
    options,
};

// Keeps what an older index says beyond the shards, such as forks.
static orr_code write_index(const char *dir) {
  orr_path path;
  json_t *old = NULL;
  orr_lock *lock = NULL;
  ORR_TRY(orr_fs_join(path, sizeof path, dir, "index.json"));
  ORR_CHECK(orr_fs_is_dir(dir), ORR_ENOTFOUND, "%s: no such folder", dir);
  ORR_TRY(orr_lock_take(dir, "orrery data verify --index", &lock));
  orr_code rc = orr_fs_exists(path) ? orr_json_load(path, &old) : ORR_OK;
  if (rc == ORR_OK) rc = data_index_build(dir, old);
  json_decref(old);
  orr_lock_release(lock);
  return rc;
}

static void show_progress(void *ctx, int64_t shards) {
  const data_index *x = ctx;
  orr_progress(shards == x->count, "verify: %" PRId64 " of %" PRId64 " shards", shards, x->count);
}

orr_code train_cmd_data_verify(int argc, char **argv) {
  orr_args args;
  data_remote *remote = NULL;
  data_index *x = NULL;
  orr_code rc = ORR_OK;
  ORR_TRY(orr_args_parse(&command, argc, argv, &args));
  if (args.help) return ORR_OK;
  double begin = orr_clock_ms();
  int64_t processes = orr_cores_usable();
  ORR_TRY(orr_args_i64(&args, "processes", 1, 1024, &processes));
  if (orr_args_flag(&args, "index")) ORR_TRY(write_index(args.operand[0]));
  ORR_TRY(train_remote_create_args(&args, &remote));
  ORR_TRY_GOTO(data_index_open_from(args.operand[0], remote, &x), destroy_remote);
  ORR_TRY_GOTO(data_index_want_in_order(x, 0), close_index);
  ORR_TRY_GOTO(data_verify(x, &(data_verify_options){.processes = (int)processes,
                                                     .progress = show_progress,
                                                     .ctx = x}),
               close_index);
  printf("%s: whole, %" PRId64 " shards, %" PRId64 " episodes, %" PRId64
         " frames, %.1f MB, checked in "
         "%.2f s\n",
         x->dir, x->count, x->episodes, x->frames, (double)x->bytes / 1e6,
         (orr_clock_ms() - begin) / 1e3);
close_index:
  data_index_close(x);
destroy_remote:
  data_remote_destroy(remote);
  return rc;
}
