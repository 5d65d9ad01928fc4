// Saving: a copy to the staging buffer on the caller's thread, then a background thread that
// writes, syncs and, on rank 0, commits. One thread serves a writer for its whole life, so that a
// save cannot fail for want of a thread. The mutex guards phase, outcome and message; everything
// else belongs to the caller while the writer is quiet and to the thread while it is busy.
#include "checkpoints/checkpoint.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/thread.h"
#include "checkpoints/direct.h"
#include "checkpoints/index.h"
#include "checkpoints/layout.h"
#include "checkpoints/manifest.h"
#include "checkpoints/root.h"
#include "checkpoints/sums.h"

typedef enum { QUIET, WRITING, WRITTEN, COMMITTING, ENDING } phase;

struct ckpt_writer {
  ckpt_writer_options o;
  char *root;
  ckpt_layout layout;
  ckpt_text_file *indices; // rank 0
  int index_count;
  int first, end;         // this rank's extents
  unsigned char *staging; // their bytes, back to back, in o.staging
  uint64_t staging_bytes;
  orr_hash128 *sums; // [end - first]
  char *sums_text;
  int64_t step, prepared; // prepared = -1 when there is no .tmp folder of ours
  char *manifest;         // jansson's; what the commit will write

  pthread_t thread;
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  phase phase;
  orr_code outcome; // of the last work, with its message
  char message[ORR_STATUS_MESSAGE_MAX];
};

// Whether this writer is the one that commits.
static bool leads(const ckpt_writer *w) {
  return w->o.rank == 0 && !w->o.stands_in;
}

// -- the thread's work ----------------------------------------------------------------------

// The path of a file in the .tmp folder; "" gives the folder itself.
static orr_code tmp_path(const ckpt_writer *w, const char *name, char *path) {
  orr_path dir;
  ORR_TRY(orr_fs_join(dir, sizeof(dir), w->root, ckpt_tmp_name(w->step).s));
  return orr_fs_join(path, ORR_PATH_MAX, dir, name);
}

// What an extent takes in the staging buffer: whole pages, so that each begins on one.
static uint64_t staged_bytes(const ckpt_extent *x) {
  return (x->bytes + CKPT_PAGE - 1) / CKPT_PAGE * CKPT_PAGE;
}

// Writes extents [e, end) of one file and syncs it.
static orr_code write_run(ckpt_writer *w, int e, int end, const unsigned char *from) {
  orr_code rc = ORR_OK;
  orr_path path;
  int fd;
  ORR_TRY(tmp_path(w, w->layout.files[w->layout.extents[e].file].name, path));
  ORR_TRY(orr_fs_open(path, O_WRONLY | O_CREAT, 0666, &fd));
  for (; e < end; e++) {
    const ckpt_extent *x = &w->layout.extents[e];
    ORR_TRY_GOTO(ckpt_direct_write(fd, path, from, x->bytes, x->offset), close_file);
    from += staged_bytes(x);
  }
  rc = orr_fs_fsync(fd, path);
close_file:
  close(fd);
  return rc;
}

static void *hash_extents(void *arg) {
  ckpt_writer *w = arg;
  const unsigned char *from = w->staging;
  for (int e = w->first; e < w->end; e++) {
    const ckpt_extent *x = &w->layout.extents[e];
    w->sums[e - w->first] = orr_hash_bytes(from, x->bytes);
    from += staged_bytes(x);
  }
  return NULL;
}

static orr_code write_files(ckpt_writer *w) {
  const unsigned char *from = w->staging;
  for (int e = w->first, next; e < w->end; e = next) {
    uint64_t bytes = 0;
    for (next = e; next < w->end && w->layout.extents[next].file == w->layout.extents[e].file;
         next++)
      bytes += staged_bytes(&w->layout.extents[next]);
    ORR_TRY(write_run(w, e, next, from));
    from += bytes;
  }
  return ORR_OK;
}

// The disk need not wait for the checksums; without a second thread it does.
static orr_code write_extents(ckpt_writer *w) {
  pthread_t hasher;
  const bool beside = pthread_create(&hasher, NULL, hash_extents, w) == 0;
  const orr_code rc = write_files(w);
  if (beside)
    pthread_join(hasher, NULL);
  else
    hash_extents(w);
  if (rc == ORR_OK)
    ckpt_sums_format(w->sums_text, ckpt_sums_size(w->end - w->first), &w->layout, w->step,
                     w->o.rank, w->o.ranks, w->sums);
  return rc;
}

static orr_code write_text(ckpt_writer *w, const char *name, const char *text) {
  orr_path path;
  int fd;
  ORR_TRY(tmp_path(w, name, path));
  ORR_TRY(orr_fs_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666, &fd));
  orr_code rc = orr_fs_pwrite_all(fd, path, text, strlen(text), 0);
  if (rc == ORR_OK) rc = orr_fs_fsync(fd, path);
  close(fd);
  return rc;
}

// The manifest is the last file, and the rename comes after everything inside is on the disk.
static orr_code commit(ckpt_writer *w) {
  orr_path path;
  for (int i = 0; i < w->index_count; i++)
    ORR_TRY(write_text(w, w->indices[i].name, w->indices[i].text));
  ORR_TRY(write_text(w, "manifest.json", w->manifest));
  ORR_TRY(tmp_path(w, "", path));
  ORR_TRY(orr_fs_fsync_dir(path));
  ORR_TRY(ckpt_root_publish(w->root, w->step));
  ckpt_root_retain(w->root, w->step, w->o.keep, w->o.keep_every);
  return ORR_OK;
}

static void finish(ckpt_writer *w, orr_code rc) {
  pthread_mutex_lock(&w->mutex);
  w->outcome = rc;
  if (rc != ORR_OK) orr_status_copy(w->message, sizeof(w->message));
  w->phase = w->phase == WRITING && rc == ORR_OK ? WRITTEN : QUIET;
  pthread_cond_broadcast(&w->changed);
  pthread_mutex_unlock(&w->mutex);
}

static void work(ckpt_writer *w, phase p) {
  finish(w, p == WRITING ? write_extents(w) : commit(w));
}

static void *serve(void *arg) {
  ckpt_writer *w = arg;
  for (;;) {
    pthread_mutex_lock(&w->mutex);
    while (w->phase == QUIET || w->phase == WRITTEN) pthread_cond_wait(&w->changed, &w->mutex);
    phase p = w->phase;
    pthread_mutex_unlock(&w->mutex);
    if (p == ENDING) return NULL;
    work(w, p);
  }
}

// -- the caller's side ----------------------------------------------------------------------

static bool busy(phase p) {
  return p == WRITING || p == COMMITTING;
}

static phase phase_now(ckpt_writer *w) {
  pthread_mutex_lock(&w->mutex);
  phase p = w->phase;
  pthread_mutex_unlock(&w->mutex);
  return p;
}

// Hands the work to the thread, or does it here.
static orr_code start(ckpt_writer *w, phase p) {
  pthread_mutex_lock(&w->mutex);
  w->phase = p;
  w->outcome = ORR_OK;
  pthread_cond_broadcast(&w->changed);
  pthread_mutex_unlock(&w->mutex);
  if (w->o.async) return ORR_OK;
  work(w, p);
  return w->outcome;
}

// True when the thread has nothing to do; *rc is then the last outcome, its message this thread's.
static bool settled(ckpt_writer *w, bool wait, orr_code *rc) {
  pthread_mutex_lock(&w->mutex);
  while (wait && busy(w->phase)) pthread_cond_wait(&w->changed, &w->mutex);
  bool done = !busy(w->phase);
  *rc = done ? w->outcome : ORR_OK;
  if (*rc != ORR_OK) orr_status_set(w->message);
  pthread_mutex_unlock(&w->mutex);
  return done;
}

// The staging buffer begins at a whole page, wherever its arena does.
static orr_code take_staging(ckpt_writer *w) {
  orr_arena *a = &w->o.staging;
  if (!a->name) orr_arena_init(a, "staging buffer of checkpoints");
  orr_arena_take(a, w->staging_bytes + CKPT_PAGE);
  ORR_TRY(orr_arena_commit(a)); // touches the pages: the first save must not pay for them
  unsigned char *p = orr_arena_take(a, w->staging_bytes + CKPT_PAGE);
  w->staging = p + (CKPT_PAGE - (uintptr_t)p % CKPT_PAGE) % CKPT_PAGE;
  return ORR_OK;
}

// No save would succeed where this process may not write files as large as the largest one.
static orr_code check_limit(const ckpt_writer *w) {
  const uint64_t limit = orr_limits_file();
  const ckpt_file *largest = w->layout.files;
  char words[256];
  for (int i = 1; i < w->layout.file_count; i++)
    if (w->layout.files[i].bytes > largest->bytes) largest = &w->layout.files[i];
  orr_limits_file_words(words, sizeof(words));
  ORR_CHECK(limit == 0 || w->layout.file_count == 0 || largest->bytes <= limit, ORR_EIO,
            "%s: a checkpoint's %s takes %" PRIu64 " bytes%s, or lower ckpt.file_bytes", w->root,
            largest->name, largest->bytes, words);
  return ORR_OK;
}

static orr_code create_buffers(const ckpt_plan *plan, ckpt_writer *w) {
  ORR_TRY(ckpt_layout_build(plan, &w->layout));
  ORR_TRY(check_limit(w));
  ckpt_layout_share(&w->layout, w->o.rank, w->o.ranks, &w->first, &w->end);
  size_t count = (size_t)(w->end - w->first), text_bytes = ckpt_sums_size(w->end - w->first);
  for (int e = w->first; e < w->end; e++) w->staging_bytes += staged_bytes(&w->layout.extents[e]);
  if (w->o.plan) return ORR_OK;
  ORR_TRY(take_staging(w));
  w->sums = orr_calloc(count, sizeof(*w->sums));
  w->sums_text = orr_calloc(text_bytes, 1);
  ORR_CHECK(w->sums && w->sums_text, ORR_ENOMEM, "out of memory for checksums of %zu extents",
            count);
  if (leads(w)) ORR_TRY(ckpt_index_build(plan, &w->layout, &w->indices, &w->index_count));
  return ORR_OK;
}

static void release_buffers(ckpt_writer *w) {
  ckpt_index_release(w->indices, w->index_count);
  orr_free(w->sums_text);
  orr_free(w->sums);
  orr_arena_release(&w->o.staging);
  ckpt_layout_release(&w->layout);
}

orr_code ckpt_writer_create(const ckpt_plan *plan, const ckpt_writer_options *o,
                            ckpt_writer **out) {
  orr_code rc = ORR_OK;
  ORR_CHECK(o->ranks > 0 && o->rank >= 0 && o->rank < o->ranks, ORR_EINVAL,
            "checkpoint writer: rank %d of %d", o->rank, o->ranks);
  ckpt_writer *w = orr_calloc(1, sizeof(*w));
  ORR_CHECK(w, ORR_ENOMEM, "out of memory for a checkpoint writer");
  w->o = *o;
  w->prepared = -1;
  w->root = orr_strdup(o->root);
  ORR_CHECK_GOTO(w->root, free_writer, ORR_ENOMEM, "out of memory for a checkpoint writer");
  ORR_TRY_GOTO(create_buffers(plan, w), free_buffers);
  pthread_mutex_init(&w->mutex, NULL);
  pthread_cond_init(&w->changed, NULL);
  w->o.async = o->async && !o->plan; // no work, no thread
  if (w->o.async)
    ORR_TRY_GOTO(
        orr_thread_start(&w->thread, serve, w, "checkpoints (ckpt.async: false goes without)"),
        destroy_mutex);
  *out = w;
  return ORR_OK;
destroy_mutex:
  pthread_cond_destroy(&w->changed);
  pthread_mutex_destroy(&w->mutex);
free_buffers:
  release_buffers(w);
  orr_free(w->root);
free_writer:
  orr_free(w);
  return rc;
}

void ckpt_writer_destroy(ckpt_writer *w) {
  if (!w) return;
  orr_code rc;
  settled(w, true, &rc);
  if (w->o.async) {
    start(w, ENDING);
    pthread_join(w->thread, NULL);
  }
  pthread_cond_destroy(&w->changed);
  pthread_mutex_destroy(&w->mutex);
  free(w->manifest);
  release_buffers(w);
  orr_free(w->root);
  orr_free(w);
}

uint64_t ckpt_writer_host_bytes(const ckpt_writer *w) {
  return w->staging_bytes + CKPT_PAGE + (uint64_t)(w->end - w->first) * sizeof *w->sums +
         ckpt_sums_size(w->end - w->first);
}

uint64_t ckpt_writer_sums_bytes(const ckpt_writer *w) {
  return ckpt_sums_bytes(&w->layout, w->o.rank, w->o.ranks);
}

orr_code ckpt_writer_visit(const ckpt_writer *w, int rank, ckpt_piece_fn visit, void *ctx) {
  int first, end;
  ckpt_layout_share(&w->layout, rank, w->o.ranks, &first, &end);
  for (int e = first; e < end; e++) ORR_TRY(ckpt_layout_visit(&w->layout, e, visit, ctx));
  return ORR_OK;
}

orr_code ckpt_save_prepare(ckpt_writer *w, int64_t step) {
  phase p = phase_now(w);
  ORR_CHECK(leads(w) || w->o.own_root, ORR_EINVAL,
            "checkpoint step %" PRId64 ": rank %d prepares, wanted rank 0", step, w->o.rank);
  ORR_CHECK(step >= 0, ORR_EINVAL, "checkpoint step %" PRId64 ": wanted >= 0", step);
  ORR_CHECK(p == QUIET, ORR_EINVAL,
            "checkpoint step %" PRId64 ": the save of step %" PRId64 " is not finished", step,
            w->step);
  w->prepared = -1;
  ORR_TRY(ckpt_root_prepare(w->root, step, w->o.own_root ? w->staging_bytes : w->layout.bytes));
  w->prepared = step;
  return ORR_OK;
}

static orr_code copy_extents(ckpt_writer *w, ckpt_copy_fn get, void *ctx) {
  unsigned char *to = w->staging;
  for (int e = w->first; e < w->end; e++) {
    ORR_TRY(ckpt_layout_fill(&w->layout, e, get, ctx, to));
    to += staged_bytes(&w->layout.extents[e]);
  }
  return w->o.arrived ? w->o.arrived(ctx) : ORR_OK;
}

orr_code ckpt_save_begin(ckpt_writer *w, int64_t step, ckpt_copy_fn get, void *ctx) {
  phase p = phase_now(w);
  ORR_CHECK(!busy(p) && !(p == WRITTEN && leads(w)), ORR_EINVAL,
            "checkpoint step %" PRId64 ": the save of step %" PRId64 " is not finished", step,
            w->step);
  ORR_CHECK(!leads(w) || w->prepared == step, ORR_EINVAL,
            "checkpoint step %" PRId64 ": rank 0 has not prepared this step", step);
  w->step = step;
  const orr_code rc = copy_extents(w, get, ctx);
  if (rc != ORR_OK) {
    finish(w, rc);
    return rc;
  }
  return start(w, WRITING);
}

bool ckpt_save_written(ckpt_writer *w, orr_code *rc) {
  return settled(w, false, rc);
}

orr_code ckpt_writer_wait(ckpt_writer *w) {
  orr_code rc;
  settled(w, true, &rc);
  return rc;
}

orr_code ckpt_save_sums(ckpt_writer *w, const char **text) {
  ORR_CHECK(phase_now(w) == WRITTEN, ORR_EINVAL,
            "checkpoint step %" PRId64 ": rank %d has not written it", w->step, w->o.rank);
  *text = w->sums_text;
  return ORR_OK;
}

// The manifest's text into w->manifest.
static orr_code make_manifest(ckpt_writer *w, const char *const *texts, const json_t *meta) {
  json_t *manifest = NULL;
  orr_code rc = ORR_OK;
  orr_hash128 *sums = orr_calloc((size_t)w->layout.extent_count, sizeof(*sums));
  ORR_CHECK(sums, ORR_ENOMEM, "out of memory for the manifest of step %" PRId64, w->step);
  for (int r = 0; r < w->o.ranks; r++)
    ORR_TRY_GOTO(ckpt_sums_parse(texts[r], &w->layout, w->step, r, w->o.ranks, sums), free_sums);
  ORR_TRY_GOTO(
      ckpt_manifest_build(&w->layout, sums, w->step, w->indices, w->index_count, meta, &manifest),
      free_sums);
  free(w->manifest);
  w->manifest = json_dumps(manifest, JSON_INDENT(1) | JSON_SORT_KEYS);
  json_decref(manifest);
  ORR_CHECK_GOTO(w->manifest, free_sums, ORR_ENOMEM,
                 "out of memory for the manifest of step %" PRId64, w->step);
free_sums:
  orr_free(sums);
  return rc;
}

orr_code ckpt_save_commit(ckpt_writer *w, const char *const *texts, const json_t *meta) {
  ORR_CHECK(w->o.rank == 0 && phase_now(w) == WRITTEN, ORR_EINVAL,
            "checkpoint step %" PRId64
            ": commit on rank %d, wanted rank 0 with its extents written",
            w->step, w->o.rank);
  w->prepared = -1;
  orr_code rc = make_manifest(w, texts, meta);
  if (rc != ORR_OK) {
    finish(w, rc);
    return rc;
  }
  return start(w, COMMITTING);
}

orr_code ckpt_save_keep(ckpt_writer *w) {
  ORR_CHECK(w->o.own_root && !leads(w) && phase_now(w) == WRITTEN, ORR_EINVAL,
            "checkpoint step %" PRId64 ": rank %d has nothing of its own to keep", w->step,
            w->o.rank);
  const orr_code rc = ckpt_root_publish(w->root, w->step);
  if (rc == ORR_OK) ckpt_root_retain(w->root, w->step, w->o.keep, w->o.keep_every);
  w->prepared = -1;
  finish(w, rc); // quiet again
  return rc;
}

void ckpt_save_abandon(ckpt_writer *w) {
  pthread_mutex_lock(&w->mutex);
  while (busy(w->phase)) pthread_cond_wait(&w->changed, &w->mutex);
  w->phase = QUIET;
  w->outcome = ORR_OK;
  pthread_mutex_unlock(&w->mutex);
  if (leads(w) || (w->o.own_root && !w->o.stands_in))
    ckpt_root_discard(w->root, w->prepared >= 0 ? w->prepared : w->step);
  w->prepared = -1;
}
