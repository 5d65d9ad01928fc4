// labels: quick faults; needs: fake_libenv
// A foreign game in a process without rights: it plays, what it may not do it cannot, and a crash,
// a hang or nonsense is one error that names the library and what it was at.
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "data/sim/libenv.h"
#include "tests/base/assert.h"
#include "tests/data/sim/fake_libenv.h"

#define FAKE ORR_BINARY_DIR "/libfake_libenv.so"

static data_libenv_options options(void) {
  return (data_libenv_options){.library = FAKE,
                               .assets = ORR_BINARY_DIR,
                               .game = "fake",
                               .side = FAKE_SIDE,
                               .actions = 15,
                               .patience_s = 60};
}

static data_libenv *create(const data_libenv_options *o) {
  data_libenv *l = NULL;
  if (data_libenv_create(o, &l) != ORR_OK) fail_msg("%s", orr_status_message());
  return l;
}

static void test_it_plays_a_level_from_its_beginning(void **state) {
  const data_libenv_options o = options();
  data_libenv *l = create(&o);
  for (int level = 3; level < 6; level++) {
    data_libenv_outcome out;
    assert_int_equal(data_libenv_begin(l, level), ORR_OK);
    assert_int_equal(data_libenv_frame(l)[0], level);
    assert_int_equal(data_libenv_frame(l)[1], 0);
    for (int t = 1; t <= FAKE_STEPS(level); t++) {
      const bool last = t == FAKE_STEPS(level);
      assert_int_equal(data_libenv_act(l, t, &out), ORR_OK);
      assert_int_equal(out.over, last);
      assert_true(out.reward == (last ? 10 : 0));
      if (!last) assert_int_equal(data_libenv_frame(l)[2], t);
    }
  }
  data_libenv_destroy(l);
}

static void test_it_has_no_rights(void **state) {
  const data_libenv_options o = options();
  data_libenv_outcome out = {.reward = -1};
  const int kept = open("/tmp/orrery-fake-libenv-kept", O_WRONLY | O_CREAT, 0600);
  data_libenv *l = create(&o);
  assert_true(kept >= 0);
  assert_int_equal(data_libenv_begin(l, FAKE_MISBEHAVES), ORR_OK);
  if (data_libenv_act(l, 0, &out) != ORR_OK) fail_msg("%s", orr_status_message());
  data_libenv_destroy(l);
  close(kept);
  assert_int_equal(unlink("/tmp/orrery-fake-libenv-kept"), 0);
  assert_int_equal((int)out.reward, 0);
}

// Plays one level to its first action; the message has all of `words`, and says so again.
static void expect_fault(int level, orr_code code, const char *const *words) {
  data_libenv_options o = options();
  data_libenv_outcome out;
  if (level == FAKE_HANGS) o.patience_s = 1;
  data_libenv *l = create(&o);
  orr_code rc = data_libenv_begin(l, level);
  if (rc == ORR_OK) rc = data_libenv_act(l, 0, &out);
  assert_int_equal(rc, code);
  for (; *words; words++)
    if (!strstr(orr_status_message(), *words))
      fail_msg("'%s' is not in: %s", *words, orr_status_message());
  assert_non_null(strstr(orr_status_message(), FAKE));
  assert_int_equal(data_libenv_begin(l, 1), ORR_EIO);
  assert_non_null(strstr(orr_status_message(), FAKE));
  data_libenv_destroy(l);
}
#define EXPECT_FAULT(level, code, ...)                                                             \
  expect_fault(level, code, (const char *const[]){__VA_ARGS__, NULL})

static void test_a_crash_is_one_error(void **state) {
  EXPECT_FAULT(FAKE_CRASHES, ORR_EIO, "signal 11", "level 200 of fake");
  EXPECT_FAULT(FAKE_CRASHES_AT_ONCE, ORR_EIO, "signal 6", "level 201 of fake");
}

static void test_a_hang_is_one_error(void **state) {
  EXPECT_FAULT(FAKE_HANGS, ORR_EIO, "no answer within 1 s");
}

static void test_one_that_leaves_is_one_error_with_what_it_said(void **state) {
  EXPECT_FAULT(FAKE_LEAVES, ORR_EIO, "ended with status 3", "it said: 'no such picture'");
}

static void test_nonsense_is_one_error(void **state) {
  EXPECT_FAULT(FAKE_REWARDS_NAN, ORR_EFORMAT, "a reward of nan");
  EXPECT_FAULT(FAKE_SCRIBBLES, ORR_EFORMAT, "an answer of the wrong length");
  EXPECT_FAULT(FAKE_OTHER_SIDE, ORR_EFORMAT, "its frames are [64,32,3]", "wanted [64,64,3]");
  EXPECT_FAULT(FAKE_NOTHING, ORR_EFORMAT, "no environment of level 207");
}

static void test_what_is_no_library_is_refused(void **state) {
  data_libenv_options o = options();
  data_libenv *l = NULL;
  o.library = ORR_SOURCE_DIR "/README.md";
  assert_int_equal(data_libenv_create(&o, &l), ORR_EFORMAT);
  assert_non_null(strstr(orr_status_message(), "cannot load it"));
  o.library = ORR_BINARY_DIR "/libfake_libenv.so";
  o.actions = 16;
  assert_int_equal(data_libenv_create(&o, &l), ORR_EFORMAT);
  assert_non_null(strstr(orr_status_message(), "it takes actions 0..14"));
}

static void test_an_action_that_is_none_is_refused(void **state) {
  const data_libenv_options o = options();
  data_libenv_outcome out;
  data_libenv *l = create(&o);
  assert_int_equal(data_libenv_begin(l, -1), ORR_EINVAL);
  assert_int_equal(data_libenv_begin(l, 1), ORR_OK);
  assert_int_equal(data_libenv_act(l, 15, &out), ORR_EINVAL);
  assert_int_equal(data_libenv_act(l, 14, &out), ORR_OK); // and it still plays
  data_libenv_destroy(l);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_it_plays_a_level_from_its_beginning),
      cmocka_unit_test(test_it_has_no_rights),
      cmocka_unit_test(test_a_crash_is_one_error),
      cmocka_unit_test(test_a_hang_is_one_error),
      cmocka_unit_test(test_one_that_leaves_is_one_error_with_what_it_said),
      cmocka_unit_test(test_nonsense_is_one_error),
      cmocka_unit_test(test_what_is_no_library_is_refused),
      cmocka_unit_test(test_an_action_that_is_none_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
