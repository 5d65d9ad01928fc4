// labels: quick
// Tables of actions: what counts as one, which columns are taken, and what is said of bad ones.
#include "tests/data/shards.h"

#include <math.h>

#include "data/import/table.h"

typedef orr_code (*read_fn)(const char *path, const char *text, size_t bytes, data_words wanted,
                            data_table *out);

#define WORDS(...)                                                                                 \
  (data_words) {                                                                                   \
    (const char *const[]){__VA_ARGS__},                                                            \
        sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)                                \
  }
static const data_words usual = {NULL, 0};

// The table must have these names and numbers; NAN matches NAN.
static void expect(read_fn read, const char *text, data_words wanted, int64_t rows, int64_t columns,
                   const char *const *names, const float *v) {
  data_table t = {0};
  if (read("t", text, strlen(text), wanted, &t) != ORR_OK) fail_msg("%s", orr_status_message());
  assert_true(t.rows == rows && t.columns == columns);
  for (int64_t i = 0; i < columns; i++) assert_string_equal(t.names[i], names[i]);
  for (int64_t i = 0; i < rows * columns; i++)
    assert_true(t.v[i] == v[i] || (isnan(t.v[i]) && isnan(v[i])));
  data_table_release(&t);
}

#define NAMES(...) ((const char *const[]){__VA_ARGS__})
#define ROWS(...)  ((const float[]){__VA_ARGS__})

static void test_csv(void **state) {
  const char *plain = "t,action_0,actionable,action_1\n0,1,9,-2.5\n1,1e-3,9,+4\n";
  expect(data_table_read_csv, plain, usual, 2, 2, NAMES("action_0", "action_1"),
         ROWS(1, -2.5f, 1e-3f, 4));
  expect(data_table_read_csv, plain, WORDS("action_1", "t"), 2, 2, NAMES("action_1", "t"),
         ROWS(-2.5f, 0, 4, 1));
  // as spreadsheets write: a mark, CRLF, quotes, no newline at the end, an empty cell
  expect(data_table_read_csv, "\xef\xbb\xbf\"a \"\"b\"\", c\",action\r\n\"1\",\r\n2,\"True\"",
         WORDS("a \"b\", c", "action"), 2, 2, NAMES("a \"b\", c", "action"), ROWS(1, NAN, 2, 1));
  // as pandas writes lists of numpy's and of Python's
  expect(data_table_read_csv, "action,x\n[0.5 -1.  2.],1\n\"[3, 4,5]\",2\n", usual, 2, 3,
         NAMES("action_0", "action_1", "action_2"), ROWS(0.5f, -1, 2, 3, 4, 5));
}

static void test_json_lines(void **state) {
  expect(data_table_read_jsonl,
         "{\"action\": [1, true, null], \"t\": 0}\n\n{\"t\": 1, \"action\": [2.5, false, 3]}",
         usual, 2, 3, NAMES("action_0", "action_1", "action_2"), ROWS(1, 1, NAN, 2.5f, 0, 3));
  expect(data_table_read_jsonl, "{\"robot\": {\"arm\": {\"x\": 1}}, \"a.b\": 2}\n",
         WORDS("a.b", "robot.arm.x"), 1, 2, NAMES("a.b", "robot.arm.x"), ROWS(2, 1));
}

static void test_bad_tables_are_named(void **state) {
  static const struct {
    read_fn read;
    const char *text, *named[3];
  } bad[] = {
      {data_table_read_csv, "", {"--actions"}},
      {data_table_read_csv, "x,y\n1,2\n", {"--actions", "x, y"}},
      {data_table_read_csv, "action\n", {"no row"}},
      {data_table_read_csv, "action\n1\nfast\n", {"line 3", "action", "fast"}},
      {data_table_read_csv, "action\n1 2\n", {"line 2", "1 2"}},
      {data_table_read_csv, "action,x\n1,2\n1\n", {"line 3", "1 cells", "wanted 2"}},
      {data_table_read_csv, "action\n\"1\n", {"line 2", "quote"}},
      {data_table_read_csv, "action\n[1 2]\n[1]\n", {"line 3", "1 numbers", "wanted 2"}},
      {data_table_read_csv, "action\n[]\n", {"line 2", "0 numbers"}},
      {data_table_read_csv, "action\n[1 2] 3\n", {"line 2", "[1 2] 3"}},
      {data_table_read_jsonl, "", {"no row"}},
      {data_table_read_jsonl, "[1]\n", {"line 1", "{"}},
      {data_table_read_jsonl, "{\"x\": 1}\n", {"--actions", "x"}},
      {data_table_read_jsonl, "{\"action\": 1}\n{\"action\": \n", {"line 2", "JSON"}},
      {data_table_read_jsonl, "{\"action\": 1}\n{\"act\": 1}\n", {"line 2", "action", "act"}},
      {data_table_read_jsonl, "{\"action\": \"up\"}\n", {"line 1", "action", "number"}},
      {data_table_read_jsonl, "{\"action\": [1, [2]]}\n", {"line 1", "action", "list of numbers"}},
      {data_table_read_jsonl, "{\"action\": NaN}\n", {"line 1", "JSON"}},
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    data_table t = {0};
    orr_code rc = bad[i].read("t.file", bad[i].text, strlen(bad[i].text), usual, &t);
    if (rc != ORR_EFORMAT && rc != ORR_ENOTFOUND) fail_msg("accepted: %s", bad[i].text);
    assert_message_names("t.file");
    for (int k = 0; k < 3 && bad[i].named[k]; k++) assert_message_names(bad[i].named[k]);
  }
  data_table t = {0};
  assert_int_equal(data_table_read_csv("t.csv", "a,b\n1,2\n", 8, WORDS("c"), &t), ORR_ENOTFOUND);
  assert_message_names("t.csv", "no column c", "a, b");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_csv),
      cmocka_unit_test(test_json_lines),
      cmocka_unit_test(test_bad_tables_are_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
