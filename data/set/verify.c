#include "data/set/verify.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/hash.h"
#include "base/mem.h"
#include "data/shard/format.h"
#include "base/workers.h"

#define ROWS        4096               // of numbers, read at once
#define PATIENCE_S  120                // of computing, for a small shard
#define PIXEL_BYTES ((int64_t)4 << 20) // of frames, read at once

typedef orr_code (*read_fn)(data_shard *s, int64_t first, int64_t n, float *out);

static orr_code read_actions(data_shard *s, int64_t first, int64_t n, float *out) {
  return data_shard_read_actions(s, first, n, 1, out);
}

static orr_code read_state(data_shard *s, int64_t first, int64_t n, float *out) {
  return data_shard_read_state(s, first, n, 1, out);
}

static orr_code read_reward(data_shard *s, int64_t first, int64_t n, float *out) {
  return data_shard_read_reward(s, first, n, 1, out);
}

static int64_t portion(int64_t first, int64_t frames) {
  return frames - first < ROWS ? frames - first : ROWS;
}

static orr_code check_numbers(data_shard *s, const char *name, int64_t width, read_fn read) {
  int64_t frames = data_shard_frames(s);
  float *v = orr_malloc((size_t)(ROWS * width) * sizeof *v);
  orr_code rc = ORR_OK;
  ORR_CHECK(v, ORR_ENOMEM, "%s: out of memory: cannot check /%s", data_shard_path(s), name);
  for (int64_t first = 0; first < frames; first += ROWS) {
    int64_t n = portion(first, frames);
    ORR_TRY_GOTO(read(s, first, n, v), done);
    for (int64_t i = 0; i < n * width; i++) {
      ORR_CHECK_GOTO(isfinite(v[i]), done, ORR_EFORMAT,
                     "%s: /%s[%" PRId64 ",%" PRId64
                     "] is %g, wanted a finite number; write the shard "
                     "again",
                     data_shard_path(s), name, first + i / width, i % width, (double)v[i]);
    }
  }
done:
  orr_free(v);
  return rc;
}

// Pixels may be anything, but they must come out of the file.
static orr_code check_frames(data_shard *s) {
  const data_shard_format *f = data_shard_get_format(s);
  const int64_t frames = data_shard_frames(s), frame_bytes = f->height * f->width * 3;
  const int64_t rows = frame_bytes < PIXEL_BYTES ? PIXEL_BYTES / frame_bytes : 1;
  orr_code rc = ORR_OK;
  uint8_t *v = orr_malloc((size_t)(rows * frame_bytes));
  ORR_CHECK(v, ORR_ENOMEM, "%s: out of memory: cannot check /frames", data_shard_path(s));
  for (int64_t first = 0; first < frames && rc == ORR_OK; first += rows)
    rc = data_shard_read_frames(s, first, frames - first < rows ? frames - first : rows, 1, v);
  orr_free(v);
  return rc;
}

static orr_code check_tokens(data_shard *s) {
  const data_shard_format *f = data_shard_get_format(s);
  int64_t frames = data_shard_frames(s);
  int32_t *v = orr_malloc((size_t)(ROWS * f->S) * sizeof *v);
  orr_code rc = ORR_OK;
  ORR_CHECK(v, ORR_ENOMEM, "%s: out of memory: cannot check /tokens", data_shard_path(s));
  for (int64_t first = 0; first < frames; first += ROWS) {
    int64_t n = portion(first, frames);
    ORR_TRY_GOTO(data_shard_read_tokens(s, first, n, 1, v), done);
    for (int64_t i = 0; f->codes > 0 && i < n * f->S; i++) {
      ORR_CHECK_GOTO(v[i] >= 0 && v[i] < f->codes, done, ORR_EFORMAT,
                     "%s: /tokens[%" PRId64 ",%" PRId64 "] is %d, wanted 0 to %" PRId64
                     "; write the shard again",
                     data_shard_path(s), first + i / f->S, i % f->S, v[i], f->codes - 1);
    }
  }
done:
  orr_free(v);
  return rc;
}

static orr_code check_marks(const data_shard *s, const char *name, const uint8_t *v, int64_t first,
                            int64_t n) {
  for (int64_t i = 0; i < n; i++)
    ORR_CHECK(v[i] <= 1, ORR_EFORMAT,
              "%s: /%s[%" PRId64 "] is %d, wanted 0 or 1; write the shard again",
              data_shard_path(s), name, first + i, v[i]);
  return ORR_OK;
}

static orr_code check_done(data_shard *s) {
  const int64_t frames = data_shard_frames(s);
  uint8_t v[ROWS];
  for (int64_t first = 0; first < frames; first += ROWS) {
    const int64_t n = portion(first, frames);
    ORR_TRY(data_shard_read_done(s, first, n, 1, v));
    ORR_TRY(check_marks(s, "done", v, first, n));
  }
  return ORR_OK;
}

static orr_code check_success(data_shard *s) {
  const int64_t episodes = data_shard_episodes(s);
  uint8_t v[ROWS];
  for (int64_t first = 0; first < episodes; first += ROWS) {
    const int64_t n = portion(first, episodes);
    ORR_TRY(data_shard_read_success(s, first, n, v));
    ORR_TRY(check_marks(s, "success", v, first, n));
  }
  return ORR_OK;
}

static orr_code check_lengths(const data_shard *s, const data_index_shard *listed) {
  const int64_t *offsets = data_shard_offsets(s);
  ORR_CHECK(data_shard_frames(s) == listed->frames && data_shard_episodes(s) == listed->episodes,
            ORR_EFORMAT,
            "%s: %" PRId64 " frames in %" PRId64 " episodes, but index.json says %" PRId64
            " in %" PRId64 "; build the index again",
            data_shard_path(s), data_shard_frames(s), data_shard_episodes(s), listed->frames,
            listed->episodes);
  for (int64_t k = 0; k < listed->length_count; k++) {
    int64_t found = 0;
    for (int64_t e = 0; e < listed->episodes; e++) {
      found += offsets[e + 1] - offsets[e] == listed->lengths[k][0];
    }
    ORR_CHECK(found == listed->lengths[k][1], ORR_EFORMAT,
              "%s: %" PRId64 " episodes of %" PRId64 " frames, but index.json says %" PRId64
              "; build the index again",
              data_shard_path(s), found, listed->lengths[k][0], listed->lengths[k][1]);
  }
  return ORR_OK;
}

static orr_code check_content(const data_index *x, const data_index_shard *listed, data_shard *s) {
  const data_shard_format *f = data_shard_get_format(s);
  ORR_TRY(data_shard_format_equal(&x->format, "index.json", f, data_shard_path(s)));
  ORR_TRY(check_lengths(s, listed));
  if (f->A) ORR_TRY(check_numbers(s, "actions", f->A, read_actions));
  if (f->Q) ORR_TRY(check_numbers(s, "state", f->Q, read_state));
  if (f->reward) ORR_TRY(check_numbers(s, "reward", 1, read_reward));
  if (f->done) ORR_TRY(check_done(s));
  if (f->success) ORR_TRY(check_success(s));
  if (f->height) ORR_TRY(check_frames(s));
  return f->S ? check_tokens(s) : ORR_OK;
}

static orr_code verify_file(const data_index *x, const data_index_shard *listed, const char *path) {
  data_shard *s = NULL;
  orr_hash128 hash;
  uint64_t bytes = 0;
  ORR_TRY(orr_fs_size(path, &bytes));
  ORR_CHECK(bytes == listed->bytes, ORR_ECORRUPT,
            "%s: %" PRIu64 " bytes, but index.json says %" PRIu64
            "; fetch or write the shard again",
            path, bytes, listed->bytes);
  // The content before the checksum: where it can tell the place, it does.
  ORR_TRY(data_shard_open(path, &s));
  orr_code rc = check_content(x, listed, s);
  data_shard_close(s);
  ORR_TRY(rc);
  ORR_TRY(orr_hash_file(path, &hash, &bytes));
  ORR_CHECK(orr_hash_equal(hash, listed->hash), ORR_ECORRUPT,
            "%s: its XXH3-128 is %s, but index.json says %s; fetch or write the shard again", path,
            orr_hash_to_hex(hash).s, orr_hash_to_hex(listed->hash).s);
  return ORR_OK;
}

orr_code data_verify_shard(const data_index *x, int64_t i) {
  orr_path path;
  int pin = -1;
  ORR_TRY(data_index_pin(x, i, path, sizeof path, &pin));
  orr_code rc = verify_file(x, &x->shards[i], path);
  if (pin >= 0) close(pin);
  return rc;
}

// -- the whole folder -----------------------------------------------------------------------

static int by_name(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static orr_code check_listed(const data_index *x, const char **names) {
  orr_code rc = ORR_OK;
  DIR *d = opendir(x->dir);
  ORR_CHECK(d, ORR_EIO, "%s: cannot list this folder: %s", x->dir, strerror(errno));
  for (const struct dirent *e; (e = readdir(d));) {
    const char *name = e->d_name;
    size_t length = strlen(name);
    if (strncmp(name, "shard-", 6) != 0 || length < 3 || strcmp(name + length - 3, ".h5") != 0)
      continue;
    ORR_CHECK_GOTO(
        bsearch(&name, names, (size_t)x->count, sizeof *names, by_name), close_dir, ORR_EFORMAT,
        "%s/%s: not in index.json; build the index again, or move the file away", x->dir, name);
  }
close_dir:
  closedir(d);
  return rc;
}

// What a person takes for shards of the folder are those of the index, each once.
static orr_code check_folder(const data_index *x) {
  orr_code rc = ORR_OK;
  const char **names = orr_malloc((size_t)x->count * sizeof *names);
  ORR_CHECK(names, ORR_ENOMEM, "%s: out of memory: cannot list its shards", x->dir);
  for (int64_t i = 0; i < x->count; i++) names[i] = x->shards[i].file;
  qsort(names, (size_t)x->count, sizeof *names, by_name);
  for (int64_t i = 1; i < x->count; i++)
    ORR_CHECK_GOTO(strcmp(names[i - 1], names[i]) != 0, done, ORR_EFORMAT,
                   "%s: index.json lists %s twice; build the index again", x->dir, names[i]);
  rc = check_listed(x, names);
done:
  orr_free(names);
  return rc;
}

typedef struct {
  const data_index *x;
  const data_verify_options *o;
} verification;

static orr_code work(void *ctx, orr_board *board) {
  const data_index *x = ((const verification *)ctx)->x;
  char doing[ORR_NOTE_MAX];
  for (int64_t i; (i = orr_board_take(board)) >= 0;) {
    snprintf(doing, sizeof doing, "reading %s/%s", x->dir, x->shards[i].file);
    orr_board_note(board, doing);
    orr_board_allow(board, PATIENCE_S + (int)(x->shards[i].bytes >> 20)); // 1 s a MiB: far slower
    ORR_TRY(data_verify_shard(x, i));
    atomic_fetch_add(&board->progress, 1);
  }
  return ORR_OK;
}

static void report(void *ctx, int64_t shards) {
  const verification *v = ctx;
  if (v->o->progress) v->o->progress(v->o->ctx, shards);
}

// What is fetched belongs to this process and its threads. Its checksums were right before anything
// looked inside.
static orr_code verify_here(const data_index *x, const data_verify_options *o) {
  for (int64_t i = 0; i < x->count; i++) {
    ORR_TRY(data_verify_shard(x, i));
    if (o->progress) o->progress(o->ctx, i + 1);
  }
  return ORR_OK;
}

orr_code data_verify(const data_index *x, const data_verify_options *o) {
  verification v = {x, o};
  if (x->remote) return verify_here(x, o);
  ORR_TRY(check_folder(x));
  orr_workers workers = {.count = o->processes < x->count ? o->processes : (int)x->count,
                         .jobs = x->count,
                         .work = work,
                         .report = report,
                         .ctx = &v};
  return orr_workers_run(&workers);
}
