// labels: quick
// The reader thread: the same global order on any number of ranks, accounting of waits, errors.
#include "tests/data/shards.h"

#include <math.h>

#include "base/clock.h"
#include "data/clips/clip_batch.h"
#include "data/clips/loader.h"
#include "data/clips/mix.h"

static data_mix_options options(const char *const *dirs) {
  return (data_mix_options){.dirs = dirs,
                            .count = 1,
                            .kind = DATA_TOKENS,
                            .T = 4,
                            .stride = 1,
                            .S = 5,
                            .codes = CODES,
                            .A = 2,
                            .state = true};
}

static void make_set(const char *dir) {
  data_shard_format f = shards_format(0, 0, 5);
  shards_data_set(dir, &f, 5, 4, 9);
}

// Reads `steps` steps on every one of `ranks` ranks and writes each sample's place, by number.
static void read_turns(const char *dir, int ranks, int64_t turn, int64_t batch, uint64_t first_step,
                       int64_t steps, int64_t *places) {
  data_mix_options mo = options(&dir);
  for (int rank = 0; rank < ranks; rank++) {
    data_mix *m = NULL;
    data_loader *l = NULL;
    data_loader_options o = {.first_step = first_step,
                             .batch = batch,
                             .rank = rank,
                             .ranks = ranks,
                             .turn = turn,
                             .prefetch = 3};
    assert_int_equal(data_mix_open(&mo, 11, &m), ORR_OK);
    assert_int_equal(data_loader_create(m, &mo, &o, &l), ORR_OK);
    for (int64_t s = 0; s < steps; s++) {
      const data_clip_batch *b = NULL;
      assert_int_equal(data_loader_next(l, &b, NULL), ORR_OK);
      assert_int_equal(b->B, batch / ranks);
      for (int64_t row = 0; row < b->B; row++) {
        const int64_t in_a_row = turn ? turn : b->B,
                      first = (row / in_a_row * ranks + rank) * in_a_row,
                      g = s * batch + first + row % in_a_row;
        assert_true(b->sample[row] == first_step * (uint64_t)batch + (uint64_t)g);
        places[g] = (int64_t)b->state[row * 12] * 1000 + (int64_t)b->state[row * 12 + 1];
      }
    }
    data_loader_destroy(l);
    data_mix_close(m);
  }
}

static void read_all(const char *dir, int ranks, int64_t batch, uint64_t first_step, int64_t steps,
                     int64_t *places) {
  read_turns(dir, ranks, 0, batch, first_step, steps, places);
}

static void test_global_order_is_the_same_on_1_2_3_and_8_ranks(void **state) {
  const char *dir = shards_folder("loader-ranks");
  enum { BATCH = 24, STEPS = 12 };
  static const int ranks[] = {2, 3, 8};
  int64_t one[BATCH * STEPS], many[BATCH * STEPS];
  make_set(dir);
  read_all(dir, 1, BATCH, 0, STEPS, one);
  for (int i = 0; i < 3; i++) {
    memset(many, -1, sizeof many);
    read_all(dir, ranks[i], BATCH, 0, STEPS, many);
    assert_memory_equal(one, many, sizeof one);
  }
  memset(many, -1, sizeof many);
  read_turns(dir, 3, 2, BATCH, 0, STEPS, many); // two clips of each rank in turn
  assert_memory_equal(one, many, sizeof one);
  orr_fs_remove_tree(dir);
}

static void test_run_resumes_at_any_step(void **state) {
  const char *dir = shards_folder("loader-resume");
  enum { BATCH = 6, STEPS = 40 };
  int64_t whole[BATCH * STEPS], rest[BATCH * STEPS];
  make_set(dir);
  read_all(dir, 1, BATCH, 0, STEPS, whole);
  for (int64_t from = 1; from < STEPS; from += 9) {
    read_all(dir, 2, BATCH, (uint64_t)from, STEPS - from, rest);
    assert_memory_equal(whole + from * BATCH, rest,
                        (size_t)((STEPS - from) * BATCH) * sizeof *rest);
  }
  orr_fs_remove_tree(dir);
}

static void test_waits_are_accounted_for(void **state) {
  const char *dir = shards_folder("loader-wait");
  make_set(dir);
  data_mix_options mo = options(&dir);
  data_mix *m = NULL;
  data_loader *l = NULL;
  const data_clip_batch *b = NULL;
  double waited = 0, begin = orr_clock_ms();
  assert_int_equal(data_mix_open(&mo, 11, &m), ORR_OK);
  data_loader_options o = {.batch = 64, .ranks = 1, .prefetch = 1};
  assert_int_equal(data_loader_create(m, &mo, &o, &l), ORR_OK);
  for (int i = 0; i < 20; i++) {
    double ms = -1;
    assert_int_equal(data_loader_next(l, &b, &ms), ORR_OK);
    assert_true(ms >= 0);
    waited += ms;
  }
  // Nothing but waiting happens here, so that nearly all of the time must be in the account; it
  // cannot hold more than passed.
  double passed = orr_clock_ms() - begin;
  assert_true(waited > 0 && waited <= passed);
  data_loader_destroy(l);
  data_mix_close(m);
  orr_fs_remove_tree(dir);
}

static void test_batch_stays_valid_until_the_next_call(void **state) {
  const char *dir = shards_folder("loader-valid");
  make_set(dir);
  data_mix_options mo = options(&dir);
  data_mix *m = NULL;
  data_loader *l = NULL;
  assert_int_equal(data_mix_open(&mo, 11, &m), ORR_OK);
  data_loader_options o = {.batch = 4, .ranks = 1, .prefetch = 2};
  assert_int_equal(data_loader_create(m, &mo, &o, &l), ORR_OK);
  for (uint64_t s = 0; s < 12; s++) {
    const data_clip_batch *b = NULL;
    assert_int_equal(data_loader_next(l, &b, NULL), ORR_OK);
    usleep(3000); // the reader thread runs on meanwhile and must not touch this batch
    for (uint64_t row = 0; row < 4; row++) {
      assert_true(b->sample[row] == 4 * s + row);
      int64_t episode = (int64_t)b->state[row * 12], first = (int64_t)b->state[row * 12 + 1];
      for (int64_t t = 0; t < 4; t++) {
        for (int64_t i = 0; i < 5; i++) {
          assert_int_equal(b->tokens[((int64_t)row * 4 + t) * 5 + i],
                           shards_token(episode, first + t, i));
        }
      }
    }
  }
  data_loader_destroy(l);
  data_mix_close(m);
  orr_fs_remove_tree(dir);
}

static void test_error_of_the_reader_comes_out_with_its_words(void **state) {
  const char *dir = shards_folder("loader-error");
  char path[1024];
  make_set(dir);
  data_mix_options mo = options(&dir);
  data_mix *m = NULL;
  data_loader *l = NULL;
  const data_clip_batch *b = NULL;
  assert_int_equal(orr_fs_join(path, sizeof path, dir, "shard-00003.h5"), ORR_OK);
  FILE *f = fopen(path, "wb");
  fputs("no longer a shard", f);
  fclose(f);
  assert_int_equal(data_mix_open(&mo, 11, &m), ORR_OK);
  data_loader_options o = {.batch = 4, .ranks = 1, .prefetch = 2};
  assert_int_equal(data_loader_create(m, &mo, &o, &l), ORR_OK);
  orr_code rc = ORR_OK;
  for (int i = 0; i < 100 && rc == ORR_OK; i++) rc = data_loader_next(l, &b, NULL);
  assert_int_equal(rc, ORR_EFORMAT);
  assert_message_names(path, "HDF5");
  orr_status_clear();
  assert_int_equal(data_loader_next(l, &b, NULL), ORR_EFORMAT); // and stays
  assert_message_names(path);
  data_loader_destroy(l);
  data_mix_close(m);
  orr_fs_remove_tree(dir);
}

static void test_loader_can_go_before_it_was_asked(void **state) {
  const char *dir = shards_folder("loader-early");
  make_set(dir);
  data_mix_options mo = options(&dir);
  for (int i = 0; i < 5; i++) {
    data_mix *m = NULL;
    data_loader *l = NULL;
    assert_int_equal(data_mix_open(&mo, 11, &m), ORR_OK);
    data_loader_options o = {.batch = 4, .ranks = 1, .prefetch = 2};
    assert_int_equal(data_loader_create(m, &mo, &o, &l), ORR_OK);
    data_loader_destroy(l);
    data_mix_close(m);
  }
  orr_fs_remove_tree(dir);
}

static void test_batch_must_divide_by_the_ranks(void **state) {
  const char *dir = shards_folder("loader-divide");
  make_set(dir);
  data_mix_options mo = options(&dir);
  data_mix *m = NULL;
  data_loader *l = NULL;
  assert_int_equal(data_mix_open(&mo, 11, &m), ORR_OK);
  data_loader_options o = {.batch = 8, .ranks = 3, .prefetch = 2};
  assert_int_equal(data_loader_create(m, &mo, &o, &l), ORR_EINVAL);
  assert_message_names("train.batch", "8", "3", "multiple");
  data_mix_close(m);
  orr_fs_remove_tree(dir);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_global_order_is_the_same_on_1_2_3_and_8_ranks),
      cmocka_unit_test(test_run_resumes_at_any_step),
      cmocka_unit_test(test_waits_are_accounted_for),
      cmocka_unit_test(test_batch_stays_valid_until_the_next_call),
      cmocka_unit_test(test_error_of_the_reader_comes_out_with_its_words),
      cmocka_unit_test(test_loader_can_go_before_it_was_asked),
      cmocka_unit_test(test_batch_must_divide_by_the_ranks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
