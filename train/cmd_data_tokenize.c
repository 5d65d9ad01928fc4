#include "train/cmd_data_tokenize.h"

#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "data/index.h"
#include "data/shard.h"
#include "data/shard_writer.h"
#include "dist/comm.h"
#include "train/args.h"
#include "train/remote_data.h"
#include "train/threads.h"
#include "train/trained.h"

enum { PORTION = 64 }; // frames encoded at once

static const train_option options[] = {
    {"tokenizer", "CHECKPOINT", "trained tokenizer: a run's folder, its ckpt/ or a step-* folder",
     0},
    {"out", "DIR", "folder of the new data set", 0},
    {"threads", "N", "CPU threads of a rank; 0 shares the cores", 0},
    TRAIN_REMOTE_OPTION,
    {0}};
static const train_command command = {
    "data tokenize", "DIR|URL", 1, 1, "turns a data set's frames into tokens", options};

typedef struct {
  const char *out;
  data_remote *remote;
  data_index *index;
  kern *k;
  train_trained *tokenizer;
  train_codec *codec;
  uint8_t *frames; // [PORTION,...]
  int32_t *tokens; // [PORTION,S]
  float *actions, *state;
  char made_by[64]; // "; tokens by " and what tells this tokenizer's weights from all others
} job;

// The manifest holds the checksums of all weights: its hash names them, wherever the folder lies.
static orr_code name_tokenizer(job *j) {
  char path[4096];
  orr_hash128 hash;
  ORR_TRY(orr_fs_join(path, sizeof path, j->tokenizer->path, "manifest.json"));
  ORR_TRY(orr_hash_file(path, &hash, NULL));
  snprintf(j->made_by, sizeof j->made_by, "; tokens by %s", orr_hash_to_hex(hash).s);
  return ORR_OK;
}

static orr_code open_job(job *j, const train_args *args, int threads) {
  const char *checkpoint;
  ORR_TRY(train_args_require(args, "tokenizer", &checkpoint));
  ORR_TRY(train_args_require(args, "out", &j->out));
  ORR_TRY(train_remote_create_args(args, &j->remote));
  ORR_TRY(data_index_open_from(args->operand[0], j->remote, &j->index));
  ORR_TRY(train_kern_open("auto", threads, &j->k));
  ORR_TRY(train_trained_open(checkpoint, CFG_STAGE_TOKENIZER, true, j->k, &j->tokenizer));
  ORR_TRY(train_trained_fits(j->tokenizer, j->index));
  ORR_TRY(name_tokenizer(j));
  ORR_TRY(train_codec_create(j->tokenizer, PORTION, &j->codec));
  const data_shard_format *f = &j->index->format;
  j->frames = orr_malloc((size_t)(PORTION * f->height * f->width * 3));
  j->tokens = orr_malloc((size_t)(PORTION * j->tokenizer->tokenizer.S) * sizeof *j->tokens);
  j->actions = orr_malloc((size_t)(PORTION * f->A) * sizeof *j->actions);
  j->state = orr_malloc((size_t)(PORTION * (f->Q + 1)) * sizeof *j->state);
  ORR_CHECK(j->frames && j->tokens && j->actions && j->state, ORR_ENOMEM, "%s: out of memory",
            args->operand[0]);
  return orr_fs_mkdirs(j->out);
}

static void close_job(job *j) {
  orr_free(j->state);
  orr_free(j->actions);
  orr_free(j->tokens);
  orr_free(j->frames);
  train_codec_destroy(j->codec);
  train_trained_close(j->tokenizer);
  kern_destroy(j->k);
  data_index_close(j->index);
  data_remote_destroy(j->remote);
}

static orr_code copy_rows(job *j, data_shard *in, data_shard_writer *w, int64_t first, int64_t n) {
  const data_shard_format *f = data_shard_get_format(in);
  ORR_TRY(data_shard_read_frames(in, first, n, 1, j->frames));
  ORR_TRY(data_shard_read_actions(in, first, n, 1, j->actions));
  if (f->Q) ORR_TRY(data_shard_read_state(in, first, n, 1, j->state));
  ORR_TRY(train_codec_encode(j->codec, j->frames, n, j->tokens));
  return data_shard_writer_append(
      w, &(data_shard_rows){
             .n = n, .tokens = j->tokens, .actions = j->actions, .state = f->Q ? j->state : NULL});
}

static orr_code copy_episodes(job *j, data_shard *in, data_shard_writer *w) {
  const int64_t *offsets = data_shard_offsets(in);
  for (int64_t e = 0; e < data_shard_episodes(in); e++) {
    for (int64_t at = offsets[e]; at < offsets[e + 1]; at += PORTION) {
      int64_t n = offsets[e + 1] - at < PORTION ? offsets[e + 1] - at : PORTION;
      ORR_TRY(copy_rows(j, in, w, at, n));
    }
    ORR_TRY(data_shard_writer_end_episode(w));
  }
  return data_shard_writer_finish(w);
}

// Whether an earlier call with the same tokenizer and clips wrote the shard.
static bool is_done(const char *path, int64_t frames, const char *source) {
  data_shard *s = NULL;
  if (!orr_fs_exists(path) || data_shard_open(path, &s) != ORR_OK) return false;
  const data_shard_format *f = data_shard_get_format(s);
  bool done = data_shard_frames(s) == frames && f->S > 0 && strcmp(f->source, source) == 0;
  data_shard_close(s);
  return done;
}

static orr_code one_shard(job *j, int64_t i) {
  char to[4096];
  ORR_TRY(orr_fs_join(to, sizeof to, j->out, j->index->shards[i].file));
  data_shard *in = NULL;
  data_shard_writer *w = NULL;
  orr_code rc = ORR_OK;
  ORR_TRY(data_index_open_shard(j->index, i, &in));
  data_shard_format f = *data_shard_get_format(in);
  char *source = orr_format("%s%s", f.source, j->made_by);
  ORR_CHECK_GOTO(source, close_shard, ORR_ENOMEM, "%s: out of memory", to);
  if (is_done(to, j->index->shards[i].frames, source)) goto close_shard;
  f.source = source;
  f.height = f.width = 0;
  f.S = j->tokenizer->tokenizer.S;
  f.codes = train_tokenizer_codes(&j->tokenizer->tokenizer);
  ORR_TRY_GOTO(data_shard_writer_create(to, &f, DATA_FILTER_NONE, &w), close_shard);
  rc = copy_episodes(j, in, w);
  data_shard_writer_destroy(w);
close_shard:
  orr_free(source);
  data_shard_close(in);
  return rc;
}

static orr_code my_shards(job *j, int rank, int ranks) {
  for (int64_t i = rank; i < j->index->count; i += ranks) {
    ORR_TRY(one_shard(j, i));
    orr_progress(i + ranks >= j->index->count, "tokenize: shard %lld of %lld", (long long)i + 1,
                 (long long)j->index->count);
  }
  return ORR_OK;
}

static orr_code write_index(const job *j) {
  json_t *extra = json_object();
  const json_t *forks = json_object_get(j->index->json, "forks");
  if (forks) json_object_set(extra, "forks", (json_t *)(uintptr_t)forks);
  json_object_set_new(extra, "tokenizer", json_string(j->tokenizer->path));
  orr_code rc = data_index_build(j->out, extra);
  json_decref(extra);
  return rc;
}

orr_code train_cmd_data_tokenize(int argc, char **argv) {
  train_args args;
  ORR_TRY(train_args_parse(&command, argc, argv, &args));
  if (args.help) return ORR_OK;
  job j = {0};
  dist_world *world = NULL;
  int64_t threads = 0;
  ORR_TRY(train_args_i64(&args, "threads", 0, 4096, &threads));
  ORR_TRY(dist_world_open(&world));
  dist_comm *all = world->axis[DIST_AXIS_WORLD];
  const int rank = world->grid.rank, ranks = world->grid.ranks;
  orr_log_setup(ORR_LOG_INFO, rank, ranks);
  orr_code rc =
      dist_agree(all, open_job(&j, &args, train_threads(threads, world->node_ranks)), "open");
  if (rc == ORR_OK) rc = dist_agree(all, my_shards(&j, rank, ranks), "tokenize");
  if (rc == ORR_OK) rc = dist_agree(all, rank == 0 ? write_index(&j) : ORR_OK, "write index");
  if (rank != 0) orr_status_clear(); // all ranks have the same words: rank 0 says them
  close_job(&j);
  dist_world_close(world);
  return rc;
}
