#include "data/set/outcome.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define ROWS 4096 // read at once

static int64_t portion(int64_t first, int64_t n) {
  return n - first < ROWS ? n - first : ROWS;
}

static orr_code read_rewards(data_shard *s, data_outcome *o, double *sum) {
  const int64_t frames = data_shard_frames(s);
  float v[ROWS];
  for (int64_t first = 0; first < frames; first += ROWS) {
    const int64_t n = portion(first, frames);
    ORR_TRY(data_shard_read_reward(s, first, n, 1, v));
    for (int64_t i = 0; i < n; i++) {
      ORR_CHECK(isfinite(v[i]), ORR_EFORMAT,
                "%s: /reward[%" PRId64 "] is %g, wanted a finite number", data_shard_path(s),
                first + i, (double)v[i]);
      o->low = fmin(o->low, v[i]);
      o->high = fmax(o->high, v[i]);
      *sum += v[i];
    }
  }
  return ORR_OK;
}

static orr_code count_marks(data_shard *s, bool episodes, int64_t *count) {
  const int64_t rows = episodes ? data_shard_episodes(s) : data_shard_frames(s);
  uint8_t v[ROWS];
  for (int64_t first = 0; first < rows; first += ROWS) {
    const int64_t n = portion(first, rows);
    ORR_TRY(episodes ? data_shard_read_success(s, first, n, v)
                     : data_shard_read_done(s, first, n, 1, v));
    for (int64_t i = 0; i < n; i++) *count += v[i] != 0;
  }
  return ORR_OK;
}

static orr_code read_shard(data_shard *s, data_outcome *o, double *sum) {
  const data_shard_format *f = data_shard_get_format(s);
  if (f->reward) ORR_TRY(read_rewards(s, o, sum));
  if (f->done) ORR_TRY(count_marks(s, false, &o->done));
  if (f->success) ORR_TRY(count_marks(s, true, &o->success));
  return ORR_OK;
}

orr_code data_outcome_read(const data_index *x, data_outcome *out) {
  const data_shard_format *f = &x->format;
  double sum = 0;
  *out = (data_outcome){.low = INFINITY, .high = -INFINITY};
  for (int64_t i = 0; (f->reward || f->done || f->success) && i < x->count; i++) {
    data_shard *s = NULL;
    ORR_TRY(data_index_open_shard(x, i, &s));
    orr_code rc = read_shard(s, out, &sum);
    data_shard_close(s);
    ORR_TRY(rc);
  }
  out->mean = sum / (double)x->frames;
  if (!f->reward) out->low = out->high = out->mean = 0;
  return ORR_OK;
}
