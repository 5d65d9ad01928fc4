// labels: quick
// Tables of actions: what counts as one, which columns are taken, and what is said of bad ones.
#include "tests/data/shards.h"

#include <math.h>

#include "data/import/table/table.h"

typedef orr_code (*read_fn)(const char *path, const char *text, size_t bytes,
                            const data_table_wish *wish, data_table *out);

#define WORDS(...)                                                                                 \
  (data_words) {                                                                                   \
    (const char *const[]){__VA_ARGS__},                                                            \
        sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)                                \
  }
static const data_words usual = {NULL, 0};

// The table must have these names and numbers; NAN matches NAN.
static void expect(read_fn read, const char *text, data_words wanted, int64_t rows, int64_t columns,
                   const char *const *names, const double *v) {
  data_table t = {0};
  if (read("t", text, strlen(text), &(data_table_wish){.columns = wanted}, &t) != ORR_OK)
    fail_msg("%s", orr_status_message());
  assert_true(t.rows == rows && t.columns == columns);
  for (int64_t i = 0; i < columns; i++) assert_string_equal(t.names[i], names[i]);
  for (int64_t i = 0; i < rows * columns; i++)
    assert_true(t.v[i] == v[i] || (isnan(t.v[i]) && isnan(v[i])));
  data_table_release(&t);
}

#define NAMES(...) ((const char *const[]){__VA_ARGS__})
#define ROWS(...)  ((const double[]){__VA_ARGS__})

static void test_csv(void **state) {
  const char *plain = "t,action_0,actionable,action_1\n0,1,9,-2.5\n1,1e-3,9,+4\n";
  expect(data_table_read_csv, plain, usual, 2, 2, NAMES("action_0", "action_1"),
         ROWS(1, -2.5, 1e-3, 4));
  expect(data_table_read_csv, plain, WORDS("action_1", "t"), 2, 2, NAMES("action_1", "t"),
         ROWS(-2.5, 0, 4, 1));
  // as spreadsheets write: a mark, CRLF, quotes, no newline at the end, an empty cell
  expect(data_table_read_csv, "\xef\xbb\xbf\"a \"\"b\"\", c\",action\r\n\"1\",\r\n2,\"True\"",
         WORDS("a \"b\", c", "action"), 2, 2, NAMES("a \"b\", c", "action"), ROWS(1, NAN, 2, 1));
  // as pandas writes lists of numpy's and of Python's
  expect(data_table_read_csv, "action,x\n[0.5 -1.  2.],1\n\"[3, 4,5]\",2\n", usual, 2, 3,
         NAMES("action_0", "action_1", "action_2"), ROWS(0.5, -1, 2, 3, 4, 5));
}

static void test_json_lines(void **state) {
  expect(data_table_read_jsonl,
         "{\"action\": [1, true, null], \"t\": 0}\n\n{\"t\": 1, \"action\": [2.5, false, 3]}",
         usual, 2, 3, NAMES("action_0", "action_1", "action_2"), ROWS(1, 1, NAN, 2.5, 0, 3));
  expect(data_table_read_jsonl, "{\"robot\": {\"arm\": {\"x\": 1}}, \"a.b\": 2}\n",
         WORDS("a.b", "robot.arm.x"), 1, 2, NAMES("a.b", "robot.arm.x"), ROWS(2, 1));
}

// As spreadsheets abroad, numpy and pandas write.
static void test_csv_of_other_programs(void **state) {
  expect(data_table_read_csv, "sep=;\r\ntime;action_0;action_1\r\n0;0,75;-1,5e2\r\n1;1;.5\r\n",
         usual, 2, 2, NAMES("action_0", "action_1"), ROWS(0.75, -150, 1, 0.5));
  expect(data_table_read_csv, "action\tx\n1.5\t2\n", usual, 1, 1, NAMES("action"), ROWS(1.5));
  expect(data_table_read_csv, "t,action\n0,\"0,25\"\n", usual, 1, 1, NAMES("action"), ROWS(0.25));
  expect(data_table_read_csv, "# t, action_0 ,action_1\n0,1,2\n", usual, 1, 2,
         NAMES("action_0", "action_1"), ROWS(1, 2));
  expect(data_table_read_csv, "t,action\n0,\"[1.\n 2.]\"\n1,\"[[3 -4]]\"\n", usual, 2, 2,
         NAMES("action_0", "action_1"), ROWS(1, 2, 3, -4));
  expect(data_table_read_csv,
         "action\n\"array([1., nan], dtype=float32)\"\n\"tensor([3, 4], device='cuda:0')\"\n",
         usual, 2, 2, NAMES("action_0", "action_1"), ROWS(1, NAN, 3, 4));
  expect(data_table_read_csv, "action,x\nNone,1\nn/a,1\n-,1\n-.5,1\n", usual, 4, 1, NAMES("action"),
         ROWS(NAN, NAN, NAN, -0.5));
  expect(data_table_read_csv, "0.5,7\n-1,8\n", WORDS("1", "0"), 2, 2, NAMES("1", "0"),
         ROWS(7, 0.5, 8, -1)); // no line of names
  expect(data_table_read_csv, "0,1\n-1,8\n", WORDS("1"), 1, 1, NAMES("1"), ROWS(8)); // one
  expect(data_table_read_csv, "action_timestamp,action_x,action_is_pad\n9,1,0\n", usual, 1, 1,
         NAMES("action_x"), ROWS(1));
}

static void test_json_lines_of_other_programs(void **state) {
  expect(data_table_read_jsonl,
         "\xef\xbb\xbf{\"action\": [1, 2], \"s\": \"a \\\"NaN\"}\n{\"action\": [NaN, -Infinity], "
         "\"s\": \"\"}\n",
         usual, 2, 2, NAMES("action_0", "action_1"), ROWS(1, 2, NAN, -INFINITY));
  expect(data_table_read_jsonl, "{\"action\": [[1, 2], [3, 4]]}\n", usual, 1, 4,
         NAMES("action_0", "action_1", "action_2", "action_3"), ROWS(1, 2, 3, 4));
  expect(data_table_read_jsonl, "{\"action\": \"0.5\"}\n", usual, 1, 1, NAMES("action"), ROWS(0.5));
}

// Time stamps: the column by its name, its unit, dates.
static void expect_times(read_fn read, const char *text, const char *wanted, const char *name,
                         double unit, double first, double second) {
  data_table t = {0};
  if (read("t", text, strlen(text), &(data_table_wish){.time = wanted}, &t) != ORR_OK)
    fail_msg("%s", orr_status_message());
  if (!name) {
    assert_null(t.times);
  } else {
    assert_string_equal(t.time_name, name);
    assert_true(t.time_unit == unit && t.times[0] == first && t.times[1] == second);
  }
  data_table_release(&t);
}

static void test_times(void **state) {
  const read_fn csv = data_table_read_csv, jsonl = data_table_read_jsonl;
  expect_times(csv, "time,action\n0,1\n0.05,2\n", NULL, "time", 0, 0, 0.05);
  expect_times(csv, "action,action_timestamp,timestamp\n1,8,0\n1,9,1\n", NULL, "timestamp", 0, 0,
               1);
  expect_times(csv, "action,when\n1,8\n1,9\n", NULL, NULL, 0, 0, 0);
  expect_times(csv, "action,when\n1,8\n1,9\n", "when", "when", 0, 8, 9);
  expect_times(csv, "time_ms,action\n0,1\n50,2\n", NULL, "time_ms", 1e-3, 0, 50);
  expect_times(csv, "datetime,action\n1970-01-01 00:01:00.5,1\n1970-01-01T01:00:00+01:00,2\n", NULL,
               "datetime", 1, 60.5, 0);
  expect_times(jsonl, "{\"t\": 1.5, \"action\": 1}\n{\"t\": 2, \"action\": 1}\n", NULL, "t", 0, 1.5,
               2);
}

static void test_words_become_their_numbers(void **state) {
  static const char *const words[] = {"left", "right", "no move"};
  static const data_one_hot one_hot[] = {{"action", 3, words}};
  const data_table_wish wish = {.one_hot = one_hot, .one_hot_count = 1};
  data_table t = {0};
  assert_int_equal(data_table_read_csv("t", "action\nright\nno move\n", 21, &wish, &t), ORR_OK);
  assert_true(t.rows == 2 && t.v[0] == 1 && t.v[1] == 2);
  data_table_release(&t);
  assert_int_equal(data_table_read_csv("t", "action\nup\n", 10, &wish, &t), ORR_EFORMAT);
  assert_message_names("line 2", "'up'");
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
      {data_table_read_jsonl, "{\"action\": NaN1}\n", {"line 1", "JSON"}},
      {data_table_read_csv,
       "\xff\xfe"
       "a,b\n",
       {"UTF-16"}},
      {data_table_read_jsonl, "\xff\xfe{}\n", {"UTF-16"}},
      {data_table_read_csv, "0.5,1\n2,3\n", {"first line holds numbers", "--actions 0,1"}},
      {data_table_read_csv, "action;x\n1;2\n1,5;2;3\n", {"line 3", "3 cells", "end at ';'"}},
      {data_table_read_csv, "action\n\"[1\n 2\n\n... 3]\"\n", {"line 2", "threshold"}},
      {data_table_read_csv, "action\n\"[1\n 2]\"\nleft\n", {"line 4", "left", "--one-hot"}},
      {data_table_read_csv, "action_timestamp,dx\n1,2\n", {"--actions", "action_timestamp, dx"}},
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    data_table t = {0};
    orr_code rc = bad[i].read("t.file", bad[i].text, strlen(bad[i].text),
                              &(data_table_wish){.columns = usual}, &t);
    if (rc != ORR_EFORMAT && rc != ORR_ENOTFOUND) fail_msg("accepted: %s", bad[i].text);
    assert_message_names("t.file");
    for (int k = 0; k < 3 && bad[i].named[k]; k++) assert_message_names(bad[i].named[k]);
  }
  data_table t = {0};
  assert_int_equal(
      data_table_read_csv("t.csv", "a,b\n1,2\n", 8, &(data_table_wish){.columns = WORDS("c")}, &t),
      ORR_ENOTFOUND);
  assert_message_names("t.csv", "no column c", "a, b");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_csv),
      cmocka_unit_test(test_json_lines),
      cmocka_unit_test(test_csv_of_other_programs),
      cmocka_unit_test(test_json_lines_of_other_programs),
      cmocka_unit_test(test_times),
      cmocka_unit_test(test_words_become_their_numbers),
      cmocka_unit_test(test_bad_tables_are_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
