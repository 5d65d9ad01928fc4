// labels: quick
// --action-range auto: outliers do not squash what is usual, zero stays zero, buttons keep their
// two ends, and what is clipped is said.
#include "data/import/ranges.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "tests/base/assert.h"

#define ROWS 2000
enum { EVEN, OUTLIER, POSITION, BUTTON, RARE, CONSTANT, ONE_SIDED, TAILS, COLUMNS };

static float value(int64_t t, int column) {
  const float even =
      2 * (float)orr_rng_uniform(3, ORR_STREAM_TEST, (uint64_t)column, (uint64_t)t) - 1;
  switch (column) {
  case OUTLIER:
    return t == 700 ? 300 : even;
  case POSITION:
    return 400 + 200 * even; // 200 to 600: no zero to keep
  case BUTTON:
    return even > 0;
  case RARE:
    return t % 500 == 7 ? 5 : 0; // four times in all
  case CONSTANT:
    return 3;
  case ONE_SIDED:
    return even + 1; // 0 to 2
  case TAILS:
    return -3 * logf(1 - fabsf(even) * 0.999f) * (even < 0 ? -1 : 1);
  default:
    return even;
  }
}

static data_import_values gather(int64_t rows) {
  data_import_values v = {0};
  for (int64_t t = 0; t < rows; t++) {
    float row[COLUMNS];
    for (int c = 0; c < COLUMNS; c++) row[c] = value(t, c);
    assert_ok(data_import_values_add(&v, COLUMNS, row, 1));
  }
  return v;
}

static void test_ranges_follow_what_is_usual(void **state) {
  const int64_t sizes[] = {60, ROWS, 200000}; // the last one more than are kept
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
    double r[COLUMNS][2];
    data_import_values v = gather(sizes[s]);
    assert_ok(data_import_ranges_find(&v, r));
    const double limit = s ? 1 : 1.0001;
    assert_true(r[EVEN][1] > 0.9 && r[EVEN][1] <= limit && r[EVEN][0] == -r[EVEN][1]);
    assert_true(r[OUTLIER][1] < 2.1 && r[OUTLIER][0] == -r[OUTLIER][1]); // not 300
    assert_true(r[POSITION][0] >= 200 && r[POSITION][0] < 225 && r[POSITION][1] > 575);
    assert_true(r[BUTTON][0] == -1 && r[BUTTON][1] == 1); // 0 stays 0
    assert_true(r[RARE][0] == -5 && r[RARE][1] == 5);
    assert_true(r[CONSTANT][0] == 3 && r[CONSTANT][1] == 3);
    assert_true(r[ONE_SIDED][0] == -r[ONE_SIDED][1] && r[ONE_SIDED][1] > 1.9);
    assert_true(r[TAILS][1] > 6 && r[TAILS][0] == -r[TAILS][1]);
    data_import_values_release(&v);
  }
}

static void test_what_is_clipped_or_far_is_said(void **state) {
  static const char *const names[COLUMNS] = {"even", "outlier",  "position",  "button",
                                             "rare", "constant", "one_sided", "tails"};
  double r[COLUMNS][2];
  static data_import_notes notes;
  data_import_values v = gather(ROWS);
  assert_ok(data_import_ranges_find(&v, r));
  data_import_ranges_note(&v, r, names, &notes);
  assert_int_equal(notes.count[DATA_NOTE_RANGE], 0);
  assert_true(notes.count[DATA_NOTE_CLIPPED] >= 1);
  assert_non_null(strstr(notes.text[DATA_NOTE_CLIPPED], "outlier"));
  assert_non_null(strstr(notes.text[DATA_NOTE_CLIPPED], "300"));
  data_import_ranges_note(&v, NULL, names, &notes);
  assert_int_equal(notes.count[DATA_NOTE_RANGE], 3); // the outlier, the position, the tails
  assert_non_null(strstr(notes.text[DATA_NOTE_RANGE], "--action-range auto"));
  data_import_values_release(&v);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_ranges_follow_what_is_usual),
      cmocka_unit_test(test_what_is_clipped_or_far_is_said),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
