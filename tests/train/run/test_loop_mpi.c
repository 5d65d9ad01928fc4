// labels: full mpi faults; ranks: 2; needs: orrery
// Runs on two ranks: against one rank, across layouts, and when one rank alone has something to
// say.
#include <pthread.h>
#include <signal.h>

#include "tests/train/program.h"
#include "tests/train/world_run.h"

#include "base/fault.h"

#define TRAIN(p, name, resume, ...)                                                                \
  world_run_train(p, name, resume, (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

static int64_t largest(world_run *p, int64_t v) {
  assert_ok(dist_all_reduce(world_run_all(p), &v, 1, DIST_I64, DIST_MAX));
  return v;
}

// Both ranks returned this code, and say the same; returns the code.
static orr_code agreed(world_run *p, orr_code rc) {
  assert_int_equal(largest(p, rc), rc);
  assert_int_equal(-largest(p, -(int64_t)rc), rc);
  return rc;
}

// Runs `orrery train` alone, without MPI. Rank 0.
static void train_alone(small_run *r, const char *name, const char *resume,
                        const char *const *more) {
  const char *path = small_run_store(r, "alone.yaml", small_run_config(r, name, more));
  char err[512];
  snprintf(err, sizeof err, "%s/alone.err", r->root);
  const char *const words[] = {program_path, "train", path, "--resume", resume, NULL};
  program_wait_ok(program_start(words, err, true), err);
}
#define TRAIN_ALONE(p, name, resume, ...)                                                          \
  do {                                                                                             \
    if ((p)->run.rank == 0)                                                                        \
      train_alone(&(p)->run, name, resume,                                                         \
                  (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL});                         \
    assert_ok(dist_barrier(world_run_all(p)));                                                     \
  } while (0)

// -- the same training ----------------------------------------------------------------------

static void assert_near_losses(const double *a, const double *b, int n) {
  /* fp32 gradients summed in another order over 20 steps at a rate of 0.01: measured 1e-7 */
  for (int i = 0; i < n; i++)
    if (!(fabs(a[i] - b[i]) < 1e-5 * fabs(b[i])))
      fail_msg("step %d: losses %.9g and %.9g", i + 1, a[i], b[i]);
}

static void test_two_ranks_have_the_losses_of_one(void **state) {
  world_run *p = *state;
  double one[SMALL_RUN_STEPS_MAX], two[SMALL_RUN_STEPS_MAX], again[SMALL_RUN_STEPS_MAX];
  // buckets of 1 KiB, so that a gradient is many of them
  TRAIN_ALONE(p, "one", "none", "train.steps=20");
  assert_ok(TRAIN(p, "two", "none", "train.steps=20", "dist.bucket_bytes=1024"));
  assert_ok(TRAIN(p, "again", "none", "train.steps=20", "dist.bucket_bytes=1024"));
  if (p->run.rank == 0) {
    assert_int_equal(small_run_losses(&p->run, "one", one), 20);
    assert_int_equal(small_run_losses(&p->run, "two", two), 20);
    assert_int_equal(small_run_losses(&p->run, "again", again), 20);
    assert_near_losses(two, one, 20);
    assert_memory_equal(two, again, 20 * sizeof *two); // one layout, one seed: the same bits
    assert_true(fabs(one[19] - one[0]) > 1e-3);        // and something was learnt
  }
}

// One action of one file is no number: three clips hold it.
static void test_bad_actions_are_skipped_in_the_same_steps_by_every_layout(void **state) {
  static const char *const layouts[] = {"dist.dp=2", "dist.tp=2", "dist.cp=2"};
  world_run *p = *state;
  char data[128], name[16], path[512];
  int64_t clips;
  snprintf(data, sizeof data, "data.train=[%s/bad]", p->run.root);
  if (p->run.rank == 0) {
    small_run_data(&p->run, "bad");
    snprintf(path, sizeof path, "%s/bad/shard-00001.h5", p->run.root);
    small_run_poison(path, 51, 2, 5);
    assert_ok(data_index_build(small_run_path(&p->run, "bad"), NULL));
  }
  TRAIN_ALONE(p, "alone", "none", data, "train.steps=17");
  for (int i = 0; i < 3; i++) {
    snprintf(name, sizeof name, "layout-%d", i);
    assert_ok(TRAIN(p, name, "none", data, "train.steps=17", layouts[i]));
    if (p->run.rank != 0) continue;
    const uint64_t alone = small_run_skipped(&p->run, "alone", &clips);
    assert_int_equal(clips, 3);
    assert_true(alone != 0 && alone == small_run_skipped(&p->run, name, &clips));
    assert_int_equal(clips, 3);
    char *said = small_run_said(&p->run); // whichever rank read the clip
    assert_non_null(strstr(said, "first in "));
    assert_non_null(strstr(said, "shard-00001.h5: episode 2: /actions[21,0] is nan"));
    orr_free(said);
  }
}

static void test_a_run_goes_on_with_another_number_of_ranks(void **state) {
  world_run *p = *state;
  double whole[SMALL_RUN_STEPS_MAX], mixed[SMALL_RUN_STEPS_MAX];
  char half[512], late[512];
  snprintf(half, sizeof half, "%s/mixed/ckpt/step-00000006", p->run.root);
  snprintf(late, sizeof late, "%s/mixed/ckpt/step-00000009", p->run.root);
  TRAIN_ALONE(p, "mixed", "none");
  if (p->run.rank == 0) assert_int_equal(small_run_losses(&p->run, "mixed", whole), 12);
  assert_ok(TRAIN(p, "mixed", half));
  TRAIN_ALONE(p, "mixed", late);
  if (p->run.rank == 0) {
    assert_int_equal(small_run_losses(&p->run, "mixed", mixed), 12);
    assert_near_losses(mixed, whole, 12);
  }
}

// -- one rank alone -------------------------------------------------------------------------

// Configurations are alike on all ranks; what a relative path leads to may not be.
static void stand_in_own_folder(world_run *p, const char *name) {
  char dir[512];
  snprintf(dir, sizeof dir, "%s/%s-%d", p->run.root, name, p->run.rank);
  assert_ok(orr_fs_mkdirs(dir));
  assert_int_equal(chdir(dir), 0);
}

static void test_a_data_set_missing_on_one_rank_ends_both_with_its_words(void **state) {
  world_run *p = *state;
  char name[64];
  stand_in_own_folder(p, "sparse");
  snprintf(name, sizeof name, "sparse-%d/clips", p->run.rank);
  if (p->run.rank == 0) small_run_data(&p->run, name);
  const orr_code rc = agreed(p, TRAIN(p, "missing", "none", "data.train=[clips]"));
  assert_int_equal(chdir("/"), 0);
  assert_int_equal(rc, ORR_ENOTFOUND);
  assert_non_null(strstr(orr_status_message(), "rank 1: open data: "));
  assert_non_null(strstr(orr_status_message(), "clips"));
}

static void test_a_read_that_fails_on_one_rank_during_a_run_ends_both(void **state) {
  world_run *p = *state;
  char name[64];
  stand_in_own_folder(p, "torn");
  snprintf(name, sizeof name, "torn-%d/clips", p->run.rank);
  small_run_data(&p->run, name);
  if (p->run.rank == 1) // shards are opened when their first clip is due
    assert_int_equal(truncate("clips/shard-00001.h5", 1000), 0);
  const orr_code rc = agreed(p, TRAIN(p, "unreadable", "none", "data.train=[clips]"));
  assert_int_equal(chdir("/"), 0);
  assert_int_equal(rc, ORR_EFORMAT);
  assert_non_null(strstr(orr_status_message(), "rank 1: "));
  assert_non_null(strstr(orr_status_message(), "shard-00001.h5"));
}

static void test_ranks_with_another_configuration_are_named_before_anything_else(void **state) {
  world_run *p = *state;
  const char *own = p->run.rank == 1 ? "train.batch=8" : "train.batch=4";
  assert_int_equal(agreed(p, TRAIN(p, "unlike", "none", own)), ORR_ECONFIG);
  assert_non_null(strstr(orr_status_message(), "rank 1: compare configurations: "));
  assert_non_null(
      strstr(orr_status_message(), "under 'train:' it has 'batch: 8', rank 0 has 'batch: 4'"));
  // layouts that would split the world into other communicators
  own = p->run.rank == 1 ? "dist.tp=2" : "dist.cp=2";
  assert_int_equal(agreed(p, TRAIN(p, "unlike", "none", own)), ORR_ECONFIG);
  assert_non_null(strstr(orr_status_message(), "it has 'tp: 2', rank 0 has 'tp: 1'"));
}

static void test_a_batch_that_the_ranks_do_not_divide_is_refused_by_both(void **state) {
  world_run *p = *state;
  assert_int_equal(agreed(p, TRAIN(p, "odd", "none", "train.batch=3")), ORR_ECONFIG);
  assert_non_null(strstr(orr_status_message(), "train.batch 3 is not divisible by the 2 ranks"));
}

// Asks this process to stop once a run has written its first line.
static void *ask_to_stop(void *metrics) {
  uint64_t bytes = 0;
  while (!orr_fs_exists(metrics) || orr_fs_size(metrics, &bytes) != ORR_OK || bytes == 0)
    usleep(1000);
  kill(getpid(), SIGUSR1);
  return NULL;
}

static void test_a_stop_asked_of_one_rank_stops_both(void **state) {
  world_run *p = *state;
  pthread_t thread;
  char metrics[512], latest[64];
  snprintf(metrics, sizeof metrics, "%s/stopped/metrics.jsonl", p->run.root);
  if (p->run.rank == 1) assert_int_equal(pthread_create(&thread, NULL, ask_to_stop, metrics), 0);
  const orr_code rc = TRAIN(p, "stopped", "none", "train.steps=1000000000");
  if (p->run.rank == 1) pthread_join(thread, NULL);
  assert_int_equal(agreed(p, rc), ORR_ESTOPPED);
  assert_non_null(strstr(orr_status_message(), "stopped on request after step "));
  small_run_text(&p->run, "stopped/ckpt/latest", latest, sizeof latest);
  assert_int_equal(strncmp(latest, "step-", 5), 0);
}

static void test_all_ranks_resume_from_the_checkpoint_that_rank_0_chooses(void **state) {
  world_run *p = *state;
  double whole[SMALL_RUN_STEPS_MAX], loss[SMALL_RUN_STEPS_MAX];
  char mine[512];
  assert_ok(TRAIN(p, "apart", "none"));
  if (p->run.rank == 0) small_run_losses(&p->run, "apart", whole);
  snprintf(mine, sizeof mine, "%s/apart/ckpt/step-0000000%d", p->run.root, p->run.rank ? 6 : 3);
  assert_ok(TRAIN(p, "apart", mine));
  if (p->run.rank == 0) {
    assert_int_equal(small_run_losses(&p->run, "apart", loss), 12);
    assert_memory_equal(loss, whole, 12 * sizeof *loss);
  }
}

// -- failing writes -------------------------------------------------------------------------

// Two steps and two checkpoints.
#define SHORT "train.steps=2", "ckpt.every=1", "optim.warmup_steps=1", "optim.decay_steps=1"

// The n-th operation of this kind fails on one rank. Both ranks return one code; whatever it is,
// the next run finds a whole checkpoint or none, and ends with the losses of an undisturbed run.
static bool run_with_fault(world_run *p, int rank, orr_fault_kind kind, int n,
                           const double *whole) {
  double loss[SMALL_RUN_STEPS_MAX];
  char dir[512];
  snprintf(dir, sizeof dir, "%s/fault", p->run.root);
  if (p->run.rank == 0) assert_ok(orr_fs_remove_tree(dir));
  assert_ok(dist_barrier(world_run_all(p)));
  if (p->run.rank == rank) orr_fault_arm(kind, n);
  const orr_code rc = TRAIN(p, "fault", "auto", SHORT);
  const bool fired = p->run.rank == rank && orr_fault_fired(kind);
  orr_fault_arm(kind, 0);
  agreed(p, rc);
  if (rc != ORR_OK) assert_true(*orr_status_message() != 0);
  assert_ok(TRAIN(p, "fault", "auto", SHORT));
  if (p->run.rank == 0) {
    assert_int_equal(small_run_losses(&p->run, "fault", loss), 2);
    assert_memory_equal(loss, whole, 2 * sizeof *loss);
  }
  return largest(p, fired) != 0;
}

static void test_a_write_that_fails_on_one_rank_harms_no_earlier_checkpoint(void **state) {
  world_run *p = *state;
  const orr_fault_kind kinds[] = {ORR_FAULT_OPEN, ORR_FAULT_WRITE, ORR_FAULT_FSYNC,
                                  ORR_FAULT_RENAME};
  double whole[SMALL_RUN_STEPS_MAX];
  assert_ok(TRAIN(p, "sound", "none", SHORT));
  if (p->run.rank == 0) small_run_losses(&p->run, "sound", whole);
  for (int rank = 0; rank < 2; rank++) {
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
      int n = 1;
      while (run_with_fault(p, rank, kinds[i], n, whole)) n++;
      // rank 0 writes, and both read back when they resume
      if (rank == 0 || kinds[i] == ORR_FAULT_OPEN) assert_true(n > 1);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_two_ranks_have_the_losses_of_one),
      cmocka_unit_test(test_bad_actions_are_skipped_in_the_same_steps_by_every_layout),
      cmocka_unit_test(test_a_run_goes_on_with_another_number_of_ranks),
      cmocka_unit_test(test_a_data_set_missing_on_one_rank_ends_both_with_its_words),
      cmocka_unit_test(test_a_read_that_fails_on_one_rank_during_a_run_ends_both),
      cmocka_unit_test(test_ranks_with_another_configuration_are_named_before_anything_else),
      cmocka_unit_test(test_a_batch_that_the_ranks_do_not_divide_is_refused_by_both),
      cmocka_unit_test(test_a_stop_asked_of_one_rank_stops_both),
      cmocka_unit_test(test_all_ranks_resume_from_the_checkpoint_that_rank_0_chooses),
      cmocka_unit_test(test_a_write_that_fails_on_one_rank_harms_no_earlier_checkpoint),
  };
  return cmocka_run_group_tests_name("train/loop on two ranks", tests, world_run_setup,
                                     world_run_teardown);
}
