// labels: full mpi; ranks: 2; needs: played_nccl tests/train/captured_kern.c
// Steps that are captured and replayed together with their collectives over NCCL, which the host
// plays, against the same steps issued one by one.
#include "tests/dist/device.h"
#include "tests/dist/played/nccl_host.h"
#include "tests/dist/played/streams.h"
#include "tests/train/captured_kern.h"
#include "tests/train/layouts.h"

enum { STEPS = 8 };

typedef struct {
  train_step_result step[STEPS];
  int64_t shape[STEPS], captured;
} course;

static void open_on_device(trainee *t, const layout *l, dist_world *w, bool capture) {
  memset(t, 0, sizeof *t);
  t->c = tiny_cfg(l);
  t->c->run.capture = capture;
  train_axes_init(&t->axes, &w->grid, w);
  assert_ok(kern_create(KERN_DEVICE_CPU, 1, &t->k));
  assert_ok(captured_kern_wrap(t->k, device_stream()));
  assert_ok(train_axes_use_device(&t->axes, t->k, w, t->c));
  assert_ok(train_step_plan(&t->work, t->c, &t->axes, t->k));
  trainee_commit(t);
}

// As the loop does it: a step is issued before the results of the one before are taken.
// lack: which capture finds no memory on rank 1 alone; 0 = none.
static void train(dist_world *w, const layout *l, bool capture, int lack, course *out) {
  trainee t;
  open_on_device(&t, l, w, capture);
  if (w->grid.rank == 1) captured_kern_lack(t.k, lack);
  for (int64_t step = 0; step < STEPS; step++) {
    trainee_fill(&t, step);
    assert_ok(train_step_run(&t.work, t.batch,
                             &(train_step_request){step + 1, 1e-3, INFINITY, INFINITY, false}));
    out->shape[step] = t.work.stage->shape;
    if (step > 0) assert_ok(train_step_results(&t.work, &out->step[step - 1]));
  }
  assert_ok(train_step_results(&t.work, &out->step[STEPS - 1]));
  out->captured = train_capture_captured(t.work.replay);
  train_step_leave_device(&t.work, w);
  trainee_close(&t);
}

// Steps that are issued have each rank's own shape, those that are captured the largest.
static bool compare_shapes(dist_world *w, const course *eager, const course *replayed) {
  double largest[STEPS], smallest[STEPS];
  bool differ = false;
  for (int i = 0; i < STEPS; i++) largest[i] = smallest[i] = (double)eager->shape[i];
  assert_ok(dist_all_reduce(w->axis[DIST_AXIS_WORLD], largest, STEPS, DIST_F64, DIST_MAX));
  assert_ok(dist_all_reduce(w->axis[DIST_AXIS_WORLD], smallest, STEPS, DIST_F64, DIST_MIN));
  for (int i = 0; i < STEPS; i++) {
    assert_true((double)replayed->shape[i] == largest[i]);
    differ = differ || smallest[i] < largest[i];
  }
  return differ;
}

// Whether the ranks' own shapes differed.
static bool compare(dist_world *w, const layout *l) {
  course eager, replayed;
  double worst = 0.0;
  int graphs[2 * TRAIN_STAGE_MOST_SHAPES] = {0};
  assert_ok(dist_world_split(w, l->tp, l->cp, l->dp));
  train(w, l, false, 0, &eager);
  train(w, l, true, 0, &replayed);
  assert_int_equal(eager.captured, 0);
  for (int i = 0; i < STEPS; i++) {
    const train_step_result *a = &eager.step[i], *b = &replayed.step[i];
    assert_int_equal(b->step, i + 1);
    // the same ops on more rows that do not count: measured 1e-7
    worst = fmax(worst, fabs(b->loss / a->loss - 1.0));
    assert_true(fabs(b->loss / a->loss - 1.0) < 1e-6);
    assert_true(fabs(b->grad_norm / a->grad_norm - 1.0) < 1e-5);
    double phases = 0.0;
    for (int p = 0; p < TRAIN_TIMED; p++) phases += b->timed_ms[p];
    assert_true(phases > 0.0 && b->timed_ms[TRAIN_TIMED_BACKWARD] > 0.0);
    if (i > 0) graphs[2 * replayed.shape[i] + i % 2] = 1;
  }
  int64_t wanted = 0;
  for (size_t i = 0; i < sizeof graphs / sizeof *graphs; i++) wanted += graphs[i];
  assert_int_equal(replayed.captured, wanted);
  assert_true(wanted < STEPS - 1); // some were replayed
  if (w->grid.rank == 0)
    print_message("tp%d cp%d dp%d zero%d: %d captures, losses off by %.1e\n", l->tp, l->cp, l->dp,
                  l->zero, (int)wanted, worst);
  return compare_shapes(w, &eager, &replayed);
}

static void test_replayed_steps_of_tp2_equal_those_issued(void **state) {
  compare(*state, &(layout){.tp = 2, .cp = 1, .dp = 1});
}
static void test_replayed_steps_of_the_tokenizer_equal_those_issued(void **state) {
  compare(*state, &(layout){.tp = 2, .cp = 1, .dp = 1, .tokenizer = true});
  compare(*state, &(layout){.tp = 1, .cp = 2, .dp = 1, .tokenizer = true});
}
static void test_replayed_steps_of_cp2_equal_those_issued(void **state) {
  compare(*state, &(layout){.tp = 1, .cp = 2, .dp = 1});
  compare(*state, &(layout){.tp = 1, .cp = 2, .dp = 1, .heads = true});
}
static void test_replayed_steps_of_dp2_equal_those_issued(void **state) {
  compare(*state, &(layout){.tp = 1, .cp = 1, .dp = 2});
  compare(*state, &(layout){.tp = 1, .cp = 1, .dp = 2, .zero = 1, .micro = 1});
  compare(*state, &(layout){.tp = 1, .cp = 1, .dp = 2, .zero = 2, .micro = 1});
  compare(*state, &(layout){.tp = 1, .cp = 1, .dp = 2, .zero = 3, .micro = 1});
}
static void test_replicas_with_other_numbers_of_masked_positions_capture_one_shape(void **state) {
  assert_true(compare(*state, &(layout){.tp = 1, .cp = 1, .dp = 2, .batch = 256}));
}

// The other rank must not replay a graph whose collectives this one starts by themselves.
static void test_a_rank_without_memory_for_a_graph_runs_on_and_so_do_all(void **state) {
  dist_world *w = *state;
  const layout l = {.tp = 1, .cp = 1, .dp = 2};
  course eager, full, less;
  assert_ok(dist_world_split(w, l.tp, l.cp, l.dp));
  train(w, &l, false, 0, &eager);
  train(w, &l, true, 0, &full);
  train(w, &l, true, 1, &less);
  assert_int_equal(less.captured, full.captured - 1); // on both ranks
  for (int i = 0; i < STEPS; i++)
    assert_true(fabs(less.step[i].loss / eager.step[i].loss - 1.0) < 1e-6); // as above
}

static int all_tests(dist_world *w) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_prestate(test_replayed_steps_of_tp2_equal_those_issued, w),
      cmocka_unit_test_prestate(test_replayed_steps_of_the_tokenizer_equal_those_issued, w),
      cmocka_unit_test_prestate(test_replayed_steps_of_cp2_equal_those_issued, w),
      cmocka_unit_test_prestate(test_replayed_steps_of_dp2_equal_those_issued, w),
      cmocka_unit_test_prestate(test_a_rank_without_memory_for_a_graph_runs_on_and_so_do_all, w),
      cmocka_unit_test_prestate(
          test_replicas_with_other_numbers_of_masked_positions_capture_one_shape, w),
  };
  streams_set_schedule(STREAMS_AT_ONCE);
  return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void) {
  return layouts_main(2, all_tests);
}
