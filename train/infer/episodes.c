#include "train/infer/episodes.h"

#include <inttypes.h>

#include "base/mem.h"
#include "data/shard/outcomes.h"
#include "data/shard/shard.h"

struct train_episodes {
  data_index *index;
  data_shard *shard;      // the one read last
  int64_t open;           // its number, -1 = none
  data_outcomes outcomes; // of it, once they were asked for
  bool has_outcomes;
};

orr_code train_episodes_open(const char *where, data_remote *remote, train_episodes **out) {
  train_episodes *e = orr_calloc(1, sizeof *e);
  ORR_CHECK(e, ORR_ENOMEM, "%s: out of memory", where);
  e->open = -1;
  orr_code rc = data_index_open_from(where, remote, &e->index);
  if (rc == ORR_OK && e->index->format.height == 0)
    rc = ORR_FAIL(ORR_EINVAL,
                  "%s holds tokens only, wanted frames: name the data set it was tokenized from",
                  where);
  if (rc != ORR_OK) {
    train_episodes_close(e);
    return rc;
  }
  *out = e;
  return ORR_OK;
}

void train_episodes_close(train_episodes *e) {
  if (!e) return;
  data_outcomes_release(&e->outcomes);
  data_shard_close(e->shard);
  data_index_close(e->index);
  orr_free(e);
}

const data_index *train_episodes_index(const train_episodes *e) {
  return e->index;
}
int64_t train_episodes_count(const train_episodes *e) {
  return e->index->episodes;
}

static orr_code open_shard(train_episodes *e, int64_t s) {
  if (e->open == s) return ORR_OK;
  data_outcomes_release(&e->outcomes);
  e->has_outcomes = false;
  data_shard_close(e->shard);
  e->shard = NULL;
  e->open = -1;
  ORR_TRY(data_index_open_shard(e->index, s, &e->shard));
  e->open = s;
  return ORR_OK;
}

// Opens the shard of episode i; *within is its number there.
static orr_code find(train_episodes *e, int64_t i, int64_t *within) {
  ORR_CHECK(i >= 0 && i < e->index->episodes, ORR_EINVAL,
            "%s: episode %" PRId64 " asked for, it has 0 to %" PRId64, e->index->dir, i,
            e->index->episodes - 1);
  int64_t s = 0;
  while (i >= e->index->shards[s].episodes) i -= e->index->shards[s++].episodes;
  *within = i;
  return open_shard(e, s);
}

orr_code train_episodes_length(train_episodes *e, int64_t i, int64_t start, int64_t stride,
                               int64_t *frames) {
  int64_t within = 0;
  ORR_TRY(find(e, i, &within));
  const int64_t *offsets = data_shard_offsets(e->shard);
  const int64_t rest = offsets[within + 1] - offsets[within] - start;
  *frames = rest > 0 ? (rest + stride - 1) / stride : 0;
  return ORR_OK;
}

orr_code train_episodes_place(train_episodes *e, int64_t clip, int64_t T, int64_t stride,
                              int64_t *episode, int64_t *start) {
  int64_t s = 0, within = 0, clips;
  *episode = 0;
  for (; clip >= (clips = data_index_clips(e->index, s, T, stride)); s++) {
    clip -= clips;
    *episode += e->index->shards[s].episodes;
  }
  ORR_TRY(open_shard(e, s));
  const int64_t *offsets = data_shard_offsets(e->shard);
  for (;; within++) {
    ORR_CHECK(within < data_shard_episodes(e->shard), ORR_EFORMAT,
              "%s: index.json has other lengths than %s; `orrery data verify` tells which",
              e->index->dir, e->index->shards[s].file);
    clips = offsets[within + 1] - offsets[within] - (T - 1) * stride;
    if (clips > clip) break;
    if (clips > 0) clip -= clips;
  }
  *episode += within;
  *start = clip;
  return ORR_OK;
}

// The shard is open; *first (=) row of the first of T frames in it.
static orr_code reach(train_episodes *e, int64_t i, int64_t start, int64_t T, int64_t stride,
                      int64_t *first) {
  int64_t within = 0, length = 0;
  ORR_TRY(train_episodes_length(e, i, start, stride, &length));
  ORR_TRY(find(e, i, &within));
  ORR_CHECK(T <= length, ORR_EINVAL,
            "%s: episode %" PRId64 " has %" PRId64 " frames from frame %" PRId64
            " on (at stride %" PRId64 "), wanted %" PRId64 ": ask for fewer frames",
            e->index->dir, i, length, start, stride, T);
  *first = data_shard_offsets(e->shard)[within] + start;
  return ORR_OK;
}

orr_code train_episodes_success(train_episodes *e, int64_t i, uint8_t *success) {
  int64_t within = 0;
  ORR_CHECK(e->index->format.success, ORR_EINVAL, "%s has no /success", e->index->dir);
  ORR_TRY(find(e, i, &within));
  return data_shard_read_success(e->shard, within, 1, success);
}

orr_code train_episodes_read_actions(train_episodes *e, int64_t i, int64_t start, int64_t T,
                                     int64_t stride, float *actions) {
  int64_t first = 0;
  ORR_TRY(reach(e, i, start, T, stride, &first));
  return T > 1 ? data_shard_read_actions(e->shard, first + stride - 1, T - 1, stride, actions)
               : ORR_OK;
}

orr_code train_episodes_outcomes(train_episodes *e, int64_t i, int64_t start, int64_t T,
                                 int64_t stride, float *reward, float *done, float *progress) {
  int64_t first = 0;
  ORR_TRY(reach(e, i, start, T, stride, &first));
  if (!e->has_outcomes) ORR_TRY(data_outcomes_read(e->shard, &e->outcomes));
  e->has_outcomes = true;
  data_outcomes_clip(&e->outcomes, first, T, stride, reward, done, progress);
  return ORR_OK;
}

orr_code train_episodes_read(train_episodes *e, int64_t i, int64_t start, int64_t T, int64_t stride,
                             uint8_t *frames, float *actions, float *state) {
  int64_t first = 0;
  ORR_TRY(reach(e, i, start, T, stride, &first));
  ORR_TRY(data_shard_read_frames(e->shard, first, T, stride, frames));
  ORR_TRY(train_episodes_read_actions(e, i, start, T, stride, actions));
  if (!state || !e->index->format.Q) return ORR_OK;
  return data_shard_read_state(e->shard, first, T, stride, state);
}
