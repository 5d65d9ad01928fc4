#include "data/clips/clip_set.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "data/clips/clip_read.h"
#include "data/shard/format.h"
#include "data/shard/outcomes.h"
#include "data/shard/part.h"

#define OPEN_SHARDS (2 * DATA_ORDER_BLOCK) // the block that is read and the one before or after

typedef struct {
  int64_t number; // of the shard
  uint64_t used;  // when, for the choice of the one to close
  data_shard *shard;
  uint64_t columns;       // its numbers in the cache of chunks
  uint64_t *starts;       // [episodes + 1]: clips before each episode
  data_outcomes outcomes; // where they are asked for
} open_shard;

struct data_clip_set {
  data_mix_options o;
  data_index *index;
  uint64_t *counts; // [index->count]
  uint64_t *firsts; // [index->count + 1]: clips before each shard
  uint64_t clock;
  open_shard open[OPEN_SHARDS];
};

// -- opening --------------------------------------------------------------------------------

// What may be wrong with a data set, one thing each: all of them are told at once.

static bool has_kind(const data_shard_format *f, const data_mix_options *o) {
  return o->kind == DATA_FRAMES ? f->height > 0 : f->S > 0;
}

static orr_code check_kind(const data_index *x, const data_mix_options *o) {
  ORR_CHECK(has_kind(&x->format, o), ORR_EINVAL,
            o->kind == DATA_FRAMES
                ? "%s: holds tokens only, wanted frames; name the data set that they were made from"
                : "%s: holds frames only, wanted tokens; run `orrery data tokenize` on it first",
            x->dir);
  return ORR_OK;
}

static orr_code check_size(const data_index *x, const data_mix_options *o) {
  const data_shard_format *f = &x->format;
  ORR_CHECK(o->kind != DATA_FRAMES || !has_kind(f, o) ||
                (f->height == o->height && f->width == o->width),
            ORR_EINVAL,
            "%s: frames are %" PRId64 " x %" PRId64 " (height x width), wanted %" PRId64
            " x %" PRId64 "; change tokenizer.rows, cols or patch, or generate frames of that size",
            x->dir, f->height, f->width, o->height, o->width);
  return ORR_OK;
}

static orr_code check_tokens(const data_index *x, const data_mix_options *o) {
  const data_shard_format *f = &x->format;
  ORR_CHECK(o->kind != DATA_TOKENS || !has_kind(f, o) || f->S == o->S, ORR_EINVAL,
            "%s: %" PRId64 " tokens a frame, wanted %" PRId64
            "; set model.rows and model.cols as its tokenizer has them",
            x->dir, f->S, o->S);
  return ORR_OK;
}

static orr_code check_codes(const data_index *x, const data_mix_options *o) {
  const data_shard_format *f = &x->format;
  ORR_CHECK(o->kind != DATA_TOKENS || f->codes == 0 || f->codes == o->codes, ORR_EINVAL,
            "%s: made by a tokenizer of %" PRId64 " codes, wanted %" PRId64
            "; set model.codes to it, or tokenize again",
            x->dir, f->codes, o->codes);
  return ORR_OK;
}

static orr_code check_actions(const data_index *x, const data_mix_options *o) {
  ORR_CHECK(x->format.A <= o->A, ORR_EINVAL,
            "%s: %" PRId64 " action components, wanted at most %" PRId64 "; raise model.actions",
            x->dir, x->format.A, o->A);
  return ORR_OK;
}

static orr_code check_state(const data_index *x, const data_mix_options *o) {
  ORR_CHECK(!o->state || x->format.Q > 0, ORR_EINVAL,
            "%s: has no /state, which is wanted; generate it with the simulator", x->dir);
  return ORR_OK;
}

static orr_code check_lengths(const data_index *x, const data_mix_options *o) {
  int64_t clips = 0;
  for (int64_t i = 0; i < x->count; i++) clips += data_index_clips(x, i, o->T, o->stride);
  ORR_CHECK(clips > 0, ORR_EINVAL,
            "%s: no episode has the %" PRId64 " frames of a clip (%" PRId64 " at stride %" PRId64
            "); lower data.frames or data.stride",
            x->dir, (o->T - 1) * o->stride + 1, o->T, o->stride);
  return ORR_OK;
}

orr_code data_clip_set_check(const data_index *x, const data_mix_options *o, orr_faults *f) {
  static orr_code (*const checks[])(const data_index *, const data_mix_options *) = {
      check_kind, check_size, check_tokens, check_codes, check_actions, check_state, check_lengths};
  for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
    ORR_TRY(orr_faults_take(f, checks[i](x, o)));
  return ORR_OK;
}

static orr_code check_wanted(const data_index *x, const data_mix_options *o) {
  orr_faults f = {0};
  ORR_TRY(data_clip_set_check(x, o, &f));
  return orr_faults_end(&f);
}

static orr_code count_clips(data_clip_set *s) {
  const data_index *x = s->index;
  s->counts = orr_malloc((size_t)x->count * sizeof *s->counts);
  s->firsts = orr_malloc((size_t)(x->count + 1) * sizeof *s->firsts);
  ORR_CHECK(s->counts && s->firsts, ORR_ENOMEM, "%s: out of memory: cannot list its clips", x->dir);
  s->firsts[0] = 0;
  for (int64_t i = 0; i < x->count; i++) {
    s->counts[i] = (uint64_t)data_index_clips(x, i, s->o.T, s->o.stride);
    s->firsts[i + 1] = s->firsts[i] + s->counts[i];
  }
  return ORR_OK;
}

orr_code data_clip_set_open(const char *dir, const data_mix_options *o, data_clip_set **out) {
  orr_code rc = ORR_OK;
  ORR_CHECK(o->T >= 1 && o->stride >= 1, ORR_EINVAL,
            "clips of %" PRId64 " frames at stride %" PRId64 "; wanted at least 1 of both", o->T,
            o->stride);
  data_clip_set *s = orr_calloc(1, sizeof *s);
  ORR_CHECK(s, ORR_ENOMEM, "%s: out of memory: cannot open it", dir);
  s->o = *o;
  s->o.dirs = NULL;
  s->o.weights = NULL;
  s->o.branch_ids = NULL;
  ORR_TRY_GOTO(data_index_open_from(dir, o->remote, &s->index), fail);
  ORR_TRY_GOTO(check_wanted(s->index, o), fail);
  ORR_TRY_GOTO(count_clips(s), fail);
  *out = s;
  return ORR_OK;
fail:
  data_clip_set_close(s);
  return rc;
}

static void slot_close(open_shard *slot) {
  data_shard_close(slot->shard);
  data_outcomes_release(&slot->outcomes);
  orr_free(slot->starts);
  *slot = (open_shard){0};
}

void data_clip_set_close(data_clip_set *s) {
  if (!s) return;
  for (int i = 0; i < OPEN_SHARDS; i++) slot_close(&s->open[i]);
  orr_free(s->firsts);
  orr_free(s->counts);
  data_index_close(s->index);
  orr_free(s);
}

const data_index *data_clip_set_index(const data_clip_set *s) {
  return s->index;
}

const uint64_t *data_clip_set_counts(const data_clip_set *s) {
  return s->counts;
}

uint64_t data_clip_set_clips(const data_clip_set *s) {
  return s->firsts[s->index->count];
}

// The last entry of firsts [n + 1] that is not above `value`, as an index below n; entries repeat
// where a shard or an episode has no clip.
static int64_t find_last(const uint64_t *firsts, int64_t n, uint64_t value) {
  int64_t low = 0, high = n;
  while (high - low > 1) {
    int64_t middle = low + (high - low) / 2;
    if (firsts[middle] <= value)
      low = middle;
    else
      high = middle;
  }
  return low;
}

data_place data_clip_set_find(const data_clip_set *s, uint64_t clip) {
  int64_t shard = find_last(s->firsts, s->index->count, clip);
  return (data_place){.shard = shard, .clip = clip - s->firsts[shard]};
}

// -- open shards ----------------------------------------------------------------------------

static orr_code slot_open(const data_clip_set *s, open_shard *slot, int64_t number) {
  int64_t span = (s->o.T - 1) * s->o.stride;
  ORR_TRY(data_index_open_shard(s->index, number, &slot->shard));
  const char *path = data_shard_path(slot->shard);
  ORR_TRY(data_shard_format_equal(&s->index->format, "index.json",
                                  data_shard_get_format(slot->shard), path));
  int64_t episodes = data_shard_episodes(slot->shard);
  const int64_t *offsets = data_shard_offsets(slot->shard);
  slot->starts = orr_malloc((size_t)(episodes + 1) * sizeof *slot->starts);
  ORR_CHECK(slot->starts, ORR_ENOMEM, "%s: out of memory for %" PRId64 " episodes", path, episodes);
  slot->starts[0] = 0;
  for (int64_t e = 0; e < episodes; e++) {
    int64_t room = offsets[e + 1] - offsets[e] - span;
    slot->starts[e + 1] = slot->starts[e] + (room > 0 ? (uint64_t)room : 0);
  }
  ORR_CHECK(slot->starts[episodes] == s->counts[number], ORR_EFORMAT,
            "%s: %" PRIu64 " clips, but index.json says %" PRIu64
            "; the shard was changed: build the index again",
            path, slot->starts[episodes], s->counts[number]);
  slot->number = number;
  return s->o.outcomes ? data_outcomes_read(slot->shard, &slot->outcomes) : ORR_OK;
}

static orr_code get_shard(data_clip_set *s, int64_t number, data_chunk_cache *cache,
                          open_shard **out) {
  open_shard *slot = &s->open[0]; // an empty one, else the one used longest ago
  for (int i = 0; i < OPEN_SHARDS; i++) {
    open_shard *each = &s->open[i];
    if (each->shard && each->number == number) {
      each->used = ++s->clock;
      *out = each;
      return ORR_OK;
    }
    if (each->used < slot->used) slot = each;
  }
  slot_close(slot);
  orr_code rc = slot_open(s, slot, number);
  if (rc != ORR_OK) {
    slot_close(slot);
    return rc;
  }
  slot->columns = data_chunk_cache_columns(cache, DATA_SHARD_PARTS);
  slot->used = ++s->clock;
  *out = slot;
  return ORR_OK;
}

// -- reading a clip -------------------------------------------------------------------------

orr_code data_clip_set_begin(data_clip_set *s, data_place at, data_clip_source *from,
                             data_clip_read *r, data_clip_batch *b, int64_t row) {
  open_shard *slot = NULL;
  ORR_TRY(get_shard(s, at.shard, from->cache, &slot));
  int64_t episode = find_last(slot->starts, data_shard_episodes(slot->shard), at.clip);
  from->shard = slot->shard;
  from->columns = slot->columns;
  from->number = at.shard;
  from->episode = episode;
  from->first =
      data_shard_offsets(slot->shard)[episode] + (int64_t)(at.clip - slot->starts[episode]);
  const int64_t T = s->o.T, at_row = row * T;
  if (b->reward)
    data_outcomes_clip(&slot->outcomes, from->first, T, s->o.stride, b->reward + at_row,
                       b->done + at_row, b->progress + at_row);
  return data_clip_read_begin(r, from, b, row);
}
