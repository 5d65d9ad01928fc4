// labels: full mpi; ranks: 2; wrap: train_step_run train_reduce_ready train_reduce_finish train_state_fingerprint_weights
// Replays of two ranks: equal in every layout, and one bit that flips in one rank's memory is put
// down to that rank and that part of the step. This program stands between the parts of a step
// (linked with --wrap) to flip it.
#include "tests/train/small_replay.h"
#include "tests/train/world_run.h"

#include "train/step/reduce.h"
#include "train/step/step.h"

typedef enum { NOTHING, LOCAL, REDUCED, WEIGHTS } part;

// What the next run or replay does to this rank.
typedef struct {
  part part;
  int64_t step;
} flip;
static flip next_flip;   // the wrapped functions' signatures leave no other way in
static train_step *work; // the step under way
static int64_t now;

orr_code __real_train_step_run(train_step *s, const data_clip_batch *b,
                               const train_step_request *q);
orr_code __wrap_train_step_run(train_step *s, const data_clip_batch *b,
                               const train_step_request *q);
orr_code __real_train_reduce_ready(void *reduce, int64_t first);
orr_code __wrap_train_reduce_ready(void *reduce, int64_t first);
orr_code __real_train_reduce_finish(train_reduce *r);
orr_code __wrap_train_reduce_finish(train_reduce *r);
orr_code __real_train_state_fingerprint_weights(train_state *s, uint64_t *sum);
orr_code __wrap_train_state_fingerprint_weights(train_state *s, uint64_t *sum);

// The lowest bit of a float, once in the step.
static void flip_if(part at, float *x) {
  uint32_t bits;
  if (next_flip.part != at || next_flip.step != now) return;
  memcpy(&bits, x, sizeof bits);
  bits ^= 1;
  memcpy(x, &bits, sizeof bits);
  now = 0;
}

orr_code __wrap_train_step_run(train_step *s, const data_clip_batch *b,
                               const train_step_request *q) {
  work = s;
  now = q->step;
  const orr_code rc = __real_train_step_run(s, b, q);
  now = 0; // a step is also planned, on arrays that are not there
  return rc;
}

orr_code __wrap_train_reduce_ready(void *reduce, int64_t first) {
  flip_if(LOCAL, work->state.weights.grad + first + 5);
  return __real_train_reduce_ready(reduce, first);
}

orr_code __wrap_train_reduce_finish(train_reduce *r) {
  const orr_code rc = __real_train_reduce_finish(r);
  flip_if(REDUCED, work->state.own_grad + 100);
  return rc;
}

orr_code __wrap_train_state_fingerprint_weights(train_state *s, uint64_t *sum) {
  // float32 weights that are shared out lie in place, among those of the other rank
  const bool among = s->own_master == s->weights.master;
  flip_if(WEIGHTS, s->own_master + (among ? train_partition_piece_of(&s->shard, 0).at : 0) + 10);
  return __real_train_state_fingerprint_weights(s, sum);
}

static void train(world_run *p, const char *name, const char *const *more) {
  assert_ok(small_run_train_world(&p->run, name, "none", more, p->world));
}

static orr_code replay(world_run *p, const char *name, int64_t step, const char *const *more) {
  const orr_code rc = small_replay_world(&p->run, name, step, 1, more, p->world);
  assert_ok(dist_barrier(p->world->axis[DIST_AXIS_WORLD]));
  return rc;
}

static const char *const layouts[][4] = {
    {"dist.zero=0", NULL},
    {"dist.zero=1", NULL},
    {"dist.zero=1", "run.precision=bf16", "dist.bucket_bytes=4096", NULL},
    {"dist.tp=2", NULL},
    {"dist.cp=2", "dist.zero=1", NULL},
};
enum { LAYOUTS = sizeof layouts / sizeof *layouts };

static void test_steps_come_out_the_same_in_every_layout(void **state) {
  world_run *p = *state;
  for (int i = 0; i < LAYOUTS; i++) {
    char name[16];
    snprintf(name, sizeof name, "layout-%d", i);
    train(p, name, layouts[i]);
    const orr_code rc = replay(p, name, 8, layouts[i]);
    if (rc != ORR_OK) fail_msg("%s: %s", name, orr_status_message());
    if (p->run.rank == 0) assert_int_equal(small_replay_lines(&p->run, "equal"), 2);
  }
}

// A bit flips on rank `bad` in step 8, of the run or of its replay: each of them finds it.
static void check_named(world_run *p, const char *name, part where, int bad, bool in_run,
                        const char *const *more, const char *says) {
  char rank[32];
  const flip f = {.part = p->run.rank == bad ? where : NOTHING, .step = 8};
  next_flip = in_run ? f : (flip){0};
  train(p, name, more);
  next_flip = in_run ? (flip){0} : f;
  const orr_code rc = replay(p, name, 9, more);
  if (rc != ORR_EDIFFERS) fail_msg("%s: code %d: %s", name, rc, orr_status_message());
  next_flip = (flip){0};
  if (p->run.rank != 0) return;
  snprintf(rank, sizeof rank, "step 8 on rank %d (trained on ", bad);
  small_replay_says(rank);
  small_replay_says(says);
  assert_int_equal(small_replay_lines(&p->run, "equal"), 1);
}

static void test_a_flipped_bit_is_named(void **state) {
  static const char *const reduced = "every rank brought the same to the sum",
                           *const local = "gave other gradients: its hardware",
                           *const update = "the update, or memory that holds weights";
  world_run *p = *state;
  check_named(p, "local-1", LOCAL, 1, true, layouts[0], local);
  check_named(p, "local-0", LOCAL, 0, false, layouts[1], local);
  check_named(p, "reduced-1", REDUCED, 1, true, layouts[0], reduced);
  check_named(p, "reduced-0", REDUCED, 0, true, layouts[2], reduced);
  check_named(p, "weights-1", WEIGHTS, 1, true, layouts[1], update);
  check_named(p, "weights-0", WEIGHTS, 0, false, layouts[0], update);
}

static void test_another_layout_is_refused(void **state) {
  world_run *p = *state;
  train(p, "layout", layouts[0]);
  assert_int_equal(replay(p, "layout", 8, layouts[1]), ORR_ECONFIG);
  small_replay_says("step 7 was trained with dist.zero 0, here it is 1: bits would differ");
  assert_int_equal(replay(p, "layout", 8, layouts[3]), ORR_ECONFIG);
  small_replay_says("was trained with dist.tp 1, here it is 2");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_steps_come_out_the_same_in_every_layout),
      cmocka_unit_test(test_a_flipped_bit_is_named),
      cmocka_unit_test(test_another_layout_is_refused),
  };
  alarm(1200); // a rank that waits for ever ends the test instead of the build
  return cmocka_run_group_tests_name("train/repeat_2", tests, world_run_setup, world_run_teardown);
}
