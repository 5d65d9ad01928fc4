// labels: quick
// Parquet files that pyarrow wrote (tests/fuzz/seeds/parquet.py), in four ways of packing: every
// value is what was written, whichever row is read first; what is not read is refused by name.
#include "data/import/parquet/parquet.h"

#include <math.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "tests/base/folder.h"

#define ROWS 40
static const char *const files[] = {"snappy", "zstd_v2", "gzip_plain", "none_split"};
enum { FILES = sizeof files / sizeof *files };

static data_parquet *open_seed(const char *name) {
  char path[600];
  data_parquet *p = NULL;
  snprintf(path, sizeof path, "%s/tests/fuzz/seeds/parquet/%s.parquet", ORR_SOURCE_DIR, name);
  if (data_parquet_open(path, &p) != ORR_OK) fail_msg("%s", orr_status_message());
  return p;
}

static double wanted(const char *column, int64_t row, int64_t k) {
  const double action[] = {(double)row * 0.5, (double)-row, (double)(row % 3)};
  if (strcmp(column, "action") == 0 || strcmp(column, "nested") == 0) return action[k];
  if (strcmp(column, "episode_index") == 0) return (double)(row / 16);
  if (strcmp(column, "small") == 0) return (double)(row % 7 - 3);
  if (strcmp(column, "done") == 0) return row % 16 == 15;
  if (strcmp(column, "holes") == 0) return row % 5 == 0 ? NAN : (double)row / 4;
  return 1.7e9 + (double)row * 0.05; // "when", in seconds
}

static void expect_rows(data_parquet *p, const char *column, int64_t width, int64_t first,
                        int64_t rows) {
  data_parquet_numbers n;
  int i = data_parquet_find(p, column);
  assert_true(i >= 0 && data_parquet_is_numbers(p, i));
  if (data_parquet_read(p, i, first, rows, &n) != ORR_OK) fail_msg("%s", orr_status_message());
  assert_true(n.rows == rows && n.width == width);
  for (int64_t t = 0; t < rows * width; t++) {
    double want = wanted(column, first + t / width, t % width);
    // a time stamp of 2023 as a double: 2^-22 s apart
    if (isnan(want) ? !isnan(n.v[t]) : fabs(n.v[t] - want) > 1e-6)
      fail_msg("%s, row %d: %.9g, wanted %.9g", column, (int)(first + t / width), n.v[t], want);
  }
  orr_free(n.v);
}

static void test_numbers_are_what_pyarrow_wrote(void **state) {
  static const struct {
    const char *name;
    int64_t width;
  } columns[] = {{"action", 3}, {"nested", 2}, {"episode_index", 1}, {"small", 1},
                 {"done", 1},   {"holes", 1},  {"when", 1}};
  for (int f = 0; f < FILES; f++) {
    data_parquet *p = open_seed(files[f]);
    assert_true(data_parquet_rows(p) == ROWS && data_parquet_columns(p) == 10);
    for (size_t c = 0; c < sizeof columns / sizeof *columns; c++) {
      expect_rows(p, columns[c].name, columns[c].width, 0, ROWS);
      expect_rows(p, columns[c].name, columns[c].width, 15, 3); // over the end of a row group
      expect_rows(p, columns[c].name, columns[c].width, ROWS - 1, 1);
    }
    data_parquet_close(p);
  }
}

static void test_bytes_are_what_pyarrow_wrote(void **state) {
  for (int f = 0; f < FILES; f++) {
    data_parquet *p = open_seed(files[f]);
    int pictures = data_parquet_find(p, "picture.bytes"),
        paths = data_parquet_find(p, "picture.path");
    assert_true(data_parquet_is_bytes(p, pictures) && !data_parquet_is_numbers(p, pictures));
    for (int step = 1; step < 20; step += 6) { // every one, and some that lie groups apart
      data_parquet_values *v, *w;
      assert_int_equal(data_parquet_values_open(p, pictures, &v), ORR_OK);
      assert_int_equal(data_parquet_values_open(p, paths, &w), ORR_OK);
      for (int64_t row = 0; row < ROWS; row += step) {
        const uint8_t *bytes;
        char want[16];
        size_t size;
        if (data_parquet_values_get(v, row, &bytes, &size) != ORR_OK)
          fail_msg("%s", orr_status_message());
        assert_int_equal(size, row % 4);
        for (size_t i = 0; i < size; i++) assert_int_equal(bytes[i], row);
        snprintf(want, sizeof want, "%d.png", (int)row);
        for (int again = 0; again < 2; again++) // the same row may be asked for twice
          assert_int_equal(data_parquet_values_get(w, row, &bytes, &size), ORR_OK);
        assert_true(row % 2 ? !bytes && !size : size == strlen(want) && !memcmp(bytes, want, size));
      }
      data_parquet_values_close(v);
      data_parquet_values_close(w);
    }
    data_parquet_close(p);
  }
}

static void test_what_cannot_be_read_is_named(void **state) {
  char path[400];
  data_parquet *p = open_seed("snappy");
  data_parquet_numbers n;
  data_parquet_values *v;
  assert_int_equal(data_parquet_read(p, data_parquet_find(p, "task"), 0, 1, &n), ORR_EFORMAT);
  assert_message_names("snappy.parquet", "task");
  assert_int_equal(data_parquet_read(p, 0, 30, 20, &n), ORR_EINVAL);
  assert_int_equal(data_parquet_values_open(p, 0, &v), ORR_EFORMAT);
  data_parquet_close(p);
  snprintf(path, sizeof path, "%s/no.parquet", *(char **)state);
  assert_int_equal(orr_fs_write_atomic(path, "PAR1 half of it", 15), ORR_OK);
  assert_int_equal(data_parquet_open(path, &p), ORR_EFORMAT);
  assert_message_names("no.parquet", "not written to its end");
  assert_int_equal(orr_fs_write_atomic(path, "PAR1________PARE", 16), ORR_OK);
  assert_int_equal(data_parquet_open(path, &p), ORR_EUNSUPPORTED);
  assert_message_names("encrypted");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_numbers_are_what_pyarrow_wrote),
      cmocka_unit_test(test_bytes_are_what_pyarrow_wrote),
      cmocka_unit_test_setup_teardown(test_what_cannot_be_read_is_named, folder_setup,
                                      folder_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
