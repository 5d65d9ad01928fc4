#include "train/bench/io_set.h"

#include "base/fs.h"
#include "base/mem.h"
#include "base/rng.h"
#include "data/set/index.h"

enum { SQUARES = 4 };

typedef struct {
  uint8_t *frames; // [EPISODE,side,side,3]
  int32_t *tokens; // [EPISODE,S]
  float *actions;  // [EPISODE,2]
} episode;

static uint32_t draw(uint64_t e, uint64_t i, uint32_t below) {
  return (uint32_t)orr_rng_below(0, ORR_STREAM_EVAL, e, i, below);
}

// Position of a square on its way to and fro.
static int64_t place(int64_t start, int64_t step, int64_t t, int64_t room) {
  int64_t at = (start + step * t) % (2 * room);
  return at < room ? at : 2 * room - 1 - at;
}

static void draw_square(uint8_t *frame, int64_t side, uint64_t e, int64_t k, int64_t t) {
  const uint64_t key = 100 + 8 * (uint64_t)k;
  const int64_t size = side / 4, room = side - size;
  const int64_t x = place(draw(e, key, 1000), 1 + draw(e, key + 1, 2), t, room);
  const int64_t y = place(draw(e, key + 2, 1000), 1 + draw(e, key + 3, 2), t, room);
  const uint32_t colour = draw(e, key + 4, 1 << 24);
  for (int64_t i = 0; i < size * size * 3; i++) {
    const int64_t row = y + i / 3 / size, column = x + i / 3 % size, c = i % 3;
    frame[(row * side + column) * 3 + c] =
        (uint8_t)((colour >> 8 * c & 0xfe) ^ (uint32_t)(i / 3 / 4 % 4 * 2));
  }
}

static void draw_frame(uint8_t *frame, int64_t side, uint64_t e, int64_t t) {
  const int64_t bytes = side * side * 3;
  for (int64_t i = 0; i < bytes; i++) {
    const int64_t row = i / 3 / side, column = i / 3 % side;
    frame[i] = (uint8_t)(60 + row * 64 / side * 2 + column / 8 % 2 * 10);
  }
  for (int64_t k = 0; k < SQUARES; k++) draw_square(frame, side, e, k, t);
  uint64_t word = orr_rng_draw(1, ORR_STREAM_EVAL, e, (uint64_t)t).v[0] | 1;
  for (int64_t i = 0; i < bytes; i++) { // xorshift: noise on every eighth value
    word ^= word << 13, word ^= word >> 7, word ^= word << 17;
    if ((word & 7) == 0) frame[i] ^= 1;
  }
}

static void fill(const train_bench_io_set *set, episode *x, uint64_t e) {
  for (int64_t t = 0; t < TRAIN_BENCH_IO_EPISODE; t++) {
    if (set->side) draw_frame(x->frames + t * set->side * set->side * 3, set->side, e, t);
    for (int64_t s = 0; s < set->S; s++)
      x->tokens[t * set->S + s] =
          (int32_t)draw(e, (uint64_t)(1000000 + t * set->S + s), TRAIN_BENCH_IO_CODES);
    for (int64_t a = 0; a < 2; a++)
      x->actions[t * 2 + a] = orr_rng_normal(2, ORR_STREAM_EVAL, e, (uint64_t)(2 * t + a));
  }
}

static orr_code write_shard(const char *dir, const train_bench_io_set *set, episode *x,
                            int64_t number) {
  static const char *const names[] = {"x", "y"};
  const int64_t episodes = set->frames / TRAIN_BENCH_IO_SHARDS / TRAIN_BENCH_IO_EPISODE;
  const data_shard_format format = {.branch = "worlds",
                                    .source = "orrery bench io",
                                    .fps = 10.0,
                                    .height = set->side,
                                    .width = set->side,
                                    .S = set->S,
                                    .codes = set->S ? TRAIN_BENCH_IO_CODES : 0,
                                    .A = 2,
                                    .action_names = names};
  orr_path path;
  data_shard_writer *w = NULL;
  ORR_TRY(data_shard_name_in(dir, number, path, sizeof path));
  ORR_TRY(data_shard_writer_create(path, &format, set->filter, &w));
  orr_code rc = ORR_OK;
  for (int64_t e = 0; rc == ORR_OK && e < episodes; e++) {
    fill(set, x, (uint64_t)(number * episodes + e));
    rc = data_shard_writer_append(w, &(data_shard_rows){.n = TRAIN_BENCH_IO_EPISODE,
                                                        .frames = set->side ? x->frames : NULL,
                                                        .tokens = set->S ? x->tokens : NULL,
                                                        .actions = x->actions});
    if (rc == ORR_OK) rc = data_shard_writer_end_episode(w);
  }
  if (rc == ORR_OK) rc = data_shard_writer_finish(w);
  data_shard_writer_destroy(w);
  return rc;
}

orr_code train_bench_io_write(const char *dir, const train_bench_io_set *set) {
  const size_t n = TRAIN_BENCH_IO_EPISODE;
  episode x = {.frames = orr_malloc(n * (size_t)(set->side * set->side * 3)),
               .tokens = orr_malloc(n * (size_t)set->S * sizeof *x.tokens),
               .actions = orr_malloc(n * 2 * sizeof *x.actions)};
  orr_code rc = ORR_OK;
  ORR_CHECK_GOTO(x.frames && x.tokens && x.actions, free_episode, ORR_ENOMEM,
                 "%s: out of memory for an episode of %d frames", dir, TRAIN_BENCH_IO_EPISODE);
  ORR_TRY_GOTO(orr_fs_mkdirs(dir), free_episode);
  for (int64_t i = 0; i < TRAIN_BENCH_IO_SHARDS; i++)
    ORR_TRY_GOTO(write_shard(dir, set, &x, i), free_episode);
  rc = data_index_build(dir, NULL);
free_episode:
  orr_free(x.actions);
  orr_free(x.tokens);
  orr_free(x.frames);
  return rc;
}
