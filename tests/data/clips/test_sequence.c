// labels: quick
// The global sequence of samples: killed and resumed on other numbers of ranks it stays one
// sequence, with every clip once an epoch and none dropped at its end; a billion clips take no
// memory.
#include "data/clips/loader.h"
#include "tests/data/shards.h"

#include <malloc.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "data/clips/clip_set.h"

enum { BATCH = 24, STEPS = 40, RANKS_MAX = 8, SETS = 2 };

// What all processes of a test see.
typedef struct {
  atomic_int_least64_t done[RANKS_MAX]; // steps read by each rank, from the start of the sequence
  int64_t place[BATCH * STEPS];         // of each global sample; 0 = not read
  int reads[BATCH * STEPS];             // by whoever it was
} board;

typedef struct {
  char dir[SETS][600];
  const char *dirs[SETS];
  double weights[SETS];
} mixture;

static data_mix_options options(const mixture *m, int count) {
  return (data_mix_options){.dirs = m->dirs,
                            .weights = count > 1 ? m->weights : NULL,
                            .count = count,
                            .kind = DATA_TOKENS,
                            .T = 4,
                            .stride = 1,
                            .S = 5,
                            .codes = CODES,
                            .A = 2,
                            .state = true};
}

static void make_mixture(mixture *m, const char *dir) {
  const data_shard_format f = shards_format(0, 0, 5);
  for (int i = 0; i < SETS; i++) {
    snprintf(m->dir[i], sizeof m->dir[i], "%s/set-%d", dir, i);
    assert_int_equal(orr_fs_mkdirs(m->dir[i]), ORR_OK);
    shards_data_set(m->dir[i], &f, 3 + i, 4, 9);
    m->dirs[i] = m->dir[i];
  }
  m->weights[0] = 0.7;
  m->weights[1] = 0.3;
}

// A clip by its episode and first frame, never 0.
static int64_t place_of(const data_clip_batch *b, int64_t row) {
  return 1 + (int64_t)b->state[row * b->T * 3] * 1000 + (int64_t)b->state[row * b->T * 3 + 1];
}

// A rank: reads on from `first` until it is killed or the sequence ends.
static void be_rank(const data_mix_options *mo, board *shared, int rank, int ranks, int64_t first) {
  const data_loader_options o = {.first_step = (uint64_t)first,
                                 .batch = BATCH,
                                 .rank = rank,
                                 .ranks = ranks,
                                 .prefetch = 3,
                                 .workers = 1};
  data_mix *m = NULL;
  data_loader *l = NULL;
  if (data_mix_open(mo, 11, &m) != ORR_OK || data_loader_create(m, mo, &o, &l) != ORR_OK) _exit(1);
  for (int64_t s = first; s < STEPS; s++) {
    const data_clip_batch *b = NULL;
    if (data_loader_next(l, &b, NULL) != ORR_OK) _exit(1);
    for (int64_t row = 0; row < b->B; row++) {
      const uint64_t g = b->sample[row];
      if (g >= BATCH * STEPS || (int64_t)g / BATCH != s) _exit(2);
      if (shared->place[g] && shared->place[g] != place_of(b, row)) _exit(3);
      shared->place[g] = place_of(b, row);
      shared->reads[g]++;
    }
    atomic_store(&shared->done[rank], s + 1);
    usleep(300); // so that the kill finds everybody at work
  }
  _exit(0);
}

// Runs `ranks` ranks from a step on and kills them once every one is past step `until`, or lets
// them finish. Returns the step that all had done.
static int64_t run_ranks(const data_mix_options *mo, board *shared, int ranks, int64_t first,
                         int64_t until) {
  pid_t pids[RANKS_MAX];
  int64_t least = first;
  for (int r = 0; r < ranks; r++) {
    atomic_store(&shared->done[r], first);
    pids[r] = fork();
    if (pids[r] == 0) be_rank(mo, shared, r, ranks, first);
  }
  while (until < STEPS && least < until) {
    usleep(200);
    least = STEPS;
    for (int r = 0; r < ranks; r++) {
      int64_t done = atomic_load(&shared->done[r]);
      if (done < least) least = done;
    }
  }
  for (int r = 0; r < ranks; r++) {
    int status = 0;
    if (until < STEPS) kill(pids[r], SIGKILL);
    assert_int_equal(waitpid(pids[r], &status, 0), pids[r]);
    if (until == STEPS) assert_int_equal(status, 0);
    if (WIFEXITED(status)) assert_int_equal(WEXITSTATUS(status), 0);
  }
  return until < STEPS ? least : STEPS;
}

static void check_sequence(const data_mix_options *mo, const board *shared) {
  data_mix *m = NULL;
  data_clip_batch *b = NULL;
  assert_int_equal(data_mix_open(mo, 11, &m), ORR_OK);
  assert_int_equal(data_clip_batch_create(mo, 1, 3, &b), ORR_OK);
  for (uint64_t g = 0; g < BATCH * STEPS; g++) {
    assert_int_equal(data_mix_read(m, g, b, 0), ORR_OK);
    assert_int_equal(shared->place[g], place_of(b, 0));
    assert_true(shared->reads[g] >= 1);
  }
  data_clip_batch_destroy(b);
  data_mix_close(m);
}

// Whole epochs of a single set hold every clip once, wherever batches, kills and epochs fall.
static void check_epochs(const data_mix_options *mo, const board *shared) {
  data_mix *m = NULL;
  assert_int_equal(data_mix_open(mo, 11, &m), ORR_OK);
  const int64_t clips = (int64_t)data_mix_clips(m);
  data_mix_close(m);
  assert_true(clips % BATCH != 0 && BATCH * STEPS > 3 * clips);
  for (int64_t epoch = 0; (epoch + 1) * clips <= BATCH * STEPS; epoch++) {
    const int64_t *place = shared->place + epoch * clips;
    for (int64_t i = 0; i < clips; i++) {
      for (int64_t j = 0; j < i; j++) assert_true(place[i] != place[j]);
    }
  }
}

static void test_killed_and_resumed_on_other_ranks_it_is_one_sequence(void **state) {
  static const struct {
    int ranks;
    int64_t until;
  } runs[] = {{3, 4}, {1, 9}, {8, 15}, {2, 23}, {4, STEPS}};
  const char *dir = shards_folder("sequence");
  mixture m;
  make_mixture(&m, dir);
  for (int sets = 1; sets <= SETS; sets++) {
    const data_mix_options mo = options(&m, sets);
    board *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(shared != MAP_FAILED);
    int64_t step = 0;
    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
      step = run_ranks(&mo, shared, runs[i].ranks, step, runs[i].until);
    }
    assert_int_equal(step, STEPS);
    check_sequence(&mo, shared);
    if (sets == 1) check_epochs(&mo, shared);
    munmap(shared, sizeof *shared);
  }
  orr_fs_remove_tree(dir);
}

// -- a billion clips ------------------------------------------------------------------------

enum { BIG_SHARDS = 1000, BIG_CLIPS = 1000000 };

// An index of shards that are nowhere: the order never opens them.
static void write_big_index(const char *dir) {
  char path[1024];
  const int64_t frames = BIG_CLIPS + 15;
  json_t *shards = json_array();
  for (int i = 0; i < BIG_SHARDS; i++) {
    char name[DATA_SHARD_NAME_MAX];
    data_shard_name(name, i);
    json_array_append_new(
        shards, json_pack("{s:s, s:i, s:s, s:I, s:i, s:[[I,i]]}", "file", name, "bytes", 1,
                          "xxh3_128", "00000000000000000000000000000000", "frames",
                          (json_int_t)frames, "episodes", 1, "lengths", (json_int_t)frames, 1));
  }
  json_t *index = json_pack(
      "{s:i, s:s, s:s, s:f, s:i, s:i, s:i, s:i, s:[s], s:[], s:i, s:I, s:i, s:o}", "orrery_index",
      1, "branch", "worlds", "source", "nowhere", "fps", 10.0, "height", 0, "width", 0, "S", 5,
      "codes", CODES, "action_names", "x", "state_names", "bytes", BIG_SHARDS, "frames",
      (json_int_t)(frames * BIG_SHARDS), "episodes", BIG_SHARDS, "shards", shards);
  assert_non_null(index);
  assert_int_equal(orr_fs_join(path, sizeof path, dir, "index.json"), ORR_OK);
  assert_int_equal(json_dump_file(index, path, JSON_COMPACT), 0);
  json_decref(index);
}

static int by_value(const void *a, const void *b) {
  const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

static void test_a_billion_clips_take_memory_for_their_shards_alone(void **state) {
  enum { LOOKS = 20000 };
  const char *dir = shards_folder("sequence-billion");
  write_big_index(dir);
  const data_mix_options o = {.dirs = &dir,
                              .count = 1,
                              .kind = DATA_TOKENS,
                              .T = 16,
                              .stride = 1,
                              .S = 5,
                              .codes = CODES,
                              .A = 1};
  data_clip_set *clips = NULL;
  data_order *order = NULL;
  uint64_t *seen = malloc(LOOKS * sizeof *seen);
  const size_t before = mallinfo2().uordblks;
  assert_int_equal(data_clip_set_open(dir, &o, &clips), ORR_OK);
  const uint64_t n = data_clip_set_clips(clips);
  assert_true(n == UINT64_C(1000000000));
  assert_int_equal(data_order_create(data_clip_set_counts(clips), BIG_SHARDS, 3, &order), ORR_OK);
  for (uint64_t i = 0; i < LOOKS; i++) {
    const data_place at = data_order_at(order, 5, i * (n / LOOKS));
    assert_true(at.shard >= 0 && at.shard < BIG_SHARDS && at.clip < BIG_CLIPS);
    seen[i] = (uint64_t)at.shard * BIG_CLIPS + at.clip;
  }
  // what index.json says of a shard takes about a kilobyte; a byte a clip would be a gigabyte
  const size_t after = mallinfo2().uordblks;
  assert_true(after < before + (size_t)BIG_SHARDS * 4096);
  qsort(seen, LOOKS, sizeof *seen, by_value);
  for (int i = 1; i < LOOKS; i++) assert_true(seen[i] != seen[i - 1]);
  data_order_destroy(order);
  data_clip_set_close(clips);
  free(seen);
  orr_fs_remove_tree(dir);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_killed_and_resumed_on_other_ranks_it_is_one_sequence),
      cmocka_unit_test(test_a_billion_clips_take_memory_for_their_shards_alone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
