// labels: quick
// The edit distance and the choice of a suggestion.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/nearest.h"

static void test_distance_counts_insertions_deletions_replacements_and_swaps(void **state) {
  assert_int_equal(orr_edit_distance("", ""), 0);
  assert_int_equal(orr_edit_distance("", "abc"), 3);
  assert_int_equal(orr_edit_distance("abc", ""), 3);
  assert_int_equal(orr_edit_distance("abc", "abc"), 0);
  assert_int_equal(orr_edit_distance("abc", "abxc"), 1);
  assert_int_equal(orr_edit_distance("abxc", "abc"), 1);
  assert_int_equal(orr_edit_distance("abc", "axc"), 1);
  assert_int_equal(orr_edit_distance("abc", "acb"), 1);
  assert_int_equal(orr_edit_distance("kitten", "sitting"), 3);
}

static const char *nearest_of(const char *word) {
  orr_nearest n = orr_nearest_start(word);
  orr_nearest_offer(&n, "width");
  orr_nearest_offer(&n, "heads");
  orr_nearest_offer(&n, "kv_heads");
  orr_nearest_offer(&n, "schedule");
  return n.best;
}

static void test_the_nearest_name_is_suggested_and_nothing_that_is_far(void **state) {
  assert_string_equal(nearest_of("widht"), "width");
  assert_string_equal(nearest_of("head"), "heads");
  assert_string_equal(nearest_of("kv_head"), "kv_heads");
  assert_string_equal(nearest_of("shedull"), "schedule");
  assert_null(nearest_of("learning_rate"));
  assert_null(nearest_of("x"));
  assert_null(nearest_of(""));
}

static void test_words_of_any_length_are_compared(void **state) {
  char a[300], b[300];
  for (int i = 0; i < 299; i++) a[i] = b[i] = 'a';
  a[299] = b[299] = 0;
  b[0] = 'b';
  assert_int_equal(orr_edit_distance(a, b), 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_distance_counts_insertions_deletions_replacements_and_swaps),
      cmocka_unit_test(test_the_nearest_name_is_suggested_and_nothing_that_is_far),
      cmocka_unit_test(test_words_of_any_length_are_compared),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
