// A shard: what is opened has the sizes it says, and every row of it is read or refused.
#include "tests/fuzz/foreign.h"

#include "data/shard/shard.h"
#include "tests/fuzz/scratch.h"

#define NUMBERS_MAX (1 << 20) // of one row; no seed comes near

static void check_offsets(const data_shard *s) {
  const int64_t *offsets = data_shard_offsets(s);
  FUZZ_PROMISE(offsets[0] == 0 && offsets[data_shard_episodes(s)] == data_shard_frames(s));
  for (int64_t e = 0; e < data_shard_episodes(s); e++) FUZZ_PROMISE(offsets[e] < offsets[e + 1]);
}

static void read_row(data_shard *s, int64_t t, void *row) {
  const data_shard_format *f = data_shard_get_format(s);
  orr_code rc = data_shard_read_actions(s, t, 1, 1, row);
  if (rc == ORR_OK && f->height) rc = data_shard_read_frames(s, t, 1, 1, row);
  if (rc == ORR_OK && f->S) rc = data_shard_read_tokens(s, t, 1, 1, row);
  if (rc == ORR_OK && f->Q) rc = data_shard_read_state(s, t, 1, 1, row);
  if (rc == ORR_OK && f->reward) rc = data_shard_read_reward(s, t, 1, 1, row);
  if (rc == ORR_OK && f->done) rc = data_shard_read_done(s, t, 1, 1, row);
  if (rc != ORR_OK) fuzz_check_refusal(rc);
}

static void check_shard(data_shard *s) {
  const data_shard_format *f = data_shard_get_format(s);
  int64_t frames = data_shard_frames(s);
  check_offsets(s);
  FUZZ_PROMISE(f->A >= 0 && f->fps > 0 && f->branch[0]);
  if (f->A > NUMBERS_MAX || f->Q > NUMBERS_MAX || f->S > NUMBERS_MAX ||
      f->height * f->width > NUMBERS_MAX)
    return;
  void *row = malloc(4 * NUMBERS_MAX);
  for (int64_t t = 0; t < frames && t < 64; t++) read_row(s, t, row);
  read_row(s, frames - 1, row);
  if (f->success && data_shard_episodes(s) <= NUMBERS_MAX) {
    orr_code rc = data_shard_read_success(s, 0, data_shard_episodes(s), row);
    if (rc != ORR_OK) fuzz_check_refusal(rc);
  }
  free(row);
}

static void one(const uint8_t *data, size_t size) {
  data_shard *s = NULL;
  orr_code rc = data_shard_open(scratch_file("shard-00000.h5", data, size), &s);
  if (rc == ORR_OK)
    check_shard(s);
  else
    fuzz_check_refusal(rc);
  data_shard_close(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  scratch_folder(); // whose owner is this process
  foreign_call(one, data, size);
  return 0;
}
