// gpu_clips DIR: a data set of random tokens for the training pieces of suite.sh.
#include <stdio.h>

#include "base/fs.h"
#include "base/rng.h"
#include "data/set/index.h"
#include "data/shard/writer.h"

enum { S = 36, CODES = 64, A = 2, EPISODES = 24, FRAMES = 12 };

static orr_code write_episode(data_shard_writer *w, uint64_t e) {
  int32_t tokens[FRAMES * S];
  float actions[FRAMES * A];
  for (uint64_t i = 0; i < FRAMES * S; i++)
    tokens[i] = (int32_t)orr_rng_below(1, ORR_STREAM_TEST, e, i, CODES);
  for (uint64_t i = 0; i < FRAMES * A; i++)
    actions[i] = orr_rng_normal(1, ORR_STREAM_TEST, EPISODES + e, i);
  const data_shard_rows rows = {.n = FRAMES, .tokens = tokens, .actions = actions};
  ORR_TRY(data_shard_writer_append(w, &rows));
  return data_shard_writer_end_episode(w);
}

static orr_code write_set(const char *dir) {
  static const char *const names[] = {"left", "right"};
  const data_shard_format format = {.branch = "worlds",
                                    .source = "random tokens",
                                    .fps = 10,
                                    .S = S,
                                    .codes = CODES,
                                    .A = A,
                                    .action_names = names};
  orr_path path;
  data_shard_writer *w = NULL;
  orr_code rc;
  ORR_TRY(orr_fs_mkdirs(dir));
  ORR_TRY(data_shard_name_in(dir, 0, path, sizeof path));
  ORR_TRY(data_shard_writer_create(path, &format, DATA_FILTER_NONE, &w));
  for (uint64_t e = 0; e < EPISODES; e++) ORR_TRY_GOTO(write_episode(w, e), destroy);
  ORR_TRY_GOTO(data_shard_writer_finish(w), destroy);
  rc = data_index_build(dir, NULL);
destroy:
  data_shard_writer_destroy(w);
  return rc;
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: gpu_clips DIR\n");
    return 2;
  }
  if (write_set(argv[1]) == ORR_OK) return 0;
  fprintf(stderr, "gpu_clips: %s\n", orr_status_message());
  return 1;
}
