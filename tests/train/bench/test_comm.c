// labels: full; needs: orrery
// orrery bench comm on ranks over MPI: one line of JSON, last, with bandwidths that fit its times.
#include "tests/train/program.h"
#include "tests/train/small_run.h"

#include "base/json.h"

// The last line on stdout of `orrery bench comm` on `ranks` ranks.
static json_t *run_bench(const char *ranks) {
  char command[512], line[65536] = "", last[65536] = "";
  json_t *j = NULL;
  snprintf(command, sizeof command,
           "mpirun --allow-run-as-root --oversubscribe -n %s %s bench comm --device cpu --from 64 "
           "--to 4096 --steps 2 --rounds 3 --type bf16 2>/dev/null",
           ranks, program_path);
  FILE *out = popen(command, "r");
  assert_non_null(out);
  while (fgets(line, sizeof line, out)) memcpy(last, line, sizeof last);
  assert_int_equal(pclose(out), 0);
  assert_ok(orr_json_parse("bench", last, strlen(last), &j));
  return j;
}

static double number(const json_t *j, const char *key) {
  return json_number_value(json_object_get(j, key));
}

static void check_results(const json_t *results, double n) {
  static const char *const names[] = {"all_reduce", "all_gather", "reduce_scatter", "all_to_all"};
  assert_int_equal(json_array_size(results), 4 * 4); // 64, 256, 1024, 4096 bytes
  for (size_t i = 0; i < 16; i++) {
    const json_t *r = json_array_get(results, i);
    const double gb_s = number(r, "algorithm_gb_s"), us = number(r, "us");
    assert_string_equal(json_string_value(json_object_get(r, "collective")), names[i / 4]);
    assert_true(us > 0.0);
    // six digits are printed
    assert_true(fabs(gb_s * us * 1e3 / number(r, "bytes") - 1.0) < 1e-4);
    assert_true(fabs(number(r, "bus_gb_s") / gb_s / ((i < 4 ? 2.0 : 1.0) * (n - 1.0) / n) - 1.0) <
                1e-4);
  }
}

static void test_sizes_and_bandwidths_of_all_collectives_are_on_the_last_line(void **state) {
  json_t *j = run_bench("3");
  assert_string_equal(json_string_value(json_object_get(j, "bench")), "comm");
  assert_string_equal(json_string_value(json_object_get(j, "over")), "mpi");
  assert_int_equal(json_integer_value(json_object_get(j, "ranks")), 3);
  check_results(json_object_get(j, "results"), 3.0);
  json_decref(j);
}

static void test_one_rank_has_nothing_to_time(void **state) {
  json_t *j = run_bench("1");
  assert_int_equal(json_array_size(json_object_get(j, "results")), 0);
  assert_string_equal(json_string_value(json_object_get(j, "over")), "nothing");
  json_decref(j);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sizes_and_bandwidths_of_all_collectives_are_on_the_last_line),
      cmocka_unit_test(test_one_rank_has_nothing_to_time),
  };
  return cmocka_run_group_tests_name("orrery bench comm", tests, NULL, NULL);
}
