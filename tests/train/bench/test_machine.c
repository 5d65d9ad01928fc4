// labels: quick; needs: orrery
// orrery bench machine: one line of JSON, last, with the rates of both types.
#include "tests/train/program.h"
#include "tests/train/small_run.h"

#include "base/json.h"

static void test_both_rates_are_on_the_last_line(void **state) {
  char command[512], line[4096] = "";
  json_t *j = NULL;
  snprintf(command, sizeof command,
           "%s bench machine --device cpu --threads 1 --isa avx2 --seconds 0", program_path);
  FILE *out = popen(command, "r");
  assert_non_null(out);
  assert_non_null(fgets(line, sizeof line, out));
  assert_int_equal(fgetc(out), EOF); // nothing else
  assert_int_equal(pclose(out), 0);
  assert_ok(orr_json_parse("bench", line, strlen(line), &j));
  const json_t *rates = json_object_get(j, "matmul_tflops");
  assert_string_equal(json_string_value(json_object_get(j, "bench")), "machine");
  assert_string_equal(json_string_value(json_object_get(j, "precision")), "fp32");
  assert_int_equal(json_integer_value(json_object_get(j, "threads")), 1);
  assert_true(json_number_value(json_object_get(rates, "bf16")) > 0.0);
  assert_true(json_number_value(json_object_get(rates, "fp32")) > 0.0);
  json_decref(j);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_both_rates_are_on_the_last_line),
  };
  return cmocka_run_group_tests_name("train/bench/machine", tests, NULL, NULL);
}
