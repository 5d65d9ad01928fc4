// labels: full mpi; ranks: 3; wrap: train_step_run
// One bit of one replica's weights flips during training: the next comparison names the rank and
// the parameter, and no checkpoint of that step is kept. This program stands between the loop and
// train_step_run (linked with --wrap) to flip it.
#include "tests/train/world_run.h"

#include "train/step/step.h"

// What the next run does to this rank.
typedef struct {
  bool armed;
  int64_t step;          // after this step's update
  const char *parameter; // one of its elements
} flip;
static flip next_flip; // the wrapped function's signature leaves no other way in

orr_code __real_train_step_run(train_step *s, const data_clip_batch *b,
                               const train_step_request *q);
orr_code __wrap_train_step_run(train_step *s, const data_clip_batch *b,
                               const train_step_request *q);

orr_code __wrap_train_step_run(train_step *s, const data_clip_batch *b,
                               const train_step_request *q) {
  const orr_code rc = __real_train_step_run(s, b, q);
  if (!next_flip.armed || q->step != next_flip.step) return rc;
  const train_param *p = train_params_find(&s->state.params, next_flip.parameter);
  const train_weights *w = &s->state.weights;
  assert_non_null(p);
  unsigned char *at = w->work ? (unsigned char *)(w->work + p->at + p->count / 2)
                              : (unsigned char *)(w->master + p->at + p->count / 2);
  *at ^= 1; // the lowest bit of one element
  return rc;
}

static void check_named(world_run *r, const char *name, int bad, int64_t at, const char *parameter,
                        const char *const *more) {
  char rank[32], first[96], latest[64];
  next_flip = (flip){.armed = r->run.rank == bad, .step = at, .parameter = parameter};
  const orr_code rc = world_run_train(r, name, "none", more);
  next_flip = (flip){0};
  snprintf(rank, sizeof rank, "differ: rank %d (", bad);
  snprintf(first, sizeof first, "against the majority, first in %s;", parameter);
  if (rc != ORR_ECORRUPT || !strstr(orr_status_message(), rank) ||
      !strstr(orr_status_message(), first))
    fail_msg("%s: code %d: %s", name, rc, orr_status_message());
  snprintf(first, sizeof first, "%s/ckpt/latest", name);
  small_run_text(&r->run, first, latest, sizeof latest);
  assert_true(strcmp(latest, "step-00000004") < 0); // the step of the comparison
}
#define CHECK(r, name, bad, at, parameter, ...)                                                    \
  check_named(r, name, bad, at, parameter,                                                         \
              (const char *const[]){"train.batch=3", "ckpt.every=1", "ckpt.async=false",           \
                                    __VA_ARGS__, NULL})

static void test_a_flipped_bit_is_named_at_the_next_comparison(void **state) {
  CHECK(*state, "plain", 1, 2, "blocks.1.mlp.up.weight", "dist.check_replicas=4");
  CHECK(*state, "first", 0, 3, "embed.token.weight", "dist.check_replicas=2");
  CHECK(*state, "bf16", 2, 3, "blocks.0.attn.o.weight", "dist.check_replicas=4",
        "run.precision=bf16");
}

// Between two updates, for each makes all weights anew.
static void test_a_flipped_bit_of_shared_out_weights_is_named_before_the_next_update(void **state) {
  for (int bad = 0; bad < 3; bad++) { // in its own part of the states, and in others'
    CHECK(*state, "zero", bad, 3, "blocks.1.mlp.up.weight", "dist.check_replicas=4", "dist.zero=1");
    CHECK(*state, "zero16", bad, 3, "blocks.0.attn.q.weight", "dist.check_replicas=1",
          "dist.zero=1", "run.precision=bf16");
  }
}

static void test_nothing_is_named_where_nothing_flips(void **state) {
  world_run *r = *state;
  for (int zero = 0; zero < 2; zero++) {
    const char *const more[] = {"train.batch=3", "dist.check_replicas=1",
                                zero ? "dist.zero=1" : "dist.zero=0", NULL};
    assert_ok(world_run_train(r, "sound", "none", more));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_flipped_bit_is_named_at_the_next_comparison),
      cmocka_unit_test(test_a_flipped_bit_of_shared_out_weights_is_named_before_the_next_update),
      cmocka_unit_test(test_nothing_is_named_where_nothing_flips),
  };
  alarm(1200); // a rank that waits for ever ends the test instead of the build
  return cmocka_run_group_tests_name("train: flipped bits", tests, world_run_setup,
                                     world_run_teardown);
}
