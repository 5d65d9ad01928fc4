#include "data/shard/outcomes.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"

// Rows of the file, row t told of actions[t], to the frames that they lead to. A row's neighbour
// across the end of an episode is overwritten where that matters: first frames are not looked at.
static void shift(void *values, int64_t frames, size_t size) {
  memmove((unsigned char *)values + size, values, (size_t)(frames - 1) * size);
  memset(values, 0, size);
}

static orr_code read_rewards(data_shard *s, int64_t frames, float **out) {
  float *v = *out = orr_malloc((size_t)frames * sizeof *v);
  ORR_CHECK(v, ORR_ENOMEM, "%s: out of memory for its rewards", data_shard_path(s));
  ORR_TRY(data_shard_read_reward(s, 0, frames, 1, v));
  for (int64_t t = 0; t < frames; t++)
    ORR_CHECK(isfinite(v[t]), ORR_EFORMAT,
              "%s: /reward[%" PRId64 "] is %g, wanted a finite number; `orrery data verify` finds "
              "them all",
              data_shard_path(s), t, (double)v[t]);
  shift(v, frames, sizeof *v);
  return ORR_OK;
}

static orr_code read_done(data_shard *s, int64_t frames, uint8_t **out) {
  const int64_t *offsets = data_shard_offsets(s), episodes = data_shard_episodes(s);
  uint8_t *v = *out = orr_malloc((size_t)frames);
  ORR_CHECK(v, ORR_ENOMEM, "%s: out of memory for its ends", data_shard_path(s));
  ORR_TRY(data_shard_read_done(s, 0, frames, 1, v));
  for (int64_t e = 0; e < episodes; e++) { // what the last action ended, no frame shows
    const int64_t last = offsets[e + 1] - 1;
    if (last > offsets[e] && v[last]) v[last - 1] = 1;
  }
  shift(v, frames, sizeof *v);
  for (int64_t e = 0; e < episodes; e++) {
    v[offsets[e]] = 0;
    for (int64_t t = offsets[e] + 1; t < offsets[e + 1]; t++) v[t] = v[t] || v[t - 1];
  }
  return ORR_OK;
}

static orr_code make_progress(data_shard *s, int64_t frames, data_outcomes *o) {
  const int64_t *offsets = data_shard_offsets(s), episodes = data_shard_episodes(s);
  uint8_t *success = orr_malloc((size_t)episodes);
  o->progress = orr_calloc((size_t)frames, sizeof *o->progress);
  orr_code rc = success && o->progress
                    ? data_shard_read_success(s, 0, episodes, success)
                    : ORR_FAIL(ORR_ENOMEM, "%s: out of memory for the progress of its episodes",
                               data_shard_path(s));
  for (int64_t e = 0; rc == ORR_OK && e < episodes; e++) {
    const int64_t first = offsets[e], n = offsets[e + 1] - first;
    int64_t end = 1; // the frame at which the goal is reached
    while (end < n - 1 && !(o->done && o->done[first + end])) end++;
    for (int64_t t = 0; success[e] && t < n; t++)
      o->progress[first + t] = t < end ? (float)t / (float)end : 1.0f;
  }
  orr_free(success);
  return rc;
}

orr_code data_outcomes_read(data_shard *s, data_outcomes *out) {
  const data_shard_format *f = data_shard_get_format(s);
  const int64_t frames = data_shard_frames(s);
  *out = (data_outcomes){0};
  if (f->reward) ORR_TRY(read_rewards(s, frames, &out->reward));
  if (f->done) ORR_TRY(read_done(s, frames, &out->done));
  return f->success ? make_progress(s, frames, out) : ORR_OK;
}

void data_outcomes_release(data_outcomes *o) {
  orr_free(o->progress);
  orr_free(o->done);
  orr_free(o->reward);
  *o = (data_outcomes){0};
}

void data_outcomes_clip(const data_outcomes *o, int64_t first, int64_t T, int64_t stride,
                        float *reward, float *done, float *progress) {
  for (int64_t t = 0; t < T; t++) {
    const int64_t at = first + t * stride;
    reward[t] = t > 0 && o->reward ? 0.0f : (float)NAN;
    for (int64_t i = 0; t > 0 && o->reward && i < stride; i++) reward[t] += o->reward[at - i];
    done[t] = t > 0 && o->done ? (float)o->done[at] : (float)NAN;
    progress[t] = o->progress ? o->progress[at] : (float)NAN;
  }
}
