// Jobs are whole shards, each a function of the plan alone, so it does not matter who writes which
// or when. While an import is unfinished its folder holds import.json with the plan's key; a later
// call with the same key goes on from the shards that are there. The indexes are written last.
#include "data/import/import.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/workers.h"
#include "data/import/folder.h"
#include "data/import/plan.h"
#include "data/import/recorded.h"
#include "data/import/sources.h"
#include "data/import/write.h"

// -- looking --------------------------------------------------------------------------------

// What a worker process rehearses.
typedef struct {
  const data_import_options *o;
  data_import_faults crashed;
} rehearsal;

static orr_code look(void *ctx, orr_board *board) {
  const rehearsal *r = ctx;
  if (orr_board_take(board) < 0) return ORR_OK;
  return data_import_plan_rehearse(r->o, &r->crashed, board);
}

static void report_looked(void *ctx, int64_t episodes) {
  const rehearsal *r = ctx;
  if (r->o->looked) r->o->looked(r->o->ctx, episodes);
}

// Takes the file that the worker was reading into the list of those that are not opened again.
static orr_code note_crash(rehearsal *r, const orr_worker_crash *crash, orr_code rc) {
  char reason[ORR_STATUS_MESSAGE_MAX];
  const char *path = data_import_reading(crash->doing);
  if (!path || data_import_faults_find(&r->crashed, path)) return rc;
  orr_status_copy(reason, sizeof reason);
  return data_import_faults_add(&r->crashed, path, path, reason, rc);
}

// Makes the plan, after a worker process did the same: HDF5 is known to crash on damaged files or
// to read them for ever, and then it is the worker that ends, again and again until all such files
// are known. What the worker read lies in the system's memory.
static orr_code make_plan(const data_import_options *o, const data_import_folder *folder,
                          data_import_plan *p) {
  rehearsal r = {.o = o};
  orr_code rc;
  do {
    orr_worker_crash crash = {.happened = false};
    orr_workers workers = {
        .count = 1, .jobs = 1, .work = look, .report = report_looked, .ctx = &r, .crash = &crash};
    rc = orr_workers_run(&workers);
    if (!crash.happened) break;
    rc = note_crash(&r, &crash, rc);
  } while (rc == ORR_OK);
  if (rc == ORR_OK) rc = data_import_plan_make(o, &r.crashed, folder, p);
  data_import_faults_release(&r.crashed);
  if (rc == ORR_OK) p->crashed = NULL;
  return rc;
}

// -- writing --------------------------------------------------------------------------------

// Whether a part has episodes, earlier ones or new ones.
static bool has_any(const data_import_folder *f, const data_import_plan *p,
                    const data_import_verdicts *v, bool validation) {
  bool any = f->parts[validation].recordings > 0;
  for (int64_t i = 0; !any && i < p->count; i++)
    any = p->items[i].validation == validation && !data_import_verdicts_bad(v, i);
  return any;
}

static orr_code finish(data_import_folder *f, const data_import_plan *p,
                       const data_import_verdicts *v) {
  for (int validation = 1; validation >= 0; validation--)
    if (has_any(f, p, v, validation)) ORR_TRY(data_import_recorded_write(f, p, v, validation));
  ORR_TRY(data_import_write_forget(p));
  return data_import_folder_end(f);
}

// -- all of it ------------------------------------------------------------------------------

static orr_code check_options(const data_import_options *o) {
  ORR_CHECK(o->inputs.n >= 1, ORR_EINVAL, "import: no file and no folder given");
  ORR_CHECK(o->processes >= 1 && o->shard_frames >= 0 && o->min_frames >= 1, ORR_EINVAL,
            "import: %d processes, %" PRId64 " frames a shard, %" PRId64 " an episode at least",
            o->processes, o->shard_frames, o->min_frames);
  ORR_CHECK(!o->height == !o->width && (!o->crop_centre || o->height), ORR_EINVAL,
            "import: --crop centre cuts to the proportions of --size, which is missing");
  for (int i = 0; o->format; i++) {
    const char *name = data_import_format_name(i);
    ORR_CHECK(name, ORR_EINVAL, "import: no format %s", o->format);
    if (strcmp(name, o->format) == 0) break;
  }
  return ORR_OK;
}

// Bad recordings that came out while they were written.
static orr_code judge_verdicts(const data_import_plan *p, const data_import_verdicts *v) {
  const data_import_options *o = p->o;
  int64_t bad = data_import_verdicts_count(v, 0, p->count), first = -1;
  char label[4400];
  if (!bad) return ORR_OK;
  for (int64_t i = p->count - 1; i >= 0; i--)
    if (data_import_verdicts_bad(v, i)) first = i;
  for (int64_t i = first; o->bad && (bad > 1 || o->skip_bad) && i < p->count; i++) {
    if (!data_import_verdicts_bad(v, i)) continue;
    data_import_plan_label(p, p->items[i].episode, label, sizeof label);
    o->bad(o->ctx, label, v->v[i].reason);
  }
  if (o->skip_bad && bad < p->count) return ORR_OK;
  const orr_code code = (orr_code)atomic_load(&v->v[first].code);
  if (bad > 1)
    return ORR_FAIL(code,
                    "%" PRId64 " of %" PRId64 " recordings cannot be imported; mend them%s; the "
                    "first one: %s",
                    bad, p->count, bad < p->count ? ", or leave them out with --skip-bad" : "",
                    v->v[first].reason);
  orr_status_set(v->v[first].reason);
  return code;
}

static orr_code write_all(data_import_folder *f, const data_import_plan *p,
                          data_import_verdicts *v) {
  ORR_TRY(data_import_folder_begin(f, orr_hash_to_hex(p->key).s));
  ORR_TRY(data_import_write(p, v));
  ORR_TRY(judge_verdicts(p, v));
  return finish(f, p, v);
}

// Frames of a part before this import: of the shards that were there.
static int64_t frames_before(const data_import_part *part) {
  int64_t frames = 0, number = 0;
  for (int64_t i = 0; i < part->index->count; i++)
    if (sscanf(part->index->shards[i].file, "shard-%9" SCNd64, &number) == 1 && number < part->next)
      frames += part->index->shards[i].frames;
  return frames;
}

static void fill_report(const data_import_folder *f, const data_import_plan *p,
                        const data_import_verdicts *v, data_import_report *report) {
  const data_shard_format *format = p->format;
  report->format = p->episodes.v[0].format->name;
  report->bad = p->faults.n + data_import_verdicts_count(v, 0, p->count);
  report->too_short = p->too_short;
  report->height = format->height;
  report->width = format->width;
  report->A = format->A;
  report->fps = format->fps;
  for (int64_t i = 0; i < p->count; i++) {
    if (data_import_verdicts_bad(v, i)) continue;
    report->added++;
    report->frames += p->items[i].frames;
    report->validation_episodes += p->items[i].validation;
  }
  report->episodes = report->added;
  for (int i = 0; i < 2; i++) {
    const data_import_part *part = &f->parts[i];
    if (!part->recordings) continue;
    report->episodes += part->recordings;
    if (i) report->validation_episodes += part->recordings;
    report->frames += frames_before(part);
  }
}

static orr_code import(const data_import_options *o, data_import_folder *f,
                       data_import_report *report) {
  data_import_plan p;
  data_import_verdicts v = {.v = NULL};
  ORR_TRY(make_plan(o, f, &p));
  data_import_notes_tell(&p.notes, o);
  orr_code rc = data_import_verdicts_create(p.count, &v);
  report->finished_before = p.count == 0;
  if (rc == ORR_OK && p.count) rc = write_all(f, &p, &v);
  if (rc == ORR_OK) fill_report(f, &p, &v, report);
  data_import_verdicts_destroy(&v);
  data_import_plan_release(&p);
  return rc;
}

orr_code data_import(const data_import_options *o, data_import_report *report) {
  data_import_folder f;
  *report = (data_import_report){0};
  ORR_TRY(check_options(o));
  orr_code rc = data_import_folder_open(o, &f);
  if (rc == ORR_OK) rc = import(o, &f, report);
  data_import_folder_close(&f);
  return rc;
}
