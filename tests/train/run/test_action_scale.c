// labels: quick
// Actions of another scale than a model's are found, once, with their component.
#include "train/run/action_scale.h"

#include "tests/base/assert.h"

static void test_far_actions_are_found_once(void **state) {
  float action[2 * 3 * 2] = {0.5f, -1, 0, 9.5f, -10, 0, 1, 1, 1, 1, 1, 1}, value = 0;
  const data_clip_batch b = {.B = 2, .T = 3, .A = 2, .action = action};
  train_action_scale s = {0};
  int64_t component = -1;
  assert_false(train_action_scale_look(&s, &b, &value, &component)); // large, but not far
  action[7] = -300;
  assert_true(train_action_scale_look(&s, &b, &value, &component));
  assert_true(value == -300 && component == 1);
  assert_false(train_action_scale_look(&s, &b, &value, &component));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_far_actions_are_found_once)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
