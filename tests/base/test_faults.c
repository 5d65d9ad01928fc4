// labels: quick
// Lists of faults: one alone is told as it is, several are numbered, and what the user cannot mend
// is no part of a list.
#include "tests/base/assert.h"

#include <stdio.h>

#include "base/faults.h"

static void test_an_empty_list_is_no_fault(void **state) {
  orr_faults f = {0};
  assert_ok(orr_faults_take(&f, ORR_OK));
  assert_ok(orr_faults_end(&f));
}

static void test_one_fault_keeps_its_message_and_code(void **state) {
  orr_faults f = {0};
  assert_ok(orr_faults_take(&f, ORR_FAIL(ORR_EINVAL, "a: got 1, wanted 2")));
  assert_string_equal(orr_status_message(), "");
  assert_int_equal(orr_faults_end(&f), ORR_EINVAL);
  assert_string_equal(orr_status_message(), "a: got 1, wanted 2");
}

static void test_several_are_numbered_lines_under_the_code_of_the_first(void **state) {
  orr_faults f = {0};
  assert_ok(orr_faults_take(&f, ORR_FAIL(ORR_ECONFIG, "the first")));
  assert_ok(orr_faults_take(&f, ORR_OK));
  assert_ok(orr_faults_take(&f, ORR_FAIL(ORR_ENOTFOUND, "another")));
  assert_int_equal(orr_faults_end(&f), ORR_ECONFIG);
  assert_string_equal(orr_status_message(), "2 faults:\n  1. the first\n  2. another");
}

static void test_what_nobody_can_mend_ends_at_once(void **state) {
  orr_faults f = {0};
  assert_int_equal(orr_faults_take(&f, ORR_FAIL(ORR_ENOMEM, "out of memory")), ORR_ENOMEM);
  assert_int_equal(orr_faults_take(&f, ORR_FAIL(ORR_ESTOPPED, "stopped")), ORR_ESTOPPED);
  assert_int_equal(f.count, 0);
}

static void test_more_than_a_message_holds_is_cut_and_counted(void **state) {
  orr_faults f = {0};
  for (int i = 0; i < 100; i++)
    assert_ok(
        orr_faults_take(&f, ORR_FAIL(ORR_EINVAL, "fault %d of a rather long description", i)));
  assert_int_equal(orr_faults_end(&f), ORR_EINVAL);
  assert_int_equal(strncmp(orr_status_message(), "100 faults:\n  1. fault 0", 23), 0);
  assert_true(strlen(orr_status_message()) < ORR_STATUS_MESSAGE_MAX);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_an_empty_list_is_no_fault),
      cmocka_unit_test(test_one_fault_keeps_its_message_and_code),
      cmocka_unit_test(test_several_are_numbered_lines_under_the_code_of_the_first),
      cmocka_unit_test(test_what_nobody_can_mend_ends_at_once),
      cmocka_unit_test(test_more_than_a_message_holds_is_cut_and_counted),
  };
  return cmocka_run_group_tests_name("base/faults", tests, NULL, NULL);
}
