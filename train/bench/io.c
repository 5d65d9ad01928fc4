// Every row reads the same number of clips in the order of a first epoch. A first pass, untimed,
// notes the ranges that the reader takes from the files and leaves them in the page cache; then
// come rounds in turn: the loader, and pread of those ranges into a buffer as large as the
// loader's. Medians of the rounds.
#include "train/bench/io.h"

#include <inttypes.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/sort.h"
#include "data/clips/clip_batch.h"
#include "data/clips/loader.h"
#include "data/clips/mix.h"
#include "data/set/index.h"
#include "base/args.h"
#include "train/bench/bench.h"
#include "train/bench/io_set.h"

enum { CLIP = 16, BATCH = 16, WARM = 66, ROUNDS_MAX = 99, SIDE = 64, FILES_MAX = 4096 };

static const orr_option options[] = {
    {"data", "DIR", "measure this data set; without it the bench makes its own", 0},
    {"frames", "N", "frames of the data sets that it makes (8192)", 0},
    {"clips", "N", "clips read in a round (1024)", 0},
    {"rounds", "N", "rounds of each kind (5)", 0},
    {"workers", "N", "threads that unpack (2)", 0},
    {"url", "URL", "measure this remote data set, with an empty cache and with a full one", 0},
    {"work", "DIR", "folder below which it makes data sets and caches (/tmp)", 0},
    {0}};
static const orr_command command = {
    "bench io", "", 0, 0, "Times reading clips beside plain reads of the same bytes.", options};

typedef struct {
  int file;
  uint64_t offset;
  size_t bytes;
} range;

// What a pass took from which files.
typedef struct {
  orr_code rc; // of the first failure: the watch cannot fail
  int files;
  char *path[FILES_MAX];
  int fd[FILES_MAX];
  range *ranges;
  int64_t count, room;
} ranges;

typedef struct {
  int64_t frames, clips, rounds, workers;
  size_t ahead; // bytes
  char *folder; // of the data sets it made; NULL = none
  json_t *rows;
} bench;

typedef struct {
  double seconds;
  uint64_t bytes; // from files
} pass;

// -- ranges ---------------------------------------------------------------------------------

static orr_code find_file(ranges *r, const char *path, int *file) {
  for (*file = r->files - 1; *file >= 0; --*file)
    if (strcmp(r->path[*file], path) == 0) return ORR_OK;
  ORR_CHECK(r->files < FILES_MAX, ORR_EUNSUPPORTED, "bench io: more than %d shards", FILES_MAX);
  char *copy = orr_strdup(path);
  ORR_CHECK(copy, ORR_ENOMEM, "bench io: out of memory");
  orr_code rc = orr_fs_open(path, O_RDONLY, 0, &r->fd[r->files]);
  if (rc != ORR_OK) {
    orr_free(copy);
    return rc;
  }
  *file = r->files++;
  r->path[*file] = copy;
  return ORR_OK;
}

static orr_code add_range(ranges *r, const char *path, uint64_t offset, size_t bytes) {
  int file;
  ORR_TRY(find_file(r, path, &file));
  if (r->count == r->room) {
    const int64_t room = r->room ? 2 * r->room : 4096;
    range *more = orr_realloc(r->ranges, (size_t)room * sizeof *more);
    ORR_CHECK(more, ORR_ENOMEM, "bench io: out of memory");
    r->ranges = more;
    r->room = room;
  }
  r->ranges[r->count++] = (range){.file = file, .offset = offset, .bytes = bytes};
  return ORR_OK;
}

static void watch(void *ctx, const char *path, uint64_t offset, size_t bytes) {
  ranges *r = ctx;
  if (r->rc == ORR_OK) r->rc = add_range(r, path, offset, bytes);
}

static void ranges_release(ranges *r) {
  for (int i = 0; i < r->files; i++) {
    close(r->fd[i]);
    orr_free(r->path[i]);
  }
  orr_free(r->ranges);
}

// -- passes ---------------------------------------------------------------------------------

static orr_code take(data_loader *loader, int64_t batches) {
  const data_clip_batch *batch;
  for (int64_t k = 0; k < batches; k++) ORR_TRY(data_loader_next(loader, &batch, NULL));
  return ORR_OK;
}

// Reads b->clips clips as training does, from the opening on; with `warm`, once every batch of the
// ring has been touched. `r` (may be NULL) learns what was read.
static orr_code load(const bench *b, const data_mix_options *o, bool warm, ranges *r, pass *out) {
  const data_loader_options lo = {
      .batch = BATCH, .ranks = 1, .prefetch_bytes = b->ahead, .workers = (int)b->workers};
  data_mix *mix = NULL;
  data_loader *loader = NULL;
  data_loader_counters before = {0}, after = {0};
  double begin = orr_clock_ms();
  ORR_TRY(data_mix_open(o, 1, &mix));
  data_mix_watch(mix, r ? watch : NULL, r);
  orr_code rc = data_loader_create(mix, o, &lo, &loader);
  if (warm && rc == ORR_OK) {
    rc = take(loader, WARM);
    data_loader_count(loader, &before);
    begin = orr_clock_ms();
  }
  if (rc == ORR_OK) rc = take(loader, b->clips / BATCH);
  out->seconds = 1e-3 * (orr_clock_ms() - begin);
  if (rc == ORR_OK) data_loader_count(loader, &after);
  out->bytes = after.bytes_read - before.bytes_read;
  data_loader_destroy(loader);
  data_mix_close(mix);
  return r && rc == ORR_OK ? r->rc : rc;
}

// The ranges by pread, one after the other, round and round in a buffer.
static orr_code plain(const ranges *r, unsigned char *buffer, size_t room, pass *out) {
  size_t at = 0;
  *out = (pass){0};
  const double begin = orr_clock_ms();
  for (int64_t i = 0; i < r->count; i++) {
    const range *each = &r->ranges[i];
    if (each->bytes > room - at) at = 0;
    ORR_TRY(orr_fs_pread_all(r->fd[each->file], r->path[each->file], buffer + at, each->bytes,
                             each->offset));
    at += each->bytes;
    out->bytes += each->bytes;
  }
  out->seconds = 1e-3 * (orr_clock_ms() - begin);
  return ORR_OK;
}

// -- rows -----------------------------------------------------------------------------------

static orr_code report(bench *b, const char *name, double frames_per_s, double bytes_per_s,
                       double plain_per_s, double share) {
  fprintf(stderr, "%-12s %9.0f frames/s %9.1f MB/s from files, pread %9.1f MB/s: %.2f\n", name,
          frames_per_s, 1e-6 * bytes_per_s, 1e-6 * plain_per_s, share);
  json_t *row =
      json_pack("{s:s, s:f, s:f, s:f, s:f}", "name", name, "frames_per_s", frames_per_s,
                "bytes_per_s", bytes_per_s, "pread_bytes_per_s", plain_per_s, "of_pread", share);
  ORR_CHECK(row && json_array_append_new(b->rows, row) == 0, ORR_ENOMEM, "bench io: out of memory");
  return ORR_OK;
}

static orr_code rounds(bench *b, const data_mix_options *o, const ranges *r, const char *name) {
  double frames[ROUNDS_MAX], bytes[ROUNDS_MAX], plains[ROUNDS_MAX], shares[ROUNDS_MAX];
  orr_code rc = ORR_OK;
  size_t largest = b->ahead;
  for (int64_t i = 0; i < r->count; i++)
    if (r->ranges[i].bytes > largest) largest = r->ranges[i].bytes;
  unsigned char *buffer = orr_calloc(1, largest);
  ORR_CHECK(buffer, ORR_ENOMEM, "bench io: out of memory for %zu bytes", largest);
  for (int64_t i = 0; i < b->rounds; i++) {
    pass loaded, plainly;
    ORR_TRY_GOTO(load(b, o, true, NULL, &loaded), free_buffer);
    ORR_TRY_GOTO(plain(r, buffer, largest, &plainly), free_buffer);
    frames[i] = (double)(b->clips * o->T) / loaded.seconds;
    bytes[i] = (double)loaded.bytes / loaded.seconds;
    plains[i] = (double)plainly.bytes / plainly.seconds;
    shares[i] = bytes[i] / plains[i];
  }
  rc = report(b, name, orr_median_f64(frames, b->rounds), orr_median_f64(bytes, b->rounds),
              orr_median_f64(plains, b->rounds), orr_median_f64(shares, b->rounds));
free_buffer:
  orr_free(buffer);
  return rc;
}

static orr_code options_of(const char *const *dir, data_remote *remote, data_mix_options *o) {
  data_index *x;
  ORR_TRY(data_index_open_from(*dir, remote, &x));
  const data_shard_format *f = &x->format;
  *o = (data_mix_options){.dirs = dir,
                          .count = 1,
                          .kind = f->height ? DATA_FRAMES : DATA_TOKENS,
                          .T = CLIP,
                          .stride = 1,
                          .height = f->height,
                          .width = f->width,
                          .S = f->S,
                          .codes = f->codes ? f->codes : INT32_MAX,
                          .A = f->A,
                          .remote = remote};
  data_index_close(x);
  return ORR_OK;
}

static orr_code measure(bench *b, const char *name, const char *dir, data_remote *remote) {
  data_mix_options o;
  pass first;
  ORR_TRY(options_of(&dir, remote, &o));
  ranges *r = orr_calloc(1, sizeof *r);
  ORR_CHECK(r, ORR_ENOMEM, "bench io: out of memory");
  orr_code rc = load(b, &o, true, r, &first);
  if (rc == ORR_OK && r->count == 0)
    rc =
        ORR_FAIL(ORR_EUNSUPPORTED,
                 "%s: its layout can only be read through HDF5 itself; write it again in chunks of "
                 "whole frames with gzip, lzf or no filter",
                 dir);
  if (rc == ORR_OK) rc = rounds(b, &o, r, name);
  ranges_release(r);
  orr_free(r);
  return rc;
}

static orr_code make_and_measure(bench *b, const char *name, int64_t side, int64_t S,
                                 data_filter filter) {
  const train_bench_io_set set = {.frames = b->frames, .side = side, .S = S, .filter = filter};
  orr_path dir;
  ORR_TRY(orr_fs_join(dir, sizeof dir, b->folder, name));
  ORR_TRY(train_bench_io_write(dir, &set));
  return measure(b, name, dir, NULL);
}

static orr_code make_folder(bench *b, const char *below) {
  b->folder = orr_format("%s/orrery-bench-io-XXXXXX", below);
  ORR_CHECK(b->folder, ORR_ENOMEM, "bench io: out of memory");
  if (mkdtemp(b->folder)) return ORR_OK;
  orr_free(b->folder);
  b->folder = NULL;
  return ORR_FAIL(ORR_EIO, "bench io: cannot make a folder below %s; name another with --work",
                  below);
}

static orr_code measure_own(bench *b) {
  ORR_TRY(make_and_measure(b, "raw", SIDE, 0, DATA_FILTER_NONE));
  ORR_TRY(make_and_measure(b, "gzip", SIDE, 0, DATA_FILTER_GZIP));
  ORR_TRY(make_and_measure(b, "lzf", SIDE, 0, DATA_FILTER_LZF));
  return make_and_measure(b, "tokens", 0, SIDE, DATA_FILTER_NONE);
}

// One round with an empty cache: until the clips are there, the opening included.
static orr_code cold_round(const bench *b, const char *url, data_remote *remote, pass *out) {
  data_mix_options o;
  data_remote_counters before, after;
  data_remote_count(remote, &before);
  ORR_TRY(options_of(&url, remote, &o));
  ORR_TRY(load(b, &o, false, NULL, out));
  data_remote_count(remote, &after);
  out->bytes = after.bytes - before.bytes;
  return ORR_OK;
}

static orr_code open_remote(const bench *b, int64_t round, data_remote **out) {
  orr_path cache;
  snprintf(cache, sizeof cache, "%s/cache-%" PRId64, b->folder, round);
  data_remote_options o = data_remote_defaults();
  o.cache_dir = cache;
  return data_remote_create(&o, out);
}

// Every round downloads into a cache of its own; the last one's is then read again.
static orr_code measure_remote(bench *b, const char *url) {
  double frames[ROUNDS_MAX], bytes[ROUNDS_MAX];
  orr_code rc = ORR_OK;
  for (int64_t i = 0; i < b->rounds; i++) {
    data_remote *remote;
    pass p = {0};
    ORR_TRY(open_remote(b, i, &remote));
    rc = cold_round(b, url, remote, &p);
    if (rc == ORR_OK && i + 1 == b->rounds) rc = measure(b, "remote, warm", url, remote);
    data_remote_destroy(remote);
    ORR_TRY(rc);
    frames[i] = (double)(b->clips * CLIP) / p.seconds;
    bytes[i] = (double)p.bytes / p.seconds;
  }
  const double f = orr_median_f64(frames, b->rounds), n = orr_median_f64(bytes, b->rounds);
  fprintf(stderr, "%-12s %9.0f frames/s %9.1f MB/s downloaded\n", "remote, cold", f, 1e-6 * n);
  json_t *row = json_pack("{s:s, s:f, s:f}", "name", "remote, cold", "frames_per_s", f,
                          "downloaded_bytes_per_s", n);
  ORR_CHECK(row && json_array_append_new(b->rows, row) == 0, ORR_ENOMEM, "bench io: out of memory");
  return ORR_OK;
}

static orr_code print_json(const bench *b) {
  json_t *all =
      json_pack("{s:s, s:i, s:i, s:I, s:I, s:I, s:O}", "bench", "io", "clip_frames", CLIP,
                "batch_clips", BATCH, "clips", (json_int_t)b->clips, "rounds",
                (json_int_t)b->rounds, "workers", (json_int_t)b->workers, "rows", b->rows);
  return train_bench_print(all);
}

static orr_code read_settings(const orr_args *args, bench *b) {
  ORR_TRY(orr_args_i64(args, "frames", TRAIN_BENCH_IO_SHARDS * TRAIN_BENCH_IO_EPISODE, 1 << 30,
                       &b->frames));
  ORR_TRY(orr_args_i64(args, "clips", BATCH, 1 << 30, &b->clips));
  ORR_TRY(orr_args_i64(args, "rounds", 1, ROUNDS_MAX, &b->rounds));
  return orr_args_i64(args, "workers", 0, 256, &b->workers);
}

orr_code train_cmd_bench_io(int argc, char **argv) {
  orr_args args;
  ORR_TRY(orr_args_parse(&command, argc, argv, &args));
  if (args.help) return ORR_OK;
  bench b = {.frames = 8192, .clips = 1024, .rounds = 5, .workers = 2, .ahead = (size_t)64 << 20};
  ORR_TRY(read_settings(&args, &b));
  const char *dir = orr_args_text(&args, "data", NULL), *url = orr_args_text(&args, "url", NULL);
  b.rows = json_array();
  ORR_CHECK(b.rows, ORR_ENOMEM, "bench io: out of memory");
  orr_code rc = make_folder(&b, orr_args_text(&args, "work", "/tmp"));
  if (rc == ORR_OK)
    rc = url ? measure_remote(&b, url) : dir ? measure(&b, "data", dir, NULL) : measure_own(&b);
  if (rc == ORR_OK) rc = print_json(&b);
  if (b.folder) orr_fs_remove_tree(b.folder);
  orr_free(b.folder);
  json_decref(b.rows);
  return rc;
}
