#include "data/import/write.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "data/import/frame.h"
#include "data/import/sources.h"
#include "data/set/index.h"
#include "data/shard/writer.h"

#define IMPORTING "importing " // begins a worker's note
#define SKIPPED   ".skipped"   // after a shard's path: the recordings that it was written without

typedef struct {
  const data_import_plan *p;
  data_import_verdicts *verdicts;
} writing;

// -- one recording --------------------------------------------------------------------------

// An episode on its way into a shard; w NULL: it is only read, to see whether it can be.
typedef struct {
  const data_import_plan *p;
  const data_import_item *item;
  data_import_framer *framer;
  data_import_output rows;
  data_shard_writer *w;
  orr_board *board;
  uint8_t *frame;
  bool reading;    // what fails is the recording
  int64_t counted; // frames added to the progress
} transfer;

static orr_code put_frame(transfer *t, int64_t k) {
  const data_shard_format *f = t->p->format;
  orr_board_allow(t->board, data_import_patience(t->p->o));
  t->reading = true;
  ORR_TRY(data_import_framer_read(t->framer, data_import_frame(&t->item->timing, k), t->frame));
  t->reading = false;
  atomic_fetch_add(&t->board->progress, 1);
  t->counted++;
  const data_shard_rows row = {.n = 1,
                               .frames = t->frame,
                               .actions = t->rows.actions + k * f->A,
                               .reward = t->rows.reward ? t->rows.reward + k : NULL,
                               .done = t->rows.done ? t->rows.done + k : NULL};
  return t->w ? data_shard_writer_append(t->w, &row) : ORR_OK;
}

static orr_code put_episode(transfer *t) {
  const data_import_plan *p = t->p;
  const data_shard_format *f = p->format;
  const data_import_episode *e = &p->episodes.v[t->item->episode];
  t->reading = true;
  ORR_TRY(data_import_plan_rows(p, t->item, &t->rows));
  ORR_TRY(data_import_framer_open(p->o, e, t->item->timing.first, &t->framer));
  t->reading = false;
  t->frame = orr_malloc((size_t)(f->height * f->width * 3));
  ORR_CHECK(t->frame, ORR_ENOMEM, "out of memory for a frame of %" PRId64 " x %" PRId64, f->height,
            f->width);
  for (int64_t k = t->item->from; k < t->item->from + t->item->frames; k++) {
    if (atomic_load(&t->board->stop)) return ORR_ESTOPPED;
    ORR_TRY(put_frame(t, k));
  }
  if (t->w && f->success) ORR_TRY(data_shard_writer_set_success(t->w, t->rows.success));
  return t->w ? data_shard_writer_end_episode(t->w) : ORR_OK;
}

// *bad: the recording is to blame, not the disk or the memory. *counted grows by the frames that
// were added to the progress.
static orr_code write_episode(const writing *w, int64_t item, data_shard_writer *out,
                              orr_board *board, bool *bad, int64_t *counted) {
  transfer t = {.p = w->p, .item = &w->p->items[item], .w = out, .board = board};
  char doing[ORR_NOTE_MAX];
  snprintf(doing, sizeof doing, IMPORTING "%s", w->p->episodes.v[t.item->episode].name);
  orr_board_note(board, doing);
  orr_board_allow(board, data_import_patience(w->p->o));
  orr_code rc = put_episode(&t);
  *bad = rc != ORR_OK && rc != ORR_ENOMEM && rc != ORR_ESTOPPED && t.reading;
  *counted += t.counted;
  orr_free(t.frame);
  data_import_framer_close(t.framer);
  data_import_output_release(&t.rows);
  return rc;
}

// -- one shard ------------------------------------------------------------------------------

static orr_code shard_path(const data_import_plan *p, const data_import_job *job, orr_path out) {
  orr_path dir;
  ORR_TRY(data_import_plan_dir(p, job->validation, dir, sizeof dir));
  return data_shard_name_in(dir, job->number, out, ORR_PATH_MAX);
}

static orr_code skipped_path(const data_import_plan *p, const data_import_job *job, orr_path out) {
  ORR_TRY(shard_path(p, job, out));
  const size_t n = strlen(out);
  ORR_CHECK(n + sizeof SKIPPED <= ORR_PATH_MAX, ORR_EINVAL, "%s: a path too long", out);
  memcpy(out + n, SKIPPED, sizeof SKIPPED);
  return ORR_OK;
}

// Whether an earlier call has written the shard, or found that it has nothing to hold.
static orr_code was_written(const writing *w, const data_import_job *job, orr_board *board,
                            bool *written) {
  orr_path path, skipped;
  bool some = false;
  ORR_TRY(shard_path(w->p, job, path));
  ORR_TRY(skipped_path(w->p, job, skipped));
  ORR_TRY(data_import_verdicts_load(w->verdicts, job->first, job->n, skipped, &some));
  *written = orr_fs_exists(path) ||
             (some && data_import_verdicts_count(w->verdicts, job->first, job->n) == job->n);
  for (int64_t i = job->first; *written && i < job->first + job->n; i++)
    atomic_fetch_add(&board->progress, w->p->items[i].frames);
  return ORR_OK;
}

// Writes what is not known to be bad. *again: another recording turned out to be.
static orr_code try_shard(const writing *w, const data_import_job *job, orr_board *board,
                          bool *again) {
  const data_import_options *o = w->p->o;
  orr_path path, skipped;
  data_shard_writer *out = NULL;
  int64_t counted = 0;
  bool bad = false;
  orr_code rc = ORR_OK;
  *again = false;
  ORR_TRY(shard_path(w->p, job, path));
  ORR_TRY(skipped_path(w->p, job, skipped));
  ORR_TRY(data_shard_writer_create(path, w->p->format,
                                   o->gzip ? DATA_FILTER_GZIP : DATA_FILTER_NONE, &out));
  for (int64_t i = job->first; i < job->first + job->n; i++) {
    if (data_import_verdicts_bad(w->verdicts, i)) continue;
    rc = write_episode(w, i, *again ? NULL : out, board, &bad, &counted);
    if (rc != ORR_OK && !bad) goto destroy;
    if (rc == ORR_OK) continue;
    data_import_verdicts_take(w->verdicts, i, rc);
    rc = ORR_OK;
    *again = true; // those that follow are read all the same, so that all bad ones are known
  }
  if (*again) {
    atomic_fetch_sub(&board->progress, counted);
    goto destroy;
  }
  ORR_TRY_GOTO(data_import_verdicts_store(w->verdicts, job->first, job->n, skipped), destroy);
  if (data_import_verdicts_count(w->verdicts, job->first, job->n) < job->n)
    rc = data_shard_writer_finish(out);
destroy:
  data_shard_writer_destroy(out);
  return rc;
}

static orr_code write_shard(const writing *w, const data_import_job *job, orr_board *board) {
  bool written = false, again = true;
  ORR_TRY(was_written(w, job, board, &written));
  if (written) return ORR_OK;
  while (again) {
    orr_code rc = try_shard(w, job, board, &again);
    if (rc == ORR_ESTOPPED) return ORR_OK; // somebody else failed
    ORR_TRY(rc);
    if (again && !w->p->o->skip_bad) return ORR_OK; // it is not written
  }
  return ORR_OK;
}

// -- all of them ----------------------------------------------------------------------------

static orr_code work(void *ctx, orr_board *board) {
  const writing *w = ctx;
  for (int64_t job; (job = orr_board_take(board)) >= 0;)
    ORR_TRY(write_shard(w, &w->p->jobs[job], board));
  return ORR_OK;
}

static void report(void *ctx, int64_t frames) {
  const data_import_plan *p = ((const writing *)ctx)->p;
  if (p->o->written) p->o->written(p->o->ctx, frames, p->frames);
}

// The recording at which a process was ended becomes a bad one; false where that is not known.
static bool note_crash(writing *w, const orr_worker_crash *crash, orr_code rc) {
  const size_t n = strlen(IMPORTING);
  if (!crash->happened || !w->p->o->skip_bad || strncmp(crash->doing, IMPORTING, n) != 0)
    return false;
  for (int64_t i = 0; i < w->p->count; i++) {
    if (strcmp(w->p->episodes.v[w->p->items[i].episode].name, crash->doing + n) != 0 ||
        data_import_verdicts_bad(w->verdicts, i))
      continue;
    data_import_verdicts_take(w->verdicts, i, rc);
    return true;
  }
  return false;
}

orr_code data_import_write(const data_import_plan *p, data_import_verdicts *verdicts) {
  writing w = {p, verdicts};
  for (;;) {
    orr_worker_crash crash = {.happened = false};
    const orr_workers workers = {.count = p->o->processes < p->job_count ? p->o->processes
                                                                         : (int)p->job_count,
                                 .jobs = p->job_count,
                                 .work = work,
                                 .report = report,
                                 .ctx = &w,
                                 .crash = &crash};
    orr_code rc = orr_workers_run(&workers);
    if (rc == ORR_OK || !note_crash(&w, &crash, rc)) return rc;
  }
}

orr_code data_import_write_forget(const data_import_plan *p) {
  orr_path path;
  for (int64_t i = 0; i < p->job_count; i++) {
    ORR_TRY(skipped_path(p, &p->jobs[i], path));
    ORR_TRY(orr_fs_remove_tree(path));
  }
  return ORR_OK;
}
