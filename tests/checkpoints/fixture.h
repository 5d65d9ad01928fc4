// A small model for the tests of checkpoints: its tensors, values that follow from (step, set,
// tensor, element), whole saves by any number of writers in one process, and their comparison.
#ifndef TESTS_CHECKPOINTS_FIXTURE_H
#define TESTS_CHECKPOINTS_FIXTURE_H

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/hash.h"
#include "base/log.h"
#include "checkpoints/checkpoint.h"
#include "tests/base/folder.h"

#define FIXTURE_RANKS_MAX 64

// Tensors larger than a file and than an extent beside many small ones: about 5 MB of weights. With
// FIXTURE_SMALL 1/60 of that, for the sweeps, whose files then have one extent each.
#ifdef FIXTURE_SMALL
#define FIXTURE_WIDE 8
#define FIXTURE_FILE 30000
#else
#define FIXTURE_WIDE 500
#define FIXTURE_FILE 2500000
#endif
static const ckpt_tensor fixture_tensors[] = {
    {"embed.token.weight", 2, {FIXTURE_WIDE + 13, 96}},
    {"embed.no_action", 1, {96}},
    {"blocks.0.norm1.weight", 1, {96}},
    {"blocks.0.attn.q.weight", 2, {96, 96}},
    {"blocks.0.mlp.gate.weight", 2, {1000, FIXTURE_WIDE + 17}},
    {"blocks.0.mlp.up.weight", 2, {900, FIXTURE_WIDE}},
    {"blocks.0.odd", 3, {3, 5, 7}},
    {"scale", 0, {0}},
    {"norm.weight", 1, {96}},
    {"head.weight", 4, {2, FIXTURE_WIDE, 2, 48}},
};
#define FIXTURE_TENSORS ((int)(sizeof(fixture_tensors) / sizeof(fixture_tensors[0])))
// The optimizer's two moments share their files; the second lacks the largest tensors to keep it
// small.
static const ckpt_set fixture_sets[] = {
    {"model", "", fixture_tensors, FIXTURE_TENSORS},
    {"optim", "m.", fixture_tensors, 4},
    {"optim", "ema.", fixture_tensors, FIXTURE_TENSORS},
};
#define FIXTURE_SETS ((int)(sizeof(fixture_sets) / sizeof(fixture_sets[0])))
static const ckpt_plan fixture_plan = {fixture_sets, FIXTURE_SETS, FIXTURE_FILE};

static inline uint64_t fixture_count(const ckpt_tensor *t) {
  uint64_t n = 1;
  for (int i = 0; i < t->ndim; i++) n *= (uint64_t)t->shape[i];
  return n;
}

// Finite floats, different at every step, set, tensor and element.
static inline float fixture_value(int64_t step, int s, int t, uint64_t i) {
  uint64_t x = (uint64_t)step * 0x9e3779b97f4a7c15u ^ (uint64_t)(s * 64 + t + 1) << 40 ^ i;
  x = (x ^ x >> 31) * 0xbf58476d1ce4e5b9u;
  x = (x ^ x >> 29) * 0x94d049bb133111ebu;
  return (float)((double)(x >> 40) / (1 << 24) - 0.5);
}

// A ckpt_copy_fn; ctx points to the step.
static inline orr_code fixture_get(void *ctx, int s, int t, uint64_t first, size_t bytes,
                                   void *host) {
  const int64_t step = *(const int64_t *)ctx;
  unsigned char *out = host;
  for (size_t b = 0; b < bytes;) { // ranges may begin and end inside an element
    float v = fixture_value(step, s, t, (first + b) / 4);
    size_t from = (first + b) % 4, n = 4 - from < bytes - b ? 4 - from : bytes - b;
    memcpy(out + b, (unsigned char *)&v + from, n);
    b += n;
  }
  return ORR_OK;
}

static inline ckpt_writer_options fixture_options(const char *root, int rank, int ranks,
                                                  bool async) {
  return (ckpt_writer_options){
      .root = root, .rank = rank, .ranks = ranks, .async = async, .keep = 3, .keep_every = 0};
}

// What a training loop does, with the ranks one after the other: prepare, begin, wait, gather,
// commit, and abandon everywhere after a failure anywhere.
static inline orr_code fixture_save_with(ckpt_writer **w, int ranks, int64_t step,
                                         const json_t *meta) {
  const char *texts[FIXTURE_RANKS_MAX] = {0};
  orr_code rc = ckpt_save_prepare(w[0], step);
  for (int r = 0; r < ranks && rc == ORR_OK; r++)
    rc = ckpt_save_begin(w[r], step, fixture_get, &step);
  for (int r = 0; r < ranks && rc == ORR_OK; r++) rc = ckpt_writer_wait(w[r]);
  for (int r = 0; r < ranks && rc == ORR_OK; r++) rc = ckpt_save_sums(w[r], &texts[r]);
  if (rc == ORR_OK) rc = ckpt_save_commit(w[0], texts, meta);
  if (rc == ORR_OK) rc = ckpt_writer_wait(w[0]);
  if (rc == ORR_OK) return ORR_OK;
  char message[ORR_STATUS_MESSAGE_MAX];
  orr_status_copy(message, sizeof(message));
  for (int r = ranks - 1; r >= 0; r--) ckpt_save_abandon(w[r]);
  orr_status_set(message);
  return rc;
}

static inline orr_code fixture_create(const char *root, int ranks, bool async, int64_t keep,
                                      int64_t keep_every, ckpt_writer **w) {
  for (int r = 0; r < ranks; r++) {
    ckpt_writer_options o = fixture_options(root, r, ranks, async);
    o.keep = keep;
    o.keep_every = keep_every;
    orr_code rc = ckpt_writer_create(&fixture_plan, &o, &w[r]);
    if (rc == ORR_OK) continue;
    while (r-- > 0) ckpt_writer_destroy(w[r]);
    return rc;
  }
  return ORR_OK;
}

// One save by fresh writers.
static inline orr_code fixture_save(const char *root, int ranks, bool async, int64_t step,
                                    const json_t *meta) {
  ckpt_writer *w[FIXTURE_RANKS_MAX] = {0};
  ORR_TRY(fixture_create(root, ranks, async, 3, 0, w));
  orr_code rc = fixture_save_with(w, ranks, step, meta);
  for (int r = 0; r < ranks; r++) ckpt_writer_destroy(w[r]);
  return rc;
}

// Reads one tensor whole and compares it with the values of `step`.
static inline orr_code fixture_check_tensor(ckpt_reader *r, int64_t step, int s, int t,
                                            bool *equal) {
  const ckpt_set *set = &fixture_sets[s];
  char name[128];
  uint64_t n = fixture_count(&set->tensors[t]);
  float *got = malloc(n * 4), *wanted = malloc(n * 4); // not hooked: this is the test's own memory
  snprintf(name, sizeof(name), "%s%s", set->prefix, set->tensors[t].name);
  orr_code rc = ckpt_read(r, set->file, name, 0, n * 4, got);
  fixture_get(&step, s, t, 0, n * 4, wanted);
  if (rc == ORR_OK && memcmp(got, wanted, n * 4) != 0) *equal = false;
  free(got);
  free(wanted);
  return rc;
}

// Reads all tensors; *equal tells whether they are those of the reader's own step.
static inline orr_code fixture_check(ckpt_reader *r, bool *equal) {
  *equal = true;
  for (int s = 0; s < FIXTURE_SETS; s++) {
    ORR_TRY(ckpt_reader_match(r, &fixture_sets[s]));
    for (int t = 0; t < fixture_sets[s].count; t++)
      ORR_TRY(fixture_check_tensor(r, ckpt_reader_step(r), s, t, equal));
  }
  return ORR_OK;
}

// Opens root or folder, which must hold `step` and its values.
static inline void fixture_assert_holds(const char *path, int64_t step) {
  ckpt_reader *r = NULL;
  bool equal = false;
  if (ckpt_open(path, &r) != ORR_OK) fail_msg("%s", orr_status_message());
  assert_int_equal(ckpt_reader_step(r), step);
  if (fixture_check(r, &equal) != ORR_OK) fail_msg("%s", orr_status_message());
  assert_true(equal);
  ckpt_close(r);
}

// A fresh folder; cmocka's state is its path. Sweeps sync thousands of times: in memory where there
// is such a folder.
static inline int fixture_setup(void **state) {
#ifdef FIXTURE_SMALL
  const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
#else
  const char *parent = "/tmp";
#endif
  char path[FOLDER_PATH];
  folder_make_in(parent, path);
  *state = orr_strdup(path);
  return *state ? 0 : -1;
}

// Number of names in a folder that begin with `prefix`.
static inline int fixture_names(const char *dir, const char *prefix) {
  int n = 0;
  DIR *d = opendir(dir);
  if (!d) return 0;
  for (struct dirent *e; (e = readdir(d));) n += strncmp(e->d_name, prefix, strlen(prefix)) == 0;
  closedir(d);
  return n;
}

#endif
