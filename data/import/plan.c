#include "data/import/plan.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/hash.h"
#include "base/mem.h"
#include "data/import/copies.h"
#include "data/import/look.h"
#include "data/import/parts.h"
#include "data/import/sources.h"
#include "data/shard/format.h"

#define NAMES_MAX 10000000 // comparisons of names, so that a word about them costs no time

// -- what all have in common ----------------------------------------------------------------

// What an earlier import into the same folder decided; NULL where there was none.
static const json_t *earlier(const data_import_plan *p, const char *key) {
  const data_index *x = p->folder ? data_import_folder_index(p->folder) : NULL;
  return x ? json_object_get(json_object_get(x->json, "import"), key) : NULL;
}

static double pair_value(const json_t *pair, size_t i) {
  return json_number_value(json_array_get(pair, i));
}

// What is black and white in pictures of numbers, the same for all of them: 0 and 1 where nothing
// is above 1, else 0 and 255.
static void set_pixels(data_import_looking *l) {
  data_import_plan *p = l->p;
  const data_import_options *o = p->o;
  const json_t *before = earlier(p, "pixel_range");
  const bool given = o->pixel_high > o->pixel_low;
  p->numbers = l->pixel_high >= l->pixel_low;
  p->pixel_low = given ? o->pixel_low : before ? pair_value(before, 0) : 0;
  p->pixel_high = given                    ? o->pixel_high
                  : before                 ? pair_value(before, 1)
                  : l->pixel_high <= 1.001 ? 1
                                           : 255;
  for (int64_t i = 0; i < p->episodes.n; i++) {
    p->episodes.v[i].pixel_low = p->pixel_low;
    p->episodes.v[i].pixel_high = p->pixel_high;
  }
}

// The ranges of a folder stay, so that equal actions stay equal.
static void keep_ranges(data_import_looking *l, const json_t *before) {
  data_import_plan *p = l->p;
  for (int64_t i = 0; i < l->f.A; i++) {
    const json_t *pair = json_array_get(before, (size_t)i);
    for (int k = 0; k < 2; k++) p->ranges[i][k] = pair_value(pair, (size_t)k);
  }
}

static orr_code fill_ranges(data_import_looking *l) {
  data_import_plan *p = l->p;
  const data_import_options *o = p->o;
  ORR_CHECK(o->range_count <= 1 || o->range_count == l->f.A, ORR_EINVAL,
            "--action-range has %" PRId64 " ranges for %" PRId64
            " components; give one, or one a component",
            o->range_count, l->f.A);
  if (o->range_auto) return data_import_ranges_find(l->values, p->ranges);
  for (int64_t i = 0; i < l->f.A; i++) {
    const double *given = o->range_count == 1 ? o->ranges[0] : o->ranges[i];
    const double *found = l->values->extreme[i];
    memcpy(p->ranges[i], given, sizeof p->ranges[i]);
    ORR_CHECK(found[0] >= given[0] && found[1] <= given[1], ORR_EINVAL,
              "action component %" PRId64 " goes from %g to %g, beyond its --action-range %g:%g; "
              "widen it",
              i, found[0], found[1], given[0], given[1]);
  }
  return ORR_OK;
}

static orr_code set_ranges(data_import_looking *l) {
  data_import_plan *p = l->p;
  const json_t *before = earlier(p, "ranges");
  const bool asked = p->o->range_auto || p->o->range_count;
  const bool more = p->folder && data_import_folder_index(p->folder);
  if (!l->f.A || (!asked && !before)) return ORR_OK;
  ORR_CHECK(!more || before, ORR_EINVAL,
            "%s: its actions were imported as they are; import without --action-range, or into "
            "another folder",
            p->o->dir);
  p->ranges = orr_malloc((size_t)l->f.A * sizeof *p->ranges);
  ORR_CHECK(p->ranges, ORR_ENOMEM, "out of memory for %" PRId64 " ranges", l->f.A);
  if (!before) return fill_ranges(l);
  keep_ranges(l, before);
  return ORR_OK;
}

// What came of the actions is written where all recordings say it, and where the folder has it.
static orr_code set_outcome(const data_import_looking *l, data_shard_format *f) {
  const data_index *x = l->p->folder ? data_import_folder_index(l->p->folder) : NULL;
  const struct {
    const char *words;
    int64_t have;
    bool before, *out;
  } outcomes[] = {{"a reward", l->reward, x && x->format.reward, &f->reward},
                  {"marks of ends", l->done, x && x->format.done, &f->done},
                  {"success", l->success, x && x->format.success, &f->success}};
  const int64_t n = l->p->count;
  for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++) {
    const int64_t have = outcomes[i].have;
    *outcomes[i].out = have == n && (!x || outcomes[i].before);
    ORR_CHECK(!outcomes[i].before || have == n, ORR_EINVAL,
              "%" PRId64 " of %" PRId64 " recordings have %s, but all in %s have it; import into "
              "another folder",
              have, n, outcomes[i].words, l->p->o->dir);
    if (have > 0 && have < n)
      data_import_tell(l->p->o, l->p->board,
                       "%" PRId64 " of %" PRId64 " recordings have %s, the others none, so it is "
                       "left out",
                       have, n, outcomes[i].words);
  }
  return ORR_OK;
}

// Names by the user, else by the source, else numbers.
static orr_code set_format(data_import_looking *l) {
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
  ORR_TRY_GOTO(set_outcome(l, &f), done);
  ORR_TRY_GOTO(data_shard_format_check(&f, "import"), done);
  const data_index *x = l->p->folder ? data_import_folder_index(l->p->folder) : NULL;
  if (x)
    ORR_TRY_GOTO(data_shard_format_equal(&x->format, l->p->o->dir, &f, "the new recordings"), done);
  rc = data_shard_format_copy(&f, &l->p->format);
done:
  orr_free(names);
  orr_free(text);
  return rc;
}

// What decides what becomes of a recording, whichever others there are.
static uint64_t hash_options(const data_import_options *o) {
  const int64_t numbers[] = {o->tile_rows,   o->tile_cols,    o->height,  o->width,
                             o->crop_centre, o->crop[0],      o->crop[1], o->crop[2],
                             o->crop[3],     o->channels,     o->rotate,  o->flip_h,
                             o->flip_v,      o->action_shift, o->align};
  const double reals[] = {o->fps, o->pixel_low, o->pixel_high};
  uint64_t h = orr_hash64(numbers, sizeof numbers, 0);
  h = orr_hash64(reals, sizeof reals, h);
  for (int64_t i = 0; i < o->cameras.n; i++)
    h = orr_hash64(o->cameras.v[i], strlen(o->cameras.v[i]), h);
  return h;
}

// Tells this import from any other: its recordings in their order, and how they are written.
static orr_code make_key(data_import_plan *p) {
  const data_import_options *o = p->o;
  const data_shard_format *f = p->format;
  orr_hash_stream *h = orr_hash_stream_create();
  ORR_CHECK(h, ORR_ENOMEM, "out of memory for a checksum");
  const int64_t numbers[] = {f->height,        f->width,         f->A,    f->reward,
                             f->done,          f->success,       o->gzip, o->shard_frames,
                             (int64_t)o->seed, p->ranges != NULL};
  const double reals[] = {f->fps,       o->validation, o->validation_gap, (double)o->validation_by,
                          p->pixel_low, p->pixel_high};
  orr_hash_stream_update(h, numbers, sizeof numbers);
  orr_hash_stream_update(h, reals, sizeof reals);
  orr_hash_stream_update(h, f->branch, strlen(f->branch) + 1);
  orr_hash_stream_update(h, f->source, strlen(f->source) + 1);
  for (int64_t i = 0; i < f->A; i++)
    orr_hash_stream_update(h, f->action_names[i], strlen(f->action_names[i]) + 1);
  if (p->ranges) orr_hash_stream_update(h, p->ranges, (size_t)f->A * sizeof *p->ranges);
  for (int64_t i = 0; i < p->count; i++) {
    orr_hash_stream_update(h, &p->items[i].key, sizeof p->items[i].key);
    orr_hash_stream_update(h, &p->items[i].made, sizeof p->items[i].made);
  }
  p->key = orr_hash_stream_digest(h);
  orr_hash_stream_destroy(h);
  return ORR_OK;
}

// -- what is there already ------------------------------------------------------------------

// Another recording of the same name is no fault: every day may have its episode_0.
static void note_name(data_import_plan *p, const data_import_item *item) {
  char label[4400];
  const data_import_folder *f = p->folder;
  data_import_plan_label(p, item->episode, label, sizeof label);
  for (int64_t i = 0; i < f->known_count && f->known_count * p->count < NAMES_MAX; i++)
    if (strcmp(f->known[i].name, label) == 0)
      data_import_note(&p->notes, DATA_NOTE_OTHER,
                       "%s: another recording of this name is in %s already; both are kept", label,
                       p->o->dir);
}

// One that an earlier import took under another name.
static const data_import_known *find_copy(data_import_plan *p, const data_import_item *item) {
  const data_import_episode *e = &p->episodes.v[item->episode];
  int64_t n;
  const data_import_known *alike = data_import_folder_alike(p->folder, item->content, &n);
  const uint64_t files = n ? data_import_copies_files(e) : 0;
  for (int64_t i = 0; files && i < n; i++) {
    if (alike[i].files != files) continue;
    data_import_note(&p->notes, DATA_NOTE_COPY,
                     "%s: the same files as %s, which is in %s already; it is left out", e->name,
                     alike[i].name, p->o->dir);
    return &alike[i];
  }
  return NULL;
}

static orr_code drop_known(data_import_plan *p) {
  int64_t kept = 0;
  ORR_TRY(data_import_copies_mark(p));
  for (int64_t i = 0; i < p->count; i++) {
    const data_import_item *item = &p->items[i];
    const data_import_known *known =
        p->folder ? data_import_folder_find(p->folder, item->key) : NULL;
    ORR_CHECK(!known || known->made == item->made, ORR_EINVAL,
              "%s: is in %s already, imported with other options (such as --fps, --merge, "
              "--action-shift, --size, --crop); give the same, or another folder",
              p->episodes.v[item->episode].name, p->o->dir);
    if (!known && !item->copied && p->folder) known = find_copy(p, item);
    if (known && !item->copied) p->known++;
    if (known || item->copied) {
      p->frames -= item->frames;
      continue;
    }
    if (p->folder) note_name(p, item);
    p->items[kept++] = *item;
  }
  p->count = kept;
  return ORR_OK;
}
// -- all of it ------------------------------------------------------------------------------

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

static orr_code make(data_import_looking *l) {
  data_import_plan *p = l->p;
  ORR_TRY(data_import_look(l));
  if (p->board && p->faults.n) return ORR_OK; // a rehearsal
  ORR_TRY(judge_faults(p));
  ORR_CHECK(p->count, ORR_EINVAL,
            "all %" PRId64 " episodes are shorter than %" PRId64
            " frames, as they would be written; lower --min-frames",
            p->episodes.n, p->o->min_frames);
  ORR_TRY(data_import_look_rates(l));
  set_pixels(l);
  ORR_TRY(set_ranges(l));
  ORR_TRY(set_format(l));
  data_import_ranges_note(l->values, p->ranges, p->format->action_names, &p->notes);
  ORR_TRY(drop_known(p));
  ORR_TRY(make_key(p));
  if (!p->count) return ORR_OK;
  ORR_TRY(data_import_split(p));
  return data_import_cut(p);
}

static orr_code plan(data_import_plan *p) {
  data_import_values values = {0};
  data_import_looking l = {.p = p,
                           .values = &values,
                           .options = hash_options(p->o),
                           .first = -1,
                           .slowest = -1,
                           .fastest = -1,
                           .pixel_low = INFINITY,
                           .pixel_high = -INFINITY};
  orr_code rc = make(&l);
  data_import_values_release(&values);
  orr_free(l.names);
  return rc;
}

orr_code data_import_plan_make(const data_import_options *o, const data_import_faults *crashed,
                               const data_import_folder *folder, data_import_plan *out) {
  *out = (data_import_plan){.o = o, .crashed = crashed, .folder = folder};
  orr_code rc = plan(out);
  if (rc != ORR_OK) data_import_plan_release(out);
  return rc;
}

orr_code data_import_plan_rehearse(const data_import_options *o, const data_import_faults *crashed,
                                   orr_board *board) {
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
    double v = r[1] > r[0] ? 2 * ((double)out->actions[i] - r[0]) / (r[1] - r[0]) - 1 : 0;
    out->actions[i] = (float)fmin(fmax(v, -1), 1);
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

void data_import_plan_label(const data_import_plan *p, int64_t episode, char *out, size_t size) {
  const data_import_episode *e = &p->episodes.v[episode];
  const size_t path = strlen(e->file), name = strcspn(e->name, ":");
  size_t end = path >= name && strncmp(e->file + path - name, e->name, name) == 0 ? path - name : 0;
  while (end > 0 && e->file[end - 1] == '/') end--;
  size_t begin = end;
  while (begin > 0 && e->file[begin - 1] != '/') begin--;
  const bool dots = end - begin <= 2 && strspn(e->file + begin, ".") >= end - begin;
  if (end > begin && !dots)
    snprintf(out, size, "%.*s/%s", (int)(end - begin), e->file + begin, e->name);
  else
    snprintf(out, size, "%s", e->name);
}

orr_code data_import_plan_dir(const data_import_plan *p, bool validation, char *out, size_t size) {
  if (p->o->validation <= 0) return orr_fs_join(out, size, p->o->dir, "");
  return orr_fs_join(out, size, p->o->dir, validation ? "validation" : "train");
}
