// labels: quick
// The life of a kern: choice of backend and instruction set, planning, commit, failed allocations.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cores.h"
#include "base/fault.h"
#include "kernels/cpu/cpu.h"
#include "tests/kernels/tensor.h"

static void test_every_level_up_to_this_machines_has_a_full_table(void **state) {
  for (int level = 0; level <= (int)cpu_level_detect(); level++) {
    kern *k;
    assert_int_equal(cpu_create(1, (cpu_level)level, &k), ORR_OK);
    assert_int_equal(kern_table_check(k->table), ORR_OK);
    assert_string_equal(k->table->name, "cpu");
    assert_true(strlen(k->isa) > 0);
    assert_non_null(strstr(kern_bf16_reason(k), "bf16: "));
    kern_destroy(k);
  }
}

// What a lower set means is in the tests of the ops, which run at every level.
static void test_an_instruction_set_is_taken_or_refused_in_words(void **state) {
  static const char *const names[] = {"avx2", "avx512", "avx512_bf16", "amx"};
  static const cpu_level level[] = {CPU_LEVEL_V3, CPU_LEVEL_V4, CPU_LEVEL_BF16, CPU_LEVEL_AMX};
  for (int i = 0; i < 4; i++) {
    kern_setup setup = {.device = KERN_DEVICE_CPU, .threads = 1, .node_ranks = 1};
    kern *k = NULL;
    assert_int_equal(kern_isa_read("--isa", names[i], &setup.isa), ORR_OK);
    if (level[i] <= cpu_level_detect()) {
      assert_int_equal(kern_open(&setup, &k), ORR_OK);
      assert_int_equal(cpu_impl_of(k)->level, level[i]);
      assert_int_equal(k->bf16_native, level[i] >= CPU_LEVEL_BF16);
    } else {
      assert_int_equal(kern_open(&setup, &k), ORR_EUNSUPPORTED);
      assert_non_null(strstr(orr_status_message(), names[i]));
    }
    kern_destroy(k);
  }
  kern_isa isa;
  assert_int_equal(kern_isa_read("--isa", "auto", &isa), ORR_OK);
  assert_int_equal(isa, KERN_ISA_AUTO);
  assert_int_equal(kern_isa_read("--isa", "sse", &isa), ORR_ECONFIG);
  assert_non_null(strstr(orr_status_message(), "--isa is 'sse'"));
}

static void test_bf16_pays_where_its_units_are_the_faster_ones(void **state) {
  for (int intel = 0; intel < 2; intel++) {
    assert_true(cpu_bf16_pays(CPU_LEVEL_AMX, intel));
    assert_int_equal(cpu_bf16_pays(CPU_LEVEL_BF16, intel), !intel);
    assert_false(cpu_bf16_pays(CPU_LEVEL_V4, intel));
    assert_false(cpu_bf16_pays(CPU_LEVEL_V3, intel));
  }
}

static void test_an_empty_slot_is_refused_by_name(void **state) {
  kern *k;
  assert_int_equal(kern_create(KERN_DEVICE_AUTO, 1, &k), ORR_OK);
  kern_table table = *k->table;
  table.axpby = NULL;
  assert_int_equal(kern_table_check(&table), ORR_EUNSUPPORTED);
  assert_non_null(strstr(orr_status_message(), "axpby"));
  kern_destroy(k);
}

// Where there is no GPU the request for one fails with the words that the automatic choice keeps;
// where there is one, both take it.
static void test_the_automatic_choice_says_why_it_took_the_cpu(void **state) {
  kern *k, *wanted;
  assert_int_equal(kern_create(KERN_DEVICE_AUTO, 1, &k), ORR_OK);
  const bool gpu = strcmp(k->table->name, "cpu") != 0;
  assert_int_equal(kern_create(KERN_DEVICE_CUDA, 1, &wanted), gpu ? ORR_OK : ORR_EUNSUPPORTED);
  if (gpu) {
    assert_string_equal(k->why_cpu, "");
    kern_destroy(wanted);
  } else {
    assert_null(wanted);
    assert_non_null(strstr(orr_status_message(), k->why_cpu));
    assert_true(strlen(k->why_cpu) > 10);
    assert_null(strchr(k->why_cpu, '\n'));
  }
  kern_destroy(k);
  assert_int_equal(kern_create(KERN_DEVICE_CPU, 1, &k), ORR_OK);
  assert_string_equal(k->why_cpu, "");
  kern_destroy(k);
}

static void test_bad_requests_are_refused(void **state) {
  kern *k;
  assert_int_equal(kern_create(KERN_DEVICE_CPU, -1, &k), ORR_EINVAL);
  assert_null(k);
  kern_destroy(NULL);
}

static void test_zero_threads_means_all_usable_cores(void **state) {
  kern *k;
  assert_int_equal(kern_create(KERN_DEVICE_AUTO, 0, &k), ORR_OK);
  assert_int_equal(k->threads, orr_cores_usable());
  kern_destroy(k);
}

static void test_planning_ends_once(void **state) {
  kern *k;
  assert_int_equal(kern_create(KERN_DEVICE_CPU, 1, &k), ORR_OK);
  assert_true(k->planning);
  assert_int_equal(kern_commit(k), ORR_OK);
  assert_false(k->planning);
  assert_int_equal(kern_commit(k), ORR_EINVAL);
  kern_destroy(k);
}

static void test_planning_does_not_touch_tensors(void **state) {
  kern *k;
  void *nowhere = (void *)64; // a placeholder address, as counting arenas hand out
  assert_int_equal(kern_create(KERN_DEVICE_CPU, 2, &k), ORR_OK);
  for (int type = 0; type < 2; type++) {
    assert_int_equal(kern_matmul_fwd(k, &(kern_matmul_fwd_args){.type = (kern_dtype)type,
                                                                .y_type = (kern_dtype)type,
                                                                .M = 70,
                                                                .N = 8,
                                                                .K = 8,
                                                                .x = nowhere,
                                                                .w = nowhere,
                                                                .bias = nowhere,
                                                                .add = nowhere,
                                                                .y = nowhere}),
                     ORR_OK);
    assert_int_equal(kern_matmul_bwd_w(k, &(kern_matmul_bwd_w_args){.type = (kern_dtype)type,
                                                                    .M = 70,
                                                                    .N = 8,
                                                                    .K = 8,
                                                                    .dy = nowhere,
                                                                    .x = nowhere,
                                                                    .dw = nowhere,
                                                                    .dbias = nowhere}),
                     ORR_OK);
  }
  assert_true(k->workspace_bytes > 0);
  assert_null(k->workspace);
  kern_destroy(k);
}

static orr_code create_plan_commit(kern **k) {
  ORR_TRY(kern_create(KERN_DEVICE_CPU, 1, k));
  for (int64_t n = 1; n <= 40; n++) { // more than the table of plans first holds
    float x = 0, w[40] = {0}, y[40];
    ORR_TRY(kern_matmul_fwd(
        *k, &(kern_matmul_fwd_args){.M = 1, .N = n, .K = 1, .x = &x, .w = w, .y = y}));
  }
  return kern_commit(*k);
}

static void test_every_failed_allocation_is_a_clean_error(void **state) {
  for (int64_t n = 1;; n++) {
    kern *k = NULL;
    orr_fault_arm(ORR_FAULT_MALLOC, n);
    const orr_code rc = create_plan_commit(&k);
    const bool fired = orr_fault_fired(ORR_FAULT_MALLOC);
    orr_fault_arm(ORR_FAULT_MALLOC, 0);
    assert_int_equal(rc, fired ? ORR_ENOMEM : ORR_OK);
    kern_destroy(k);
    if (!fired) return;
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_level_up_to_this_machines_has_a_full_table),
      cmocka_unit_test(test_an_instruction_set_is_taken_or_refused_in_words),
      cmocka_unit_test(test_bf16_pays_where_its_units_are_the_faster_ones),
      cmocka_unit_test(test_an_empty_slot_is_refused_by_name),
      cmocka_unit_test(test_the_automatic_choice_says_why_it_took_the_cpu),
      cmocka_unit_test(test_bad_requests_are_refused),
      cmocka_unit_test(test_zero_threads_means_all_usable_cores),
      cmocka_unit_test(test_planning_ends_once),
      cmocka_unit_test(test_planning_does_not_touch_tensors),
      cmocka_unit_test(test_every_failed_allocation_is_a_clean_error),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
