#include "data/import/look.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "data/import/frame.h"
#include "data/import/sources.h"
#include "data/import/referred.h"

#define PIXEL_SAMPLES 8 // pictures of an episode

static orr_code same_frames(data_import_looking *l, const data_import_episode *e, int64_t height,
                            int64_t width) {
  const data_shard_format *f = &l->f;
  ORR_CHECK(height == f->height && width == f->width, ORR_EINVAL,
            "%s: frames of %" PRId64 " x %" PRId64 ", but %" PRId64 " x %" PRId64
            " (height x width) in %s; give --size to make them alike",
            e->name, height, width, f->height, f->width, l->p->episodes.v[l->first].name);
  return ORR_OK;
}

// Pictures of numbers do not say what is white: a few of them show it.
static orr_code look_at_pixels(data_import_looking *l, const data_import_episode *e,
                               data_import_framer *framer, const data_import_timing *t) {
  double low = INFINITY, high = -INFINITY;
  if (!data_import_framer_numbers(framer)) return ORR_OK;
  for (int64_t k = 0; k < PIXEL_SAMPLES; k++) {
    const int64_t frame = data_import_frame(t, k * (t->frames - 1) / (PIXEL_SAMPLES - 1));
    ORR_TRY(data_import_framer_range(framer, frame, &low, &high));
  }
  ORR_CHECK(isfinite(low) && isfinite(high), ORR_EFORMAT,
            "%s: its pictures hold values that are no numbers; mend the recording or leave it out",
            e->name);
  const bool given = l->p->o->pixel_high > l->p->o->pixel_low;
  ORR_CHECK(given || (low >= -1e-3 && high <= 255.5), ORR_EFORMAT,
            "%s: its pictures have values from %g to %g; wanted 0 to 1 or 0 to 255, or say what is "
            "black and white with --pixel-range LOW:HIGH",
            e->name, low, high);
  l->pixel_low = fmin(l->pixel_low, low);
  l->pixel_high = fmax(l->pixel_high, high);
  return ORR_OK;
}

static orr_code look_at_frames(data_import_looking *l, const data_import_episode *e, int64_t number,
                               const data_import_timing *t, uint64_t *fingerprint) {
  data_import_framer *framer = NULL;
  ORR_TRY(data_import_framer_open(l->p->o, e, t->first, &framer));
  int64_t height = data_import_framer_height(framer), width = data_import_framer_width(framer);
  orr_code rc = look_at_pixels(l, e, framer, t);
  *fingerprint = data_import_framer_fingerprint(framer);
  data_import_framer_close(framer);
  ORR_TRY(rc);
  if (l->first >= 0) return same_frames(l, e, height, width);
  l->first = number;
  l->f.height = height;
  l->f.width = width;
  return ORR_OK;
}

// Recordings of different rates are told all at once, at the end.
static void note_rate(data_import_looking *l, int64_t number, const data_import_timing *t) {
  if (l->slowest < 0 || t->fps < l->slowest_fps) l->slowest = number, l->slowest_fps = t->fps;
  if (l->fastest < 0 || t->fps > l->fastest_fps) l->fastest = number, l->fastest_fps = t->fps;
  if (l->f.fps == 0) l->f.fps = t->fps;
}

orr_code data_import_look_rates(const data_import_looking *l) {
  const data_import_episode *e = l->p->episodes.v;
  const double low = l->slowest_fps, high = l->fastest_fps, rate = round((low + high) / 2);
  char remedy[300];
  if (l->slowest < 0 || high - low < 1e-3 * high) return ORR_OK;
  int n = 0;
  if (high - low < 0.02 * high && rate >= 1)
    n = snprintf(remedy, sizeof remedy,
                 "--source-fps %g takes all of them as %g frames/s, as cameras' clocks differ; or ",
                 rate, rate);
  snprintf(remedy + n, sizeof remedy - (size_t)n, "--fps %g takes them at that rate, by time",
           low >= 1 ? floor(low) : low);
  return ORR_FAIL(ORR_EINVAL,
                  "recordings of different rates: from %.6g frames/s (%s) to %.6g (%s); %s", low,
                  e[l->slowest].name, high, e[l->fastest].name, remedy);
}

static orr_code same_actions(data_import_looking *l, const data_import_episode *e,
                             data_import_actions *a) {
  const char *first = l->p->episodes.v[l->first].name;
  if (!a->A) return ORR_OK;
  if (!l->f.A) {
    l->f.A = a->A;
    l->names = a->names;
    a->names = NULL; // the plan keeps them
    return ORR_OK;
  }
  ORR_CHECK(a->A == l->f.A, ORR_EINVAL,
            "%s: actions of %" PRId64 " components, but %" PRId64 " in %s; import them as two data "
            "sets",
            e->name, a->A, l->f.A, first);
  for (int64_t i = 0; a->names && l->names && i < a->A; i++)
    ORR_CHECK(strcmp(a->names[i], l->names[i]) == 0, ORR_EINVAL,
              "%s: action %" PRId64 " is %s, but %s in %s; name the columns with --actions",
              e->name, i, a->names[i], l->names[i], first);
  return ORR_OK;
}

// Ranges, from the actions as they will be written but for the ranges.
static orr_code look_at_actions(data_import_looking *l, const data_import_episode *e,
                                const data_import_timing *t, const data_import_actions *a,
                                uint64_t *made) {
  const size_t bytes = (size_t)(t->frames * a->A) * sizeof(float);
  float *rows = orr_malloc(bytes);
  ORR_CHECK(rows, ORR_ENOMEM, "%s: out of memory for %" PRId64 " actions", e->name, t->frames);
  data_import_actions named = *a;
  if (!named.names) named.names = l->names; // for messages
  orr_code rc = data_import_align(l->p->o, e, t, &named, rows);
  if (rc == ORR_OK && a->A) // the last row leads nowhere
    rc = data_import_values_add(l->values, a->A, rows, t->frames - 1);
  if (rc == ORR_OK) {
    const int64_t numbers[] = {t->first, t->frames, a->A};
    const double times[] = {t->step, t->begin, t->fps};
    *made = orr_hash64(numbers, sizeof numbers, *made);
    *made = orr_hash64(times, sizeof times, *made);
    *made = orr_hash64(rows, bytes, *made);
  }
  orr_free(rows);
  return rc;
}

// What tells a recording from all others, wherever it lies and whatever becomes of it; name "": and
// whatever it is called. The size of its file does not: others may be added to that.
static uint64_t key_of(const data_import_episode *e, const char *name, const data_import_actions *a,
                       uint64_t fingerprint) {
  const int64_t numbers[] = {e->frames, a->rows, a->A};
  uint64_t key = orr_hash64(name, strlen(name), fingerprint);
  key = orr_hash64(numbers, sizeof numbers, key);
  return orr_hash64(a->v, a->v ? (size_t)(a->rows * a->A) * sizeof *a->v : 0, key);
}

static orr_code look_at_outcome(data_import_looking *l, const data_import_episode *e,
                                const data_import_timing *t, const data_import_actions *a,
                                uint64_t *made) {
  float *reward = a->reward ? orr_malloc((size_t)t->frames * sizeof *reward) : NULL;
  uint8_t *done = a->done ? orr_malloc((size_t)t->frames * sizeof *done) : NULL;
  orr_code rc = ORR_OK;
  ORR_CHECK_GOTO((reward || !a->reward) && (done || !a->done), release, ORR_ENOMEM,
                 "%s: out of memory for %" PRId64 " rewards", e->name, t->frames);
  ORR_TRY_GOTO(data_import_align_outcome(l->p->o, e, t, a, reward, done), release);
  if (reward) *made = orr_hash64(reward, (size_t)t->frames * sizeof *reward, *made);
  if (done) *made = orr_hash64(done, (size_t)t->frames * sizeof *done, *made);
  *made = orr_hash64(&a->success, sizeof a->success, *made);
  l->reward += reward != NULL;
  l->done += done != NULL;
  l->success += a->success >= 0;
release:
  orr_free(done);
  orr_free(reward);
  return rc;
}

static orr_code check_merges(const data_import_options *o, const data_import_episode *e,
                             int64_t A) {
  ORR_CHECK(o->merge_count <= 1 || o->merge_count == A, ORR_EINVAL,
            "--merge has %" PRId64 " words, but %s has %" PRId64
            " components; give one, or one a component",
            o->merge_count, e->name, A);
  return ORR_OK;
}

// Forgets what a bad recording was the first to say.
static void restore(data_import_looking *l, const data_import_looking *before) {
  if (l->names != before->names) orr_free(l->names);
  *l = *before;
}

static orr_code look_at_episode(data_import_looking *l, int64_t number) {
  data_import_plan *p = l->p;
  const data_import_episode *e = &p->episodes.v[number];
  const data_import_looking before = *l;
  uint64_t fingerprint = 0, made = l->options;
  data_import_actions a = {0};
  data_import_timing t;
  ORR_TRY(data_import_actions_read(p->o, e, &a));
  orr_code rc = data_import_time(p->o, e, &a, &p->notes, &t);
  if (rc != ORR_OK) goto release;
  if (t.frames < p->o->min_frames) {
    p->too_short++;
    goto release;
  }
  ORR_TRY_GOTO(look_at_frames(l, e, number, &t, &fingerprint), release);
  note_rate(l, number, &t);
  ORR_TRY_GOTO(same_actions(l, e, &a), release);
  ORR_TRY_GOTO(check_merges(p->o, e, a.A), release);
  ORR_TRY_GOTO(look_at_outcome(l, e, &t, &a, &made), release);
  ORR_TRY_GOTO(look_at_actions(l, e, &t, &a, &made), release);
  p->items[p->count++] = (data_import_item){
      .episode = number,
      .timing = t,
      .frames = t.frames,
      .key = key_of(e, e->name, &a, fingerprint),
      .content = orr_hash64(&e->bytes, sizeof e->bytes, key_of(e, "", &a, fingerprint)),
      .made = made};
  p->frames += t.frames;
release:
  data_import_actions_release(&a);
  if (rc != ORR_OK) restore(l, &before);
  return rc;
}

orr_code data_import_look(data_import_looking *l) {
  data_import_plan *p = l->p;
  data_import_search s = {.o = p->o,
                          .board = p->board,
                          .crashed = p->crashed,
                          .list = &p->episodes,
                          .faults = &p->faults,
                          .referred = &p->referred};
  ORR_TRY(data_import_sources_list(&s));
  p->too_short += s.too_short;
  p->items = orr_malloc((size_t)(p->episodes.n + 1) * sizeof *p->items);
  ORR_CHECK(p->items, ORR_ENOMEM, "out of memory for %" PRId64 " episodes", p->episodes.n);
  for (int64_t i = 0; i < p->episodes.n; i++) {
    const data_import_episode *e = &p->episodes.v[i];
    data_import_note_reading(p->o, p->board, e->file);
    ORR_TRY(data_import_faults_take(&p->faults, e->name, e->file, look_at_episode(l, i)));
    if (p->board) atomic_fetch_add(&p->board->progress, 1);
  }
  data_import_referred_forgive(&p->referred, &p->faults);
  return ORR_OK;
}
