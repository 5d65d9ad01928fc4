// How long a save of 1 GB holds up its caller, against copying as many bytes, and how fast it
// reaches the disk, against `dd oflag=direct conv=fsync` of as many bytes: bench_ckpt [DIR]
// [ROUNDS] Rounds alternate all of them, so that a neighbour on the disk meets each. One line of
// JSON.
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "checkpoints/checkpoint.h"

enum { BLOCKS = 16, ROWS = 1024, COLS = 4096, ROUNDS_MAX = 64 }; // 16 MiB a tensor, 4 sets: 1 GiB

extern char **environ;

typedef struct {
  char root[4000], dd[4096];
  ckpt_tensor tensors[BLOCKS];
  ckpt_set sets[4];
  unsigned char *state, *copy; // what training holds; where the plain copy goes
  uint64_t bytes;
  ckpt_writer *writer;
  json_t *meta;
} bench;

static orr_code get(void *ctx, int s, int t, uint64_t first, size_t bytes, void *host) {
  const bench *b = ctx;
  const uint64_t tensor = (uint64_t)ROWS * COLS * sizeof(float);
  memcpy(host, b->state + ((uint64_t)s * BLOCKS + (uint64_t)t) * tensor + first, bytes);
  return ORR_OK;
}

static orr_code bench_open(bench *b, const char *dir) {
  static const char *const names[BLOCKS] = {"a", "b", "c", "d", "e", "f", "g", "h",
                                            "i", "j", "k", "l", "m", "n", "o", "p"};
  static const char *const prefixes[4] = {"", "m.", "v.", "ema."};
  ORR_TRY(orr_fs_join(b->root, sizeof b->root, dir, "bench-ckpt"));
  ORR_TRY(orr_fs_join(b->dd, sizeof b->dd, dir, "bench-ckpt.dd"));
  for (int i = 0; i < BLOCKS; i++)
    b->tensors[i] = (ckpt_tensor){.name = names[i], .ndim = 2, .shape = {ROWS, COLS}};
  for (int s = 0; s < 4; s++)
    b->sets[s] = (ckpt_set){s ? "optim" : "model", prefixes[s], b->tensors, BLOCKS};
  b->bytes = (uint64_t)4 * BLOCKS * ROWS * COLS * sizeof(float);
  b->state = orr_malloc_aligned(b->bytes, 4096);
  b->copy = orr_malloc_aligned(b->bytes, 4096);
  b->meta = json_object();
  ORR_CHECK(b->state && b->copy && b->meta, ORR_ENOMEM,
            "out of memory for two copies of %" PRIu64 " bytes", b->bytes);
  for (uint64_t i = 0; i < b->bytes; i += 8)
    memcpy(b->state + i, &(uint64_t){i * 0x9e3779b97f4a7c15u}, 8);
  memset(b->copy, 1, b->bytes);
  const ckpt_plan plan = {b->sets, 4, (int64_t)4 << 30};
  const ckpt_writer_options o = {.root = b->root, .ranks = 1, .async = true, .keep = 1};
  return ckpt_writer_create(&plan, &o, &b->writer);
}

static void bench_close(bench *b) {
  ckpt_writer_destroy(b->writer);
  json_decref(b->meta);
  orr_free(b->copy);
  orr_free(b->state);
  orr_fs_remove_tree(b->root);
  orr_fs_remove_tree(b->dd);
}

// Seconds of one whole save: until it returns to the caller (*stall), and until it is committed.
static orr_code save(bench *b, int64_t step, double *stall, double *whole) {
  const char *sums;
  const double begin = orr_clock_ms();
  ORR_TRY(ckpt_save_prepare(b->writer, step));
  ORR_TRY(ckpt_save_begin(b->writer, step, get, b));
  const double copied = orr_clock_ms();
  ORR_TRY(ckpt_writer_wait(b->writer));
  ORR_TRY(ckpt_save_sums(b->writer, &sums));
  ORR_TRY(ckpt_save_commit(b->writer, &sums, b->meta));
  ORR_TRY(ckpt_writer_wait(b->writer));
  *stall = 1e-3 * (copied - begin);
  *whole = 1e-3 * (orr_clock_ms() - copied);
  return ORR_OK;
}

// Tensor by tensor, as a state of many tensors is copied.
static double copy(const bench *b) {
  const size_t tensor = (size_t)ROWS * COLS * sizeof(float);
  const double begin = orr_clock_ms();
  for (uint64_t at = 0; at < b->bytes; at += tensor) memcpy(b->copy + at, b->state + at, tensor);
  return 1e-3 * (orr_clock_ms() - begin);
}

// Seconds of dd: zeros, as this disk does not compress. The old file goes first, outside the clock.
static orr_code dd(const bench *b, double *seconds) {
  char to[4100], count[32];
  pid_t pid;
  int status = 0;
  snprintf(to, sizeof to, "of=%s", b->dd);
  snprintf(count, sizeof count, "count=%" PRIu64, b->bytes >> 24);
  const char *const words[] = {"dd",         "if=/dev/zero", to,  "bs=16M", count, "oflag=direct",
                               "conv=fsync", "status=none",  NULL};
  ORR_TRY(orr_fs_remove_tree(b->dd));
  const double begin = orr_clock_ms();
  ORR_CHECK(posix_spawnp(&pid, "dd", NULL, NULL, (char *const *)(uintptr_t)words, environ) == 0 &&
                waitpid(pid, &status, 0) == pid && status == 0,
            ORR_EIO, "dd failed: does the file system of %s know O_DIRECT?", b->dd);
  *seconds = 1e-3 * (orr_clock_ms() - begin);
  return ORR_OK;
}

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *v, int n) {
  qsort(v, (size_t)n, sizeof *v, ascending);
  return 0.5 * (v[(n - 1) / 2] + v[n / 2]);
}

static orr_code measure(bench *b, int rounds) {
  double stall[ROUNDS_MAX], whole[ROUNDS_MAX], plain[ROUNDS_MAX], disk[ROUNDS_MAX];
  for (int i = -1; i < rounds; i++) { // round -1 warms up
    const int k = i < 0 ? 0 : i;
    ORR_TRY(save(b, i + 2, &stall[k], &whole[k]));
    plain[k] = copy(b);
    ORR_TRY(dd(b, &disk[k]));
  }
  const double gb = 1e-9 * (double)b->bytes, s = median(stall, rounds), w = median(whole, rounds);
  const double p = median(plain, rounds), d = median(disk, rounds);
  printf("{\"bench\":\"ckpt\",\"bytes\":%" PRIu64 ",\"rounds\":%d,\"stall_s\":%.4f,\"copy_s\":%.4f,"
         "\"stall_over_copy\":%.3f,\"write_gb_s\":%.3f,\"dd_gb_s\":%.3f,\"write_over_dd\":%.3f}\n",
         b->bytes, rounds, s, p, s / p, gb / w, gb / d, d / w);
  return ORR_OK;
}

int main(int argc, char **argv) {
  bench b = {0};
  const int rounds = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 5;
  if (rounds < 1 || rounds > ROUNDS_MAX) return 2;
  orr_code rc = bench_open(&b, argc > 1 ? argv[1] : ".");
  if (rc == ORR_OK) rc = measure(&b, rounds);
  if (rc != ORR_OK) ORR_ERROR("%s", orr_status_message());
  bench_close(&b);
  return rc != ORR_OK;
}
