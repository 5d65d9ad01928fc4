// labels: quick; needs: orrery
// `orrery data tokenize` on any number of ranks: the same bytes, what is there is kept, a killed
// run goes on.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "tests/data/shards.h"
#include "tests/train/program.h"

enum { SHARDS = 5, HEIGHT = 16, WIDTH = 24 };

typedef struct {
  char root[512], clips[600], tokenizer[600];
} fixture;

static void start_and_expect_success(const fixture *f, const char *const *words) {
  char err[600];
  snprintf(err, sizeof err, "%s/err", f->root);
  program_wait_ok(program_start(words, err, true), err);
}

// Shards of very different lengths, with episodes that end anywhere in a portion of 64 frames.
static void make_clips(const fixture *f) {
  static const int64_t lengths[SHARDS][3] = {
      {64, 64, 64}, {7, 130, 1}, {200, 3, 90}, {5, 5, 5}, {63, 66, 40}};
  data_shard_format format = shards_format(HEIGHT, WIDTH, 0);
  format.views = (data_views){2, {{"base", 0, 0, 16, 16}, {"wrist", 16, 0, 8, 16}}};
  assert_int_equal(orr_fs_mkdirs(f->clips), ORR_OK);
  for (int s = 0; s < SHARDS; s++) {
    char path[1024];
    assert_int_equal(data_shard_name_in(f->clips, s, path, sizeof path), ORR_OK);
    assert_int_equal(shards_write(path, &format, s % 2 ? DATA_FILTER_GZIP : DATA_FILTER_NONE, 3 * s,
                                  lengths[s], 3, 0),
                     ORR_OK);
  }
  assert_int_equal(data_index_build(f->clips, NULL), ORR_OK);
}

static int setup(void **state) {
  fixture *f = calloc(1, sizeof *f);
  char yaml[2048], path[600];
  *state = f;
  snprintf(f->root, sizeof f->root, "%s", shards_folder("tokenize"));
  snprintf(f->clips, sizeof f->clips, "%s/clips", f->root);
  snprintf(f->tokenizer, sizeof f->tokenizer, "%s/tokenizer", f->root);
  make_clips(f);
  snprintf(path, sizeof path, "%s/tokenizer.yaml", f->root);
  snprintf(yaml, sizeof yaml,
           "run: {dir: %s, threads: 1, precision: fp32}\n"
           "train: {stage: tokenizer, steps: 3, batch: 4}\noptim: {warmup_steps: 1, decay_steps: "
           "1}\ndata: {train: [%s], frames: 4}\n"
           "tokenizer: {patch: 8, rows: 2, cols: 3, levels: [5, 4], width: 32, heads: 4, "
           "kv_heads: 4, hidden: 40, layers: 1}\nmodel: {actions: 3, branches: [worlds]}\n",
           f->tokenizer, f->clips);
  assert_int_equal(orr_fs_write_atomic(path, yaml, strlen(yaml)), ORR_OK);
  start_and_expect_success(f, (const char *const[]){program_path, "train", path, NULL});
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  const orr_code rc = orr_fs_remove_tree(f->root);
  free(f);
  return rc == ORR_OK ? 0 : -1;
}

static pid_t tokenize(const fixture *f, const char *ranks, const char *out) {
  char err[600];
  snprintf(err, sizeof err, "%s/err", f->root);
  return program_start((const char *const[]){"mpirun", "--allow-run-as-root", "--oversubscribe",
                                             "-n", ranks, program_path, "data", "tokenize",
                                             f->clips, "--tokenizer", f->tokenizer, "--out", out,
                                             "--threads", "1", NULL},
                       err, true);
}

static void tokenize_whole(const fixture *f, const char *ranks, const char *out) {
  char err[600];
  snprintf(err, sizeof err, "%s/err", f->root);
  program_wait_ok(tokenize(f, ranks, out), err);
}

// The checksums of all shards, as index.json has them.
static void sums_of(const char *dir, orr_hash128 out[SHARDS]) {
  data_index *x = NULL;
  assert_int_equal(data_index_open(dir, &x), ORR_OK);
  assert_int_equal(x->count, SHARDS);
  for (int i = 0; i < SHARDS; i++) out[i] = x->shards[i].hash;
  data_index_close(x);
}

static const char *below(const fixture *f, const char *name, char out[1200]) {
  snprintf(out, 1200, "%s/%s", f->root, name);
  return out;
}

static void test_any_number_of_ranks_makes_the_same_bytes(void **state) {
  const fixture *f = *state;
  orr_hash128 one[SHARDS], many[SHARDS];
  char a[1200], b[1200];
  tokenize_whole(f, "1", below(f, "one", a));
  sums_of(a, one);
  tokenize_whole(f, "2", below(f, "two", b));
  sums_of(b, many);
  assert_memory_equal(one, many, sizeof one);
  tokenize_whole(f, "8", below(f, "eight", b)); // three of them find nothing to do
  sums_of(b, many);
  assert_memory_equal(one, many, sizeof one);
}

static void test_tokens_stand_beside_their_own_actions(void **state) {
  const fixture *f = *state;
  char dir[1200], path[1300], from[1300];
  tokenize_whole(f, "2", below(f, "beside", dir));
  for (int i = 0; i < SHARDS; i++) {
    data_shard *x = NULL, *y = NULL;
    float a[400][2], b[400][2];
    snprintf(path, sizeof path, "%s/shard-%05d.h5", dir, i);
    snprintf(from, sizeof from, "%s/shard-%05d.h5", f->clips, i);
    assert_int_equal(data_shard_open(from, &x), ORR_OK);
    assert_int_equal(data_shard_open(path, &y), ORR_OK);
    const int64_t n = data_shard_frames(x), episodes = data_shard_episodes(x);
    assert_int_equal(data_shard_frames(y), n);
    assert_int_equal(data_shard_episodes(y), episodes);
    assert_memory_equal(data_shard_offsets(x), data_shard_offsets(y),
                        (size_t)(episodes + 1) * sizeof(int64_t));
    assert_int_equal(data_shard_read_actions(x, 0, n, 1, a[0]), ORR_OK);
    assert_int_equal(data_shard_read_actions(y, 0, n, 1, b[0]), ORR_OK);
    assert_memory_equal(a, b, (size_t)n * sizeof a[0]);
    const data_views *v = &data_shard_get_format(y)->views; // in tokens of 8 pixels
    assert_true(v->n == 2 && v->of[1].x == 2 && v->of[1].width == 1 && v->of[1].height == 2);
    data_shard_close(x);
    data_shard_close(y);
  }
}

static int64_t inode_of(const char *dir, int shard) {
  char path[1300];
  struct stat s;
  snprintf(path, sizeof path, "%s/shard-%05d.h5", dir, shard);
  assert_int_equal(stat(path, &s), 0);
  return (int64_t)s.st_ino;
}

static void test_what_is_there_is_kept_and_the_rest_made(void **state) {
  const fixture *f = *state;
  orr_hash128 first[SHARDS], second[SHARDS];
  int64_t inodes[SHARDS];
  char dir[1200], path[1300];
  tokenize_whole(f, "2", below(f, "kept", dir));
  sums_of(dir, first);
  for (int i = 0; i < SHARDS; i++) inodes[i] = inode_of(dir, i);
  snprintf(path, sizeof path, "%s/shard-00002.h5", dir);
  assert_int_equal(unlink(path), 0);
  snprintf(path, sizeof path, "%s/shard-00004.h5", dir); // half a file counts for nothing
  assert_int_equal(truncate(path, 1000), 0);
  tokenize_whole(f, "3", dir);
  sums_of(dir, second);
  assert_memory_equal(first, second, sizeof first);
  for (int i = 0; i < SHARDS; i++)
    if (i != 2 && i != 4) assert_int_equal(inode_of(dir, i), inodes[i]);
}

static void test_killed_run_goes_on_with_other_ranks(void **state) {
  const fixture *f = *state;
  orr_hash128 whole[SHARDS], resumed[SHARDS];
  char dir[1200], path[1300];
  tokenize_whole(f, "1", below(f, "whole", dir));
  sums_of(dir, whole);
  assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
  const pid_t pid = tokenize(f, "2", below(f, "killed", dir));
  // any moment will do; most often some shards are there and some are not
  snprintf(path, sizeof path, "%s/shard-00003.h5", dir);
  for (int i = 0; i < 10000 && !orr_fs_exists(path) && kill(pid, 0) == 0; i++) usleep(1000);
  kill(pid, SIGKILL);
  program_wait(pid);
  while (waitpid(-1, NULL, 0) > 0) { // mpirun's ranks are ours now; they notice, and end
  }
  tokenize_whole(f, "3", dir);
  sums_of(dir, resumed);
  assert_memory_equal(whole, resumed, sizeof whole);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_any_number_of_ranks_makes_the_same_bytes),
      cmocka_unit_test(test_tokens_stand_beside_their_own_actions),
      cmocka_unit_test(test_what_is_there_is_kept_and_the_rest_made),
      cmocka_unit_test(test_killed_run_goes_on_with_other_ranks),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
