// labels: full mpi; ranks: 2; wrap: train_state_fingerprint_weights
// An exact run, audited on other layouts than it was trained on: all steps come out the same, and
// what was changed - a line, a chain of lines, weights in a step, weights in a checkpoint - is
// named.
#include "tests/train/small_replay.h"
#include "tests/train/world_run.h"
#include "train/observe/fingerprint_log.h"
#include "train/run/audit.h"
#include "train/step/state.h"

#define EXACT "run.exact=true", "ckpt.every=4"

static const char *const data_axis[] = {EXACT, NULL},
                         *const tensor_axis[] = {EXACT, "dist.tp=2", "train.micro_batch=2", NULL},
                         *const context_axis[] = {EXACT, "dist.cp=2", "dist.zero=3",
                                                  "train.recompute=all", NULL};

static int64_t flip_in; // the step, of a run, in which a weight changes; 0 = none
static int64_t taken;   // steps so far

orr_code __real_train_state_fingerprint_weights(train_state *s, uint64_t *sum);
orr_code __wrap_train_state_fingerprint_weights(train_state *s, uint64_t *sum);

orr_code __wrap_train_state_fingerprint_weights(train_state *s, uint64_t *sum) {
  if (!s->k->planning && ++taken == flip_in) s->own_master[40] += 1e-3f;
  return __real_train_state_fingerprint_weights(s, sum);
}

static void train(world_run *p, const char *name, const char *resume, const char *const *more) {
  taken = 0;
  assert_ok(small_run_train_world(&p->run, name, resume, more, p->world));
  assert_ok(dist_barrier(p->world->axis[DIST_AXIS_WORLD]));
}

static orr_code audit(world_run *p, const char *name, double share, const char *const *more) {
  cfg *c = small_run_config(&p->run, name, more);
  char out[32];
  snprintf(out, sizeof out, "stdout-%d", p->run.rank);
  fflush(NULL);
  const int64_t flip = flip_in;
  flip_in = 0;
  const int kept = small_replay_send(&p->run, 1, out);
  const orr_code rc = train_audit(c, &(train_audit_options){.share = share, .seed = 5}, p->world);
  fflush(NULL);
  dup2(kept, 1);
  close(kept);
  cfg_destroy(c);
  flip_in = flip;
  assert_ok(dist_barrier(p->world->axis[DIST_AXIS_WORLD]));
  return rc;
}

// Rank 0 has named it.
static void expect(world_run *p, orr_code rc, const char *says) {
  if (rc != ORR_EDIFFERS) fail_msg("code %d: %s", rc, orr_status_message());
  if (p->run.rank == 0) small_replay_says(says);
}

static void test_all_steps_come_out_the_same_on_other_layouts(void **state) {
  world_run *p = *state;
  train(p, "whole", "none", data_axis);
  assert_ok(audit(p, "whole", 1.0, tensor_axis));
  if (p->run.rank == 0) assert_int_equal(small_replay_lines(&p->run, "equal"), 12);
  assert_ok(audit(p, "whole", 0.2, context_axis));
  if (p->run.rank == 0) assert_true(small_replay_lines(&p->run, "equal") >= 3);
}

// The text of a file of the last checkpoint.
static char *last_file(world_run *p, const char *name, const char *file) {
  char path[256];
  snprintf(path, sizeof path, "%s/ckpt/step-00000012/%s", name, file);
  return folder_text(p->run.root, path);
}

static void test_resumed_on_another_layout_the_weights_and_the_chain_are_the_same(void **state) {
  world_run *p = *state;
  char command[1024];
  train(p, "straight", "none", data_axis);
  train(p, "turned", "none", tensor_axis);
  if (p->run.rank == 0) { // as if it had died after step 8
    snprintf(command, sizeof command, "cd %s/turned/ckpt && rm -r step-00000012 latest",
             p->run.root);
    assert_int_equal(system(command), 0);
  }
  assert_ok(dist_barrier(p->world->axis[DIST_AXIS_WORLD]));
  train(p, "turned", "auto", context_axis);
  assert_ok(audit(p, "turned", 1.0, data_axis));
  if (p->run.rank != 0) return;
  snprintf(
      command, sizeof command,
      "cd %s && for f in straight/ckpt/step-00000012/*.safetensors; do cmp $f turned${f#straight} "
      "|| exit 1; done",
      p->run.root);
  assert_int_equal(system(command), 0);
  char *a = last_file(p, "straight", "manifest.json"), *b = last_file(p, "turned", "manifest.json");
  const char *chain = strstr(a, "\"chain\"");
  assert_non_null(chain);
  char link[80];
  snprintf(link, sizeof link, "%.*s", (int)(strchr(chain, '}') - chain), chain);
  assert_non_null(strstr(b, link));
  orr_free(a);
  orr_free(b);
}

// ROOT/name/record.jsonl with another gradient in step `step`; `forge`: and a chain that fits it.
static void change_line(world_run *p, const char *name, int64_t step, bool forge) {
  char path[512], line[4096];
  cfg *c = small_run_config(&p->run, name, data_axis);
  orr_hash128 chain;
  assert_ok(train_fingerprint_log_first(c, &chain));
  cfg_destroy(c);
  snprintf(path, sizeof path, "%s/%s/record.jsonl", p->run.root, name);
  FILE *in = fopen(path, "r");
  char *text = NULL;
  size_t bytes = 0;
  FILE *out = open_memstream(&text, &bytes);
  while (fgets(line, sizeof line, in)) {
    json_t *j = json_loads(line, 0, NULL);
    const int64_t at = json_integer_value(json_object_get(j, "step"));
    train_fingerprint all[2];
    if (at == step)
      json_array_set_new(json_object_get(j, "gradients"), 0, json_string("0123456789abcdef"));
    for (int f = 0; at && f < TRAIN_FINGERPRINT_PARTS; f++)
      for (size_t i = 0; i < 2; i++)
        all[i].v[f] = strtoull(
            json_string_value(json_array_get(
                json_object_get(j, train_fingerprint_part_name((train_fingerprint_part)f)), i)),
            NULL, 16);
    if (at) {
      const train_fingerprint whole = train_fingerprint_whole(all, 2);
      chain = train_fingerprint_chain(chain, at, &whole);
    }
    if (at && forge) json_object_set_new(j, "chain", json_string(orr_hash_to_hex(chain).s));
    json_dumpf(j, out, 0);
    fputc('\n', out);
    json_decref(j);
  }
  fclose(in);
  fclose(out);
  assert_ok(orr_fs_write_atomic(path, text, bytes));
  free(text);
}

static void test_a_line_that_was_changed_is_named(void **state) {
  world_run *p = *state;
  train(p, "line", "none", data_axis);
  if (p->run.rank == 0) change_line(p, "line", 7, false);
  assert_ok(dist_barrier(p->world->axis[DIST_AXIS_WORLD]));
  expect(p, audit(p, "line", 0.1, tensor_axis), "step 7: its line in record.jsonl is not the one");
}

static void test_a_chain_that_was_forged_is_named_by_what_steps_come_to(void **state) {
  world_run *p = *state;
  train(p, "forged", "none", data_axis);
  if (p->run.rank == 0) change_line(p, "forged", 7, true);
  assert_ok(dist_barrier(p->world->axis[DIST_AXIS_WORLD]));
  expect(p, audit(p, "forged", 1.0, tensor_axis),
         "step 7: gradients of the record cannot be reproduced");
}

static void test_weights_that_changed_in_a_step_are_named(void **state) {
  world_run *p = *state;
  flip_in = 6;
  train(p, "flipped", "none", data_axis);
  flip_in = 0;
  expect(p, audit(p, "flipped", 1.0, data_axis),
         "step 6: weights of the record cannot be reproduced");
}

// One step's checkpoint in the place of another's is whole in itself.
static void test_a_checkpoint_of_another_run_is_named(void **state) {
  world_run *p = *state;
  char command[1024];
  static const char *const other[] = {EXACT, "run.seed=4", NULL};
  train(p, "own", "none", data_axis);
  train(p, "other", "none", other);
  if (p->run.rank == 0) {
    snprintf(command, sizeof command,
             "cd %s && rm -r own/ckpt/step-00000004 && cp -r other/ckpt/step-00000004 own/ckpt/",
             p->run.root);
    assert_int_equal(system(command), 0);
  }
  assert_ok(dist_barrier(p->world->axis[DIST_AXIS_WORLD]));
  expect(p, audit(p, "own", 1.0, data_axis),
         "step 4: the weights in its checkpoint are not those that were recorded");
}

static void test_a_run_that_is_not_exact_is_refused(void **state) {
  world_run *p = *state;
  static const char *const plain[] = {"ckpt.every=4", NULL};
  assert_int_equal(audit(p, "plain", 1.0, plain), ORR_ECONFIG);
  if (p->run.rank == 0) small_replay_says("run.exact is false");
}

// A share of 5 % of 2,000 steps, of which 5 % are not what they say.
static void test_one_share_in_twenty_meets_one_step_in_twenty(void **state) {
  enum { STEPS = 2000, SEEDS = 2000 };
  int caught = 0;
  for (uint64_t seed = 0; seed < SEEDS; seed++) {
    bool chosen[STEPS], met = false;
    int drawn = 0;
    train_audit_draw(STEPS, 0.05, seed, chosen);
    for (uint64_t i = 0; i < STEPS; i++) {
      drawn += chosen[i];
      met |= chosen[i] && orr_rng_below(9, ORR_STREAM_TEST, seed, i, 20) == 0;
    }
    assert_int_equal(drawn, STEPS / 20);
    caught += met;
  }
  assert_true(caught >= 0.99 * SEEDS); /* 1 - 0.95^100 = 0.994 */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_all_steps_come_out_the_same_on_other_layouts),
      cmocka_unit_test(test_resumed_on_another_layout_the_weights_and_the_chain_are_the_same),
      cmocka_unit_test(test_a_line_that_was_changed_is_named),
      cmocka_unit_test(test_a_chain_that_was_forged_is_named_by_what_steps_come_to),
      cmocka_unit_test(test_weights_that_changed_in_a_step_are_named),
      cmocka_unit_test(test_a_checkpoint_of_another_run_is_named),
      cmocka_unit_test(test_a_run_that_is_not_exact_is_refused),
      cmocka_unit_test(test_one_share_in_twenty_meets_one_step_in_twenty),
  };
  alarm(1200); // a rank that waits for ever ends the test instead of the build
  return cmocka_run_group_tests_name("train/audit_2", tests, world_run_setup, world_run_teardown);
}
