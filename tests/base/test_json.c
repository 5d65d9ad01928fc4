// labels: quick
// JSON glue: errors name the object, the key, what was got and what was wanted.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json.h"

static json_t *parse(const char *text) {
  json_t *j = NULL;
  assert_int_equal(orr_json_parse("text", text, strlen(text), &j), ORR_OK);
  return j;
}

static void test_typed_fields_are_read(void **state) {
  json_t *j = parse("{\"n\": 7, \"x\": 0.5, \"s\": \"word\", \"a\": [1], \"o\": {}}"), *sub = NULL;
  int64_t n = 0;
  double x = 0;
  const char *s = NULL;
  assert_int_equal(orr_json_get_i64(j, "m", "n", &n), ORR_OK);
  assert_int_equal(n, 7);
  assert_int_equal(orr_json_get_f64(j, "m", "x", &x), ORR_OK);
  assert_true(x == 0.5);
  assert_int_equal(orr_json_get_f64(j, "m", "n", &x), ORR_OK); // an integer is a number
  assert_true(x == 7);
  assert_int_equal(orr_json_get_str(j, "m", "s", &s), ORR_OK);
  assert_string_equal(s, "word");
  assert_int_equal(orr_json_get_array(j, "m", "a", &sub), ORR_OK);
  assert_int_equal(json_array_size(sub), 1);
  assert_int_equal(orr_json_get_object(j, "m", "o", &sub), ORR_OK);
  json_decref(j);
}

static void test_missing_and_ill_typed_fields_are_named(void **state) {
  json_t *j = parse("{\"n\": \"seven\", \"x\": null}");
  int64_t n = 0;
  const char *s = NULL;
  assert_int_equal(orr_json_get_i64(j, "manifest.json", "n", &n), ORR_EFORMAT);
  assert_string_equal(orr_status_message(),
                      "manifest.json: key 'n': got a string, wanted an integer");
  assert_int_equal(orr_json_get_str(j, "manifest.json", "x", &s), ORR_EFORMAT);
  assert_string_equal(orr_status_message(), "manifest.json: key 'x': got null, wanted a string");
  assert_int_equal(orr_json_get_i64(j, "manifest.json", "m", &n), ORR_EFORMAT);
  assert_string_equal(orr_status_message(), "manifest.json: key 'm' is missing");
  assert_int_equal(orr_json_get_i64(NULL, "manifest.json", "m", &n), ORR_EFORMAT);
  json_decref(j);
}

static void test_bad_texts_are_refused_with_line_and_column(void **state) {
  static const char *const bad[] = {"", "{", "{\n\"a\": }", "{\"a\": 1, \"a\": 2}", "{} {}"};
  json_t *j = NULL;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    assert_int_equal(orr_json_parse("x.json", bad[i], strlen(bad[i]), &j), ORR_EFORMAT);
    assert_non_null(strstr(orr_status_message(), "x.json: not valid JSON at line "));
  }
  assert_int_equal(orr_json_parse("x.json", bad[2], strlen(bad[2]), &j), ORR_EFORMAT);
  assert_non_null(strstr(orr_status_message(), "line 2"));
}

static void test_stored_objects_load_equal(void **state) {
  char path[64];
  json_t *j = parse("{\"b\": [1, 2.5, true], \"a\": {\"deep\": \"\\u00e9\"}}"), *back = NULL;
  snprintf(path, sizeof path, "/tmp/orrery-json-%ld", (long)getpid());
  assert_int_equal(orr_json_store(path, j), ORR_OK);
  assert_int_equal(orr_json_load(path, &back), ORR_OK);
  assert_true(json_equal(j, back));
  assert_int_equal(orr_fs_remove_tree(path), ORR_OK);
  json_decref(j);
  json_decref(back);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_typed_fields_are_read),
      cmocka_unit_test(test_missing_and_ill_typed_fields_are_named),
      cmocka_unit_test(test_bad_texts_are_refused_with_line_and_column),
      cmocka_unit_test(test_stored_objects_load_equal),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
