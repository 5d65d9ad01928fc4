// labels: quick
// Messages: one a thread, safe to build from the one before, and cut instead of overflowing.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#include "base/status.h"

static orr_code check_even(int n) {
  ORR_CHECK(n % 2 == 0, ORR_EINVAL, "number %d is odd", n);
  return ORR_OK;
}

static orr_code pass_on(int n) {
  ORR_TRY(check_even(n));
  return ORR_OK;
}

static orr_code with_ladder(int n, int *undone) {
  orr_code rc = ORR_OK;
  ORR_TRY_GOTO(check_even(n), undo);
  ORR_CHECK_GOTO(n > 0, undo, ORR_ENOTFOUND, "number %d is not positive", n);
  return ORR_OK;
undo:
  *undone = 1;
  return rc;
}

static void test_the_first_to_see_a_fault_records_it_and_callers_pass_it_on(void **state) {
  assert_int_equal(pass_on(4), ORR_OK);
  assert_int_equal(pass_on(3), ORR_EINVAL);
  assert_string_equal(orr_status_message(), "number 3 is odd");
}

static void test_the_ladder_runs_on_either_kind_of_failure(void **state) {
  int undone = 0;
  assert_int_equal(with_ladder(2, &undone), ORR_OK);
  assert_int_equal(undone, 0);
  assert_int_equal(with_ladder(1, &undone), ORR_EINVAL);
  assert_int_equal(undone, 1);
  undone = 0;
  assert_int_equal(with_ladder(-2, &undone), ORR_ENOTFOUND);
  assert_int_equal(undone, 1);
}

static void test_a_message_may_quote_the_one_it_replaces(void **state) {
  ORR_FAIL(ORR_EIO, "inner");
  ORR_FAIL(ORR_EIO, "outer: %s", orr_status_message());
  assert_string_equal(orr_status_message(), "outer: inner");
}

static void test_a_long_message_is_cut(void **state) {
  char text[2 * ORR_STATUS_MESSAGE_MAX];
  memset(text, 'x', sizeof text);
  text[sizeof text - 1] = 0;
  ORR_FAIL(ORR_EIO, "%s", text);
  assert_int_equal(strlen(orr_status_message()), ORR_STATUS_MESSAGE_MAX - 1);
  orr_status_set(text);
  assert_int_equal(strlen(orr_status_message()), ORR_STATUS_MESSAGE_MAX - 1);
  char small[4];
  orr_status_copy(small, sizeof small);
  assert_string_equal(small, "xxx");
}

static void *worker(void *out) {
  orr_status_clear();
  ORR_FAIL(ORR_ECORRUPT, "seen by the worker");
  orr_status_copy(out, 64);
  return NULL;
}

static void test_threads_do_not_see_each_others_messages_unless_carried_over(void **state) {
  char carried[64];
  pthread_t t;
  ORR_FAIL(ORR_EIO, "of the owner");
  assert_int_equal(pthread_create(&t, NULL, worker, carried), 0);
  pthread_join(t, NULL);
  assert_string_equal(orr_status_message(), "of the owner");
  orr_status_set(carried);
  assert_string_equal(orr_status_message(), "seen by the worker");
}

static void test_every_code_has_a_name_of_its_own(void **state) {
  for (int a = ORR_OK; a <= ORR_EBUSY; a++) {
    assert_string_not_equal(orr_code_name((orr_code)a), "unknown");
    for (int b = ORR_OK; b < a; b++) {
      assert_string_not_equal(orr_code_name((orr_code)a), orr_code_name((orr_code)b));
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_first_to_see_a_fault_records_it_and_callers_pass_it_on),
      cmocka_unit_test(test_the_ladder_runs_on_either_kind_of_failure),
      cmocka_unit_test(test_a_message_may_quote_the_one_it_replaces),
      cmocka_unit_test(test_a_long_message_is_cut),
      cmocka_unit_test(test_threads_do_not_see_each_others_messages_unless_carried_over),
      cmocka_unit_test(test_every_code_has_a_name_of_its_own),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
