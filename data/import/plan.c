#include "data/import/plan.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "data/import/frame.h"
#include "data/import/parts.h"
#include "data/import/sources.h"
#include "data/shard/format.h"

#define PIXEL_SAMPLES 8 // pictures of an episode

// -- looking --------------------------------------------------------------------------------

// What is gathered while all episodes are looked at.
typedef struct {
  data_import_plan *p;
  orr_hash_stream *hash;
  int64_t first;                // the episode that the others are compared with, -1 before it
  data_shard_format f;          // of that episode
  char **names;                 // of its actions, or NULL
  double (*found)[2];           // [A]: lowest and highest value of each component
  double pixel_low, pixel_high; // in pictures of numbers; low > high before there are any
  int64_t slowest, fastest;     // episodes, by their rates; -1 before the first
  double slowest_fps, fastest_fps;
  int64_t reward, done, success; // episodes that recorded them
} looking;

static orr_code same_frames(looking *l, const data_import_episode *e, int64_t height,
                            int64_t width) {
  const data_shard_format *f = &l->f;
  ORR_CHECK(height == f->height && width == f->width, ORR_EINVAL,
            "%s: frames of %" PRId64 " x %" PRId64 ", but %" PRId64 " x %" PRId64
            " (height x width) in %s; give --size to make them alike",
            e->name, height, width, f->height, f->width, l->p->episodes.v[l->first].name);
  return ORR_OK;
}

// Pictures of numbers do not say what is white: a few of them show it.
static orr_code look_at_pixels(looking *l, const data_import_episode *e, data_import_framer *framer,
                               const data_import_timing *t) {
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

static orr_code look_at_frames(looking *l, const data_import_episode *e, int64_t number,
                               const data_import_timing *t) {
  data_import_framer *framer = NULL;
  ORR_TRY(data_import_framer_open(l->p->o, e, t->first, &framer));
  int64_t height = data_import_framer_height(framer), width = data_import_framer_width(framer);
  orr_code rc = look_at_pixels(l, e, framer, t);
  data_import_framer_close(framer);
  ORR_TRY(rc);
  if (l->first >= 0) return same_frames(l, e, height, width);
  l->first = number;
  l->f.height = height;
  l->f.width = width;
  return ORR_OK;
}

// Recordings of different rates are told all at once, at the end.
static void note_rate(looking *l, int64_t number, const data_import_timing *t) {
  if (l->slowest < 0 || t->fps < l->slowest_fps) l->slowest = number, l->slowest_fps = t->fps;
  if (l->fastest < 0 || t->fps > l->fastest_fps) l->fastest = number, l->fastest_fps = t->fps;
  if (l->f.fps == 0) l->f.fps = t->fps;
}

static orr_code check_rates(const looking *l) {
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

static orr_code same_actions(looking *l, const data_import_episode *e, data_import_actions *a) {
  const char *first = l->p->episodes.v[l->first].name;
  if (!a->A) return ORR_OK;
  if (!l->f.A) {
    l->f.A = a->A;
    l->names = a->names;
    a->names = NULL; // the plan keeps them
    l->found = orr_malloc((size_t)a->A * sizeof *l->found);
    ORR_CHECK(l->found, ORR_ENOMEM, "%s: out of memory for %" PRId64 " components", e->name, a->A);
    for (int64_t i = 0; i < a->A; i++) l->found[i][0] = INFINITY, l->found[i][1] = -INFINITY;
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

static void widen(looking *l, const float *rows, int64_t n) {
  for (int64_t t = 0; t < n; t++) {
    for (int64_t i = 0; i < l->f.A; i++) {
      l->found[i][0] = fmin(l->found[i][0], rows[t * l->f.A + i]);
      l->found[i][1] = fmax(l->found[i][1], rows[t * l->f.A + i]);
    }
  }
}

// Ranges and the key of the import, from the actions as they will be written but for the ranges.
static orr_code look_at_actions(looking *l, const data_import_episode *e,
                                const data_import_timing *t, const data_import_actions *a) {
  float *rows = orr_malloc((size_t)(t->frames * a->A) * sizeof *rows);
  ORR_CHECK(rows, ORR_ENOMEM, "%s: out of memory for %" PRId64 " actions", e->name, t->frames);
  data_import_actions named = *a;
  if (!named.names) named.names = l->names; // for messages
  orr_code rc = data_import_align(l->p->o, e, t, &named, rows);
  if (rc == ORR_OK) {
    const int64_t numbers[] = {t->first, t->frames, (int64_t)e->bytes};
    widen(l, rows, t->frames - 1); // the last row leads nowhere
    orr_hash_stream_update(l->hash, e->name, strlen(e->name) + 1);
    orr_hash_stream_update(l->hash, numbers, sizeof numbers);
    orr_hash_stream_update(l->hash, &t->step, sizeof t->step);
    orr_hash_stream_update(l->hash, rows, (size_t)(t->frames * a->A) * sizeof *rows);
  }
  orr_free(rows);
  return rc;
}

static orr_code look_at_outcome(looking *l, const data_import_episode *e,
                                const data_import_timing *t, const data_import_actions *a) {
  float *reward = a->reward ? orr_malloc((size_t)t->frames * sizeof *reward) : NULL;
  uint8_t *done = a->done ? orr_malloc((size_t)t->frames * sizeof *done) : NULL;
  orr_code rc = ORR_OK;
  ORR_CHECK_GOTO((reward || !a->reward) && (done || !a->done), release, ORR_ENOMEM,
                 "%s: out of memory for %" PRId64 " rewards", e->name, t->frames);
  ORR_TRY_GOTO(data_import_align_outcome(l->p->o, e, t, a, reward, done), release);
  if (reward) orr_hash_stream_update(l->hash, reward, (size_t)t->frames * sizeof *reward);
  if (done) orr_hash_stream_update(l->hash, done, (size_t)t->frames * sizeof *done);
  orr_hash_stream_update(l->hash, &a->success, sizeof a->success);
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
static void restore(looking *l, const looking *before) {
  if (l->names != before->names) orr_free(l->names);
  if (l->found != before->found) orr_free(l->found);
  *l = *before;
}

static orr_code look_at_episode(looking *l, int64_t number) {
  data_import_plan *p = l->p;
  const data_import_episode *e = &p->episodes.v[number];
  const looking before = *l;
  data_import_actions a = {0};
  data_import_timing t;
  ORR_TRY(data_import_actions_read(p->o, e, &a));
  orr_code rc = data_import_time(p->o, e, &a, &p->notes, &t);
  if (rc != ORR_OK) goto release;
  if (t.frames < p->o->min_frames) {
    p->too_short++;
    goto release;
  }
  ORR_TRY_GOTO(look_at_frames(l, e, number, &t), release);
  note_rate(l, number, &t);
  ORR_TRY_GOTO(same_actions(l, e, &a), release);
  ORR_TRY_GOTO(check_merges(p->o, e, a.A), release);
  ORR_TRY_GOTO(look_at_actions(l, e, &t, &a), release);
  ORR_TRY_GOTO(look_at_outcome(l, e, &t, &a), release);
  p->items[p->count++] = (data_import_item){.episode = number, .timing = t};
  p->frames += t.frames;
release:
  data_import_actions_release(&a);
  if (rc != ORR_OK) restore(l, &before);
  return rc;
}

// -- what all have in common ----------------------------------------------------------------

// What is black and white in pictures of numbers, the same for all of them: 0 and 1 where nothing
// is above 1, else 0 and 255.
static void set_pixels(looking *l) {
  data_import_plan *p = l->p;
  const data_import_options *o = p->o;
  const bool given = o->pixel_high > o->pixel_low;
  for (int64_t i = 0; i < p->episodes.n; i++) {
    p->episodes.v[i].pixel_low = given ? o->pixel_low : 0;
    p->episodes.v[i].pixel_high = given ? o->pixel_high : l->pixel_high <= 1.001 ? 1 : 255;
  }
}

static orr_code set_ranges(looking *l) {
  data_import_plan *p = l->p;
  const data_import_options *o = p->o;
  if (!l->f.A || (!o->range_auto && !o->range_count)) return ORR_OK;
  ORR_CHECK(o->range_count <= 1 || o->range_count == l->f.A, ORR_EINVAL,
            "--action-range has %" PRId64 " ranges for %" PRId64
            " components; give one, or one a component",
            o->range_count, l->f.A);
  p->ranges = orr_malloc((size_t)l->f.A * sizeof *p->ranges);
  ORR_CHECK(p->ranges, ORR_ENOMEM, "out of memory for %" PRId64 " ranges", l->f.A);
  for (int64_t i = 0; i < l->f.A; i++) {
    const double *given = o->range_count == 1 ? o->ranges[0] : o->range_count ? o->ranges[i] : NULL;
    memcpy(p->ranges[i], given ? given : l->found[i], sizeof p->ranges[i]);
    ORR_CHECK(!given || (l->found[i][0] >= given[0] && l->found[i][1] <= given[1]), ORR_EINVAL,
              "action component %" PRId64 " goes from %g to %g, beyond its --action-range %g:%g; "
              "widen it",
              i, l->found[i][0], l->found[i][1], given ? given[0] : 0, given ? given[1] : 0);
  }
  return ORR_OK;
}

// What came of the actions is written where all recordings say it.
static bool all_have(const looking *l, const char *what, int64_t have) {
  if (have > 0 && have < l->p->count)
    data_import_tell(l->p->o, l->p->board,
                     "%" PRId64 " of %" PRId64
                     " recordings have %s, the others none, so it is left "
                     "out",
                     have, l->p->count, what);
  return have == l->p->count;
}

// Names by the user, else by the source, else numbers.
static orr_code set_format(looking *l) {
  const data_import_options *o = l->p->o;
  data_shard_format f = l->f; // its words are this function's; the plan gets a copy
  enum { NAME = 32 };
  char source[128], *text = orr_malloc((size_t)l->f.A * NAME);
  const char **names = orr_malloc((size_t)l->f.A * sizeof *names);
  orr_code rc = ORR_OK;
  ORR_CHECK_GOTO(text && names, done, ORR_ENOMEM, "out of memory for %" PRId64 " names", l->f.A);
  ORR_CHECK_GOTO(!o->action_names.n || o->action_names.n == l->f.A, done, ORR_EINVAL,
                 "--action-names has %" PRId64 " names for %" PRId64 " components",
                 o->action_names.n, l->f.A);
  for (int64_t i = 0; i < l->f.A; i++) {
    snprintf(text + i * NAME, NAME, "action_%" PRId64, i);
    names[i] = o->action_names.n ? o->action_names.v[i] : l->names ? l->names[i] : text + i * NAME;
  }
  snprintf(source, sizeof source, "imported from %s recordings",
           l->p->episodes.v[l->first].format->name);
  f.branch = o->branch;
  f.source = o->source ? o->source : source;
  f.action_names = names;
  f.reward = all_have(l, "a reward", l->reward);
  f.done = all_have(l, "marks of ends", l->done);
  f.success = all_have(l, "success", l->success);
  ORR_TRY_GOTO(data_shard_format_check(&f, "import"), done);
  rc = data_shard_format_copy(&f, &l->p->format);
done:
  orr_free(names);
  orr_free(text);
  return rc;
}

// Everything but the sources that decides what is written.
static orr_code hash_options(looking *l) {
  const data_import_options *o = l->p->o;
  const data_shard_format *f = l->p->format;
  orr_hash_stream *h = l->hash;
  const int64_t numbers[] = {f->height,
                             f->width,
                             f->A,
                             o->tile_rows,
                             o->tile_cols,
                             o->crop_centre,
                             o->crop[0],
                             o->crop[1],
                             o->crop[2],
                             o->crop[3],
                             o->channels,
                             o->action_shift,
                             o->gzip,
                             o->shard_frames,
                             (int64_t)o->seed,
                             l->p->ranges != NULL,
                             o->rotate,
                             o->flip_h,
                             o->flip_v};
  const double reals[] = {f->fps, o->validation, o->pixel_low, o->pixel_high};
  orr_hash_stream_update(h, numbers, sizeof numbers);
  orr_hash_stream_update(h, reals, sizeof reals);
  orr_hash_stream_update(h, f->branch, strlen(f->branch) + 1);
  orr_hash_stream_update(h, f->source, strlen(f->source) + 1);
  for (int64_t i = 0; i < f->A; i++)
    orr_hash_stream_update(h, f->action_names[i], strlen(f->action_names[i]) + 1);
  for (int64_t i = 0; i < o->cameras.n; i++)
    orr_hash_stream_update(h, o->cameras.v[i], strlen(o->cameras.v[i]) + 1);
  if (l->p->ranges) orr_hash_stream_update(h, l->p->ranges, (size_t)f->A * sizeof *l->p->ranges);
  l->p->key = orr_hash_stream_digest(h);
  return ORR_OK;
}

// -- all of it ------------------------------------------------------------------------------

static orr_code look_at_all(looking *l) {
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

// One bad recording is its own error; several are named one by one.
static orr_code judge_faults(const data_import_plan *p) {
  const data_import_faults *f = &p->faults;
  if (!f->n) return ORR_OK;
  const bool all = !p->count && !p->too_short;
  for (int64_t i = 0; p->o->bad && (f->n > 1 || !all) && i < f->n; i++)
    if (p->o->skip_bad || f->n > 1) p->o->bad(p->o->ctx, f->v[i].recording, f->v[i].reason);
  if (p->o->skip_bad && !all) return ORR_OK;
  if (f->n == 1) {
    orr_status_set(f->v[0].reason);
    return f->v[0].code;
  }
  return ORR_FAIL(f->v[0].code,
                  "%" PRId64 " of %" PRId64 " recordings cannot be imported; mend them%s; the "
                  "first one: %.1800s",
                  f->n, f->n + p->count + p->too_short,
                  all ? "" : ", or leave them out with --skip-bad", f->v[0].reason);
}

static orr_code make(looking *l) {
  data_import_plan *p = l->p;
  ORR_TRY(look_at_all(l));
  if (p->board && p->faults.n) return ORR_OK; // a rehearsal
  ORR_TRY(judge_faults(p));
  ORR_CHECK(p->count, ORR_EINVAL,
            "all %" PRId64 " episodes are shorter than %" PRId64
            " frames, as they would be written; lower --min-frames",
            p->episodes.n, p->o->min_frames);
  ORR_TRY(check_rates(l));
  set_pixels(l);
  ORR_TRY(set_ranges(l));
  ORR_TRY(set_format(l));
  ORR_TRY(hash_options(l));
  ORR_TRY(data_import_split(p));
  return data_import_cut(p);
}

static orr_code plan(data_import_plan *p) {
  looking l = {.p = p,
               .first = -1,
               .slowest = -1,
               .fastest = -1,
               .pixel_low = INFINITY,
               .pixel_high = -INFINITY,
               .hash = orr_hash_stream_create()};
  orr_code rc = l.hash ? make(&l) : ORR_FAIL(ORR_ENOMEM, "out of memory for a checksum");
  orr_hash_stream_destroy(l.hash);
  orr_free(l.found);
  orr_free(l.names);
  return rc;
}

orr_code data_import_plan_make(const data_import_options *o, const data_import_faults *crashed,
                               data_import_plan *out) {
  *out = (data_import_plan){.o = o, .crashed = crashed};
  orr_code rc = plan(out);
  if (rc != ORR_OK) data_import_plan_release(out);
  return rc;
}

orr_code data_import_plan_rehearse(const data_import_options *o, const data_import_faults *crashed,
                                   data_board *board) {
  data_import_plan p = {.o = o, .crashed = crashed, .board = board};
  orr_code rc = plan(&p);
  data_import_plan_release(&p);
  return rc;
}

void data_import_plan_release(data_import_plan *p) {
  data_import_list_release(&p->episodes);
  data_import_faults_release(&p->faults);
  data_import_referred_release(&p->referred);
  orr_free(p->ranges);
  orr_free(p->format);
  orr_free(p->jobs);
  orr_free(p->items);
  *p = (data_import_plan){0};
}

static orr_code fill(const data_import_plan *p, const data_import_item *item,
                     const data_import_actions *a, data_import_output *out) {
  const data_import_episode *e = &p->episodes.v[item->episode];
  const data_shard_format *f = p->format;
  const int64_t A = f->A, n = item->timing.frames;
  ORR_CHECK(a->A == A && (a->reward || !f->reward) && (a->done || !f->done) &&
                (a->success >= 0 || !f->success),
            ORR_EFORMAT, "%s: has changed since the import began; start it again", e->file);
  out->actions = orr_malloc((size_t)(n * A) * sizeof *out->actions);
  if (f->reward) out->reward = orr_malloc((size_t)n * sizeof *out->reward);
  if (f->done) out->done = orr_malloc((size_t)n * sizeof *out->done);
  ORR_CHECK(out->actions && (out->reward || !f->reward) && (out->done || !f->done), ORR_ENOMEM,
            "%s: out of memory for its actions", e->name);
  out->success = a->success > 0;
  ORR_TRY(data_import_align(p->o, e, &item->timing, a, out->actions));
  for (int64_t i = 0; p->ranges && i < n * A; i++) {
    const double *r = p->ranges[i % A];
    out->actions[i] = r[1] > r[0] ? (float)(2 * (out->actions[i] - r[0]) / (r[1] - r[0]) - 1) : 0;
  }
  return data_import_align_outcome(p->o, e, &item->timing, a, out->reward, out->done);
}

orr_code data_import_plan_rows(const data_import_plan *p, const data_import_item *item,
                               data_import_output *out) {
  data_import_actions a = {0};
  *out = (data_import_output){NULL};
  ORR_TRY(data_import_actions_read(p->o, &p->episodes.v[item->episode], &a));
  orr_code rc = fill(p, item, &a, out);
  data_import_actions_release(&a);
  return rc;
}

void data_import_output_release(data_import_output *out) {
  orr_free(out->done);
  orr_free(out->reward);
  orr_free(out->actions);
  *out = (data_import_output){NULL};
}

orr_code data_import_plan_dir(const data_import_plan *p, bool validation, char *out, size_t size) {
  if (p->o->validation <= 0) return orr_fs_join(out, size, p->o->dir, "");
  return orr_fs_join(out, size, p->o->dir, validation ? "validation" : "train");
}
