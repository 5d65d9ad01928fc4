// Jobs are whole shards, each a function of the plan alone, so it does not matter who writes which
// or when. While an import is unfinished its folder holds import.json with the plan's key; a later
// call with the same key goes on from the shards that are there. The indexes are written last.
#include "data/import/import.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "data/import/frame.h"
#include "data/import/hdf5.h"
#include "data/import/plan.h"
#include "data/import/sources.h"
#include "data/import/video.h"
#include "data/set/index.h"
#include "data/shard/writer.h"
#include "base/workers.h"

#define MARK "import.json"

// -- writing --------------------------------------------------------------------------------

static orr_code write_frames(const data_import_plan *p, const data_import_item *item,
                             data_import_framer *framer, const data_import_output *rows,
                             data_shard_writer *w, data_board *board) {
  const data_shard_format *f = p->format;
  orr_code rc = ORR_OK;
  uint8_t *frame = orr_malloc((size_t)(f->height * f->width * 3));
  ORR_CHECK(frame, ORR_ENOMEM, "out of memory for a frame of %" PRId64 " x %" PRId64, f->height,
            f->width);
  for (int64_t k = 0; k < item->timing.frames && !atomic_load(&board->stop); k++) {
    data_board_allow(board, data_import_patience(p->o));
    ORR_TRY_GOTO(data_import_framer_read(framer, data_import_frame(&item->timing, k), frame), done);
    const data_shard_rows row = {.n = 1,
                                 .frames = frame,
                                 .actions = rows->actions + k * f->A,
                                 .reward = rows->reward ? rows->reward + k : NULL,
                                 .done = rows->done ? rows->done + k : NULL};
    ORR_TRY_GOTO(data_shard_writer_append(w, &row), done);
    atomic_fetch_add(&board->progress, 1);
  }
done:
  orr_free(frame);
  return rc;
}

static orr_code write_episode(const data_import_plan *p, const data_import_item *item,
                              data_shard_writer *w, data_board *board) {
  const data_import_episode *e = &p->episodes.v[item->episode];
  data_import_framer *framer = NULL;
  data_import_output rows;
  char doing[DATA_NOTE_MAX];
  snprintf(doing, sizeof doing, "importing %s", e->name);
  data_board_note(board, doing);
  data_board_allow(board, data_import_patience(p->o));
  orr_code rc = data_import_plan_rows(p, item, &rows);
  if (rc == ORR_OK) rc = data_import_framer_open(p->o, e, item->timing.first, &framer);
  if (rc == ORR_OK) rc = write_frames(p, item, framer, &rows, w, board);
  if (rc == ORR_OK && p->format->success) rc = data_shard_writer_set_success(w, rows.success);
  if (rc == ORR_OK && !atomic_load(&board->stop)) rc = data_shard_writer_end_episode(w);
  data_import_framer_close(framer);
  data_import_output_release(&rows);
  return rc;
}

static orr_code shard_path(const data_import_plan *p, const data_import_job *job,
                           char out[ORR_PATH_MAX]) {
  orr_path dir;
  ORR_TRY(data_import_plan_dir(p, job->validation, dir, sizeof dir));
  return data_shard_name_in(dir, job->number, out, ORR_PATH_MAX);
}

static orr_code write_shard(const data_import_plan *p, const data_import_job *job,
                            data_board *board) {
  orr_path path;
  data_shard_writer *w = NULL;
  orr_code rc = ORR_OK;
  ORR_TRY(shard_path(p, job, path));
  if (orr_fs_exists(path)) { // by an earlier call
    for (int64_t i = job->first; i < job->first + job->n; i++)
      atomic_fetch_add(&board->progress, p->items[i].timing.frames);
    return ORR_OK;
  }
  ORR_TRY(data_shard_writer_create(path, p->format,
                                   p->o->gzip ? DATA_FILTER_GZIP : DATA_FILTER_NONE, &w));
  for (int64_t i = job->first; i < job->first + job->n && !atomic_load(&board->stop); i++)
    ORR_TRY_GOTO(write_episode(p, &p->items[i], w, board), destroy);
  if (!atomic_load(&board->stop)) rc = data_shard_writer_finish(w);
destroy:
  data_shard_writer_destroy(w);
  return rc;
}

static orr_code work(void *ctx, data_board *board) {
  const data_import_plan *p = ctx;
  for (int64_t job; (job = data_board_take(board)) >= 0;)
    ORR_TRY(write_shard(p, &p->jobs[job], board));
  return ORR_OK;
}

static void report_progress(void *ctx, int64_t frames) {
  const data_import_plan *p = ctx;
  if (p->o->written) p->o->written(p->o->ctx, frames, p->frames);
}

// -- looking --------------------------------------------------------------------------------

// What a worker process rehearses.
typedef struct {
  const data_import_options *o;
  data_import_faults crashed;
} rehearsal;

static orr_code look(void *ctx, data_board *board) {
  const rehearsal *r = ctx;
  if (data_board_take(board) < 0) return ORR_OK;
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
static orr_code make_plan(const data_import_options *o, data_import_plan *p) {
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
  if (rc == ORR_OK) rc = data_import_plan_make(o, &r.crashed, p);
  data_import_faults_release(&r.crashed);
  if (rc == ORR_OK) p->crashed = NULL;
  return rc;
}

// -- the folder -----------------------------------------------------------------------------

// The key in a JSON file of the folder, "" where there is none.
static orr_code read_key(const char *dir, const char *name, char key[40]) {
  orr_path path;
  json_t *j = NULL;
  key[0] = 0;
  ORR_TRY(orr_fs_join(path, sizeof path, dir, name));
  if (!orr_fs_exists(path)) return ORR_OK;
  ORR_TRY(orr_json_load(path, &j));
  const char *text = json_string_value(json_object_get(json_object_get(j, "import"), "key"));
  if (text) snprintf(key, 40, "%s", text);
  json_decref(j);
  return ORR_OK;
}

// Any clips there that this import did not write would become part of the data set.
static orr_code check_empty(const char *dir) {
  orr_code rc = ORR_OK;
  DIR *d = opendir(dir);
  ORR_CHECK(d, ORR_EIO, "%s: cannot list this folder: %s", dir, strerror(errno));
  for (const struct dirent *entry; (entry = readdir(d));)
    ORR_CHECK_GOTO(
        strncmp(entry->d_name, "shard-", 6) != 0 && strcmp(entry->d_name, "index.json") != 0,
        close_dir, ORR_EINVAL,
        "%s: already holds clips (%s) of another kind; choose another folder", dir, entry->d_name);
close_dir:
  closedir(d);
  return rc;
}

// What an index says about the import; `ranges` lets a program undo the mapping of the actions.
static json_t *describe(const data_import_plan *p) {
  const data_import_options *o = p->o;
  json_t *ranges = p->ranges ? json_array() : NULL;
  for (int64_t i = 0; ranges && i < p->format->A; i++)
    json_array_append_new(ranges, json_pack("[f,f]", p->ranges[i][0], p->ranges[i][1]));
  json_t *import =
      json_pack("{s:s, s:s, s:I, s:f, s:I, s:o*}", "key", orr_hash_to_hex(p->key).s, "format",
                p->episodes.v[0].format->name, "action_shift", (json_int_t)o->action_shift,
                "validation", o->validation, "seed", (json_int_t)o->seed, "ranges", ranges);
  return import ? json_pack("{s:o}", "import", import) : NULL;
}

static orr_code write_mark(const data_import_plan *p, const char *path) {
  json_t *j = describe(p);
  ORR_CHECK(j, ORR_ENOMEM, "%s: out of memory for it", path);
  orr_code rc = orr_json_store(path, j);
  json_decref(j);
  return rc;
}

// Finds out what earlier calls did. *finished: everything.
static orr_code open_folder(const data_import_plan *p, bool *finished) {
  char train[ORR_PATH_MAX], validation[ORR_PATH_MAX], mark[ORR_PATH_MAX], begun[40], done[40];
  orr_hash_hex key = orr_hash_to_hex(p->key);
  ORR_TRY(data_import_plan_dir(p, false, train, sizeof train));
  ORR_TRY(data_import_plan_dir(p, true, validation, sizeof validation));
  ORR_TRY(orr_fs_join(mark, sizeof mark, p->o->dir, MARK));
  ORR_TRY(orr_fs_mkdirs(train));
  ORR_TRY(orr_fs_mkdirs(validation));
  ORR_TRY(read_key(p->o->dir, MARK, begun));
  ORR_TRY(read_key(train, "index.json", done));
  *finished = !begun[0] && strcmp(done, key.s) == 0;
  if (*finished || strcmp(begun, key.s) == 0) return ORR_OK;
  ORR_CHECK(!begun[0], ORR_EINVAL,
            "%s: another import was begun here, of other recordings or with other options; give "
            "those again to go on, choose another folder, or remove this one",
            p->o->dir);
  ORR_TRY(check_empty(train));
  ORR_TRY(check_empty(validation));
  ORR_TRY(check_empty(p->o->dir));
  return write_mark(p, mark);
}

static orr_code write_indexes(const data_import_plan *p) {
  orr_path dir, mark;
  json_t *extra = describe(p);
  orr_code rc = ORR_OK;
  ORR_CHECK(extra, ORR_ENOMEM, "%s: out of memory for its index", p->o->dir);
  if (p->validation_count) {
    ORR_TRY_GOTO(data_import_plan_dir(p, true, dir, sizeof dir), done);
    ORR_TRY_GOTO(data_index_build(dir, extra), done);
  }
  ORR_TRY_GOTO(data_import_plan_dir(p, false, dir, sizeof dir), done);
  ORR_TRY_GOTO(data_index_build(dir, extra), done);
  ORR_TRY_GOTO(orr_fs_join(mark, sizeof mark, p->o->dir, MARK), done);
  ORR_TRY_GOTO(orr_fs_remove_tree(mark), done);
  rc = orr_fs_fsync_dir(p->o->dir);
done:
  json_decref(extra);
  return rc;
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

orr_code data_import(const data_import_options *o, data_import_report *report) {
  data_import_plan p;
  orr_code rc = ORR_OK;
  *report = (data_import_report){0};
  ORR_TRY(check_options(o));
  ORR_TRY(make_plan(o, &p));
  data_import_notes_tell(&p.notes, o);
  ORR_TRY_GOTO(open_folder(&p, &report->finished_before), release);
  if (!report->finished_before) {
    orr_workers workers = {.count = o->processes < p.job_count ? o->processes : (int)p.job_count,
                           .jobs = p.job_count,
                           .work = work,
                           .report = report_progress,
                           .ctx = &p};
    ORR_TRY_GOTO(orr_workers_run(&workers), release);
    ORR_TRY_GOTO(write_indexes(&p), release);
  }
  report->format = p.episodes.v[0].format->name;
  report->episodes = p.count;
  report->frames = p.frames;
  report->validation_episodes = p.validation_count;
  report->too_short = p.too_short;
  report->bad = p.faults.n;
  report->height = p.format->height;
  report->width = p.format->width;
  report->A = p.format->A;
  report->fps = p.format->fps;
release:
  data_import_plan_release(&p);
  return rc;
}
