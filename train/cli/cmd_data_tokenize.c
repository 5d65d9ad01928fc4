// `orrery data tokenize`: from frames to tokens, with a trained tokenizer. Collective over the
// world when started by mpirun or srun: the ranks share out the shards. Writes a data set with
// /tokens in place of /frames, shard by shard, the same for any number of ranks; a shard that this
// tokenizer has made before from the same frames is kept, so a killed run goes on. ORR_EINVAL for
// frames of another size.
#include "train/cli/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cores.h"
#include "base/fs.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/mem.h"
#include "data/set/index.h"
#include "dist/comm.h"
#include "dist/world.h"
#include "base/args.h"
#include "train/setup/remote_data.h"
#include "train/infer/tokenize.h"
#include "train/infer/loaded_model.h"
#include "train/save/token_maker.h"

static const orr_option options[] = {
    {"tokenizer", "CHECKPOINT", "trained tokenizer: a run's folder, its ckpt/ or a step-* folder",
     0},
    {"out", "DIR", "folder of the new data set", 0},
    {"threads", "N", "CPU threads of a rank; 0 shares the cores", 0},
    TRAIN_REMOTE_OPTION,
    {0}};
static const orr_command command = {
    "data tokenize", "DIR|URL", 1, 1, "Turns a data set's frames into tokens.", options};

typedef struct {
  const char *out;
  data_remote *remote;
  data_index *index;
  kern *k;
  train_loaded_model *tokenizer;
  train_codec *codec;
  train_token_maker made_by;
  uint8_t *todo; // [shards]
  int64_t *mine; // [shards]: numbers of this rank's
  int64_t mine_count;
  orr_lock *lock; // of rank 0, on `out`
} job;

static orr_code open_job(job *j, const orr_args *args, int threads, int rank) {
  const char *checkpoint;
  ORR_TRY(orr_args_require(args, "tokenizer", &checkpoint));
  ORR_TRY(orr_args_require(args, "out", &j->out));
  ORR_TRY(train_remote_create_args(args, &j->remote));
  ORR_TRY(data_index_open_from(args->operand[0], j->remote, &j->index));
  ORR_TRY(train_kern_open("auto", threads, &j->k));
  ORR_TRY(train_loaded_model_open(checkpoint, CFG_STAGE_TOKENIZER, true, j->k, &j->tokenizer));
  ORR_TRY(train_loaded_model_fits(j->tokenizer, j->index));
  ORR_TRY(train_token_maker_of(j->tokenizer->path, &j->made_by));
  ORR_TRY(train_codec_create(j->tokenizer, TRAIN_TOKENIZE_PORTION, &j->codec));
  j->todo = orr_calloc((size_t)j->index->count, sizeof *j->todo);
  j->mine = orr_malloc((size_t)j->index->count * sizeof *j->mine);
  ORR_CHECK(j->todo && j->mine, ORR_ENOMEM, "%s: out of memory", args->operand[0]);
  ORR_TRY(orr_fs_mkdirs(j->out));
  return rank == 0 ? orr_lock_take(j->out, "orrery data tokenize", &j->lock) : ORR_OK;
}

static void close_job(job *j) {
  orr_lock_release(j->lock);
  orr_free(j->mine);
  orr_free(j->todo);
  train_codec_destroy(j->codec);
  train_loaded_model_close(j->tokenizer);
  kern_destroy(j->k);
  data_index_close(j->index);
  data_remote_destroy(j->remote);
}

typedef struct {
  int64_t frames, number;
} sized_shard;

static int longest_first(const void *a, const void *b) {
  const sized_shard *x = a, *y = b;
  if (x->frames != y->frames) return x->frames > y->frames ? -1 : 1;
  return x->number < y->number ? -1 : x->number > y->number;
}

// The longest shard that is left goes to the rank with the fewest frames, again and again: every
// rank comes to the same shares, and no rank waits long for another.
static orr_code share_out(job *j, int rank, int ranks) {
  const data_index *x = j->index;
  int64_t n = 0;
  orr_code rc = ORR_OK;
  sized_shard *left = orr_malloc((size_t)x->count * sizeof *left);
  int64_t *frames = orr_calloc((size_t)ranks, sizeof *frames);
  ORR_CHECK_GOTO(left && frames, free_lists, ORR_ENOMEM, "%s: out of memory", x->dir);
  for (int64_t i = 0; i < x->count; i++)
    if (j->todo[i]) left[n++] = (sized_shard){x->shards[i].frames, i};
  qsort(left, (size_t)n, sizeof *left, longest_first);
  for (int64_t i = 0; i < n; i++) {
    int least = 0;
    for (int r = 1; r < ranks; r++)
      if (frames[r] < frames[least]) least = r;
    frames[least] += left[i].frames;
    if (least == rank) j->mine[j->mine_count++] = left[i].number;
  }
free_lists:
  orr_free(frames);
  orr_free(left);
  return rc;
}

static train_tokenize_options options_of(const job *j, int rank) {
  return (train_tokenize_options){.index = j->index,
                                  .out = j->out,
                                  .tokenizer = j->tokenizer,
                                  .codec = j->codec,
                                  .made_by = j->made_by.s,
                                  .progress = rank == 0};
}

// Collective over the world. Rank 0 looks what an earlier call left, so that all share out the
// same.
static orr_code tokenize(job *j, dist_comm *all, int rank, int ranks) {
  const train_tokenize_options o = options_of(j, rank);
  train_tokenize_times times = {0};
  for (int64_t i = 0; rank == 0 && i < j->index->count; i++)
    j->todo[i] = !train_tokenize_done(&o, i);
  ORR_TRY(dist_broadcast(all, j->todo, j->index->count, DIST_U8, 0));
  orr_code rc = share_out(j, rank, ranks);
  if (rc == ORR_OK) rc = train_tokenize(&o, j->mine, j->mine_count, &times);
  ORR_TRY(dist_agree(all, rc, "tokenize"));
  double sums[3] = {(double)times.frames, times.encode_ms, times.total_ms}, longest = sums[2];
  ORR_TRY(dist_all_reduce(all, sums, 3, DIST_F64, DIST_SUM));
  ORR_TRY(dist_all_reduce(all, &longest, 1, DIST_F64, DIST_MAX));
  if (rank == 0 && sums[0] > 0)
    ORR_INFO(
        "tokenize: %.0f frames on %d ranks, %.0f frames/s; the encoder ran %.1f %% of the time",
        sums[0], ranks, 1e3 * sums[0] / longest, 100 * sums[1] / sums[2]);
  return ORR_OK;
}

static orr_code write_index(const job *j) {
  json_t *extra = json_object();
  static const char *const kept[] = {"forks", "recordings", "held_out"}; // episodes stay in order
  for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
    const json_t *value = json_object_get(j->index->json, kept[i]);
    if (value) json_object_set(extra, kept[i], (json_t *)(uintptr_t)value);
  }
  json_object_set_new(extra, "tokenizer", json_string(j->tokenizer->path));
  orr_code rc = data_index_build(j->out, extra);
  json_decref(extra);
  return rc;
}

orr_code train_cmd_data_tokenize(int argc, char **argv) {
  orr_args args;
  ORR_TRY(orr_args_parse(&command, argc, argv, &args));
  if (args.help) return ORR_OK;
  job j = {0};
  dist_world *world = NULL;
  int64_t threads = 0;
  ORR_TRY(orr_args_i64(&args, "threads", 0, 4096, &threads));
  ORR_TRY(dist_world_open(&world));
  dist_comm *all = world->axis[DIST_AXIS_WORLD];
  const int rank = world->grid.rank, ranks = world->grid.ranks;
  orr_log_setup(ORR_LOG_INFO, rank, ranks);
  if (threads == 0) threads = orr_cores_threads(world->cores);
  orr_code rc = dist_agree(all, open_job(&j, &args, (int)threads, rank), "open");
  if (rc == ORR_OK) rc = tokenize(&j, all, rank, ranks);
  if (rc == ORR_OK) rc = dist_agree(all, rank == 0 ? write_index(&j) : ORR_OK, "write index");
  if (rank != 0) orr_status_clear(); // all ranks have the same words: rank 0 says them
  close_job(&j);
  dist_world_close(world);
  return rc;
}
