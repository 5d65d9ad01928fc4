// labels: quick
// Fault hooks fail exactly the n-th call, once, whichever thread makes it; and the allocators ask.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#include "base/fault.h"
#include "base/mem.h"

static void test_exactly_the_nth_call_fails_and_only_once(void **state) {
  for (int n = 1; n <= 5; n++) {
    orr_fault_arm(ORR_FAULT_READ, n);
    assert_false(orr_fault_fired(ORR_FAULT_READ));
    for (int i = 1; i <= 10; i++) assert_int_equal(orr_fault_hit(ORR_FAULT_READ), i == n);
    assert_true(orr_fault_fired(ORR_FAULT_READ));
  }
}

static void test_kinds_are_independent_and_zero_disarms(void **state) {
  orr_fault_arm(ORR_FAULT_READ, 1);
  assert_false(orr_fault_hit(ORR_FAULT_WRITE));
  orr_fault_arm(ORR_FAULT_READ, 0);
  assert_false(orr_fault_hit(ORR_FAULT_READ));
  assert_false(orr_fault_fired(ORR_FAULT_READ));
}

static void *hit_often(void *hits) {
  for (int i = 0; i < 1000; i++) *(int *)hits += orr_fault_hit(ORR_FAULT_HTTP);
  return NULL;
}

static void test_of_many_threads_one_call_fails(void **state) {
  pthread_t threads[4];
  int hits[4] = {0};
  orr_fault_arm(ORR_FAULT_HTTP, 2500);
  for (int i = 0; i < 4; i++)
    assert_int_equal(pthread_create(threads + i, NULL, hit_often, hits + i), 0);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  assert_int_equal(hits[0] + hits[1] + hits[2] + hits[3], 1);
}

static void *of_kind(int kind, void **old) {
  switch (kind) {
  case 0:
    return orr_malloc(8);
  case 1:
    return orr_calloc(2, 4);
  case 2:
    return orr_strdup("text");
  case 3:
    return orr_format("%d", 7);
  case 4:
    return orr_malloc_aligned(8, 64);
  default:
    return *old = orr_realloc(*old, 16);
  }
}

static void test_every_allocator_fails_when_armed_and_works_after(void **state) {
  for (int kind = 0; kind <= 5; kind++) {
    void *old = orr_malloc(8), *kept = old;
    orr_fault_arm(ORR_FAULT_MALLOC, 1);
    assert_null(of_kind(kind, &old));
    old = kept; // a failed realloc leaves the block alone
    void *p = of_kind(kind, &old);
    assert_non_null(p);
    if (kind == 4) assert_int_equal((uintptr_t)p % 64, 0);
    if (p != old) orr_free(p);
    orr_free(old);
  }
}

static void test_sizes_of_zero_give_an_address(void **state) {
  void *a = orr_malloc(0), *b = orr_calloc(0, 8), *c = orr_malloc_aligned(0, 64);
  assert_true(a && b && c);
  orr_free(a);
  orr_free(b);
  orr_free(c);
  orr_free(NULL);
}

static void test_format_takes_any_length(void **state) {
  char *s = orr_format("%s-%d", "a text longer than any small buffer would be, surely", 5);
  assert_string_equal(s, "a text longer than any small buffer would be, surely-5");
  orr_free(s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_exactly_the_nth_call_fails_and_only_once),
      cmocka_unit_test(test_kinds_are_independent_and_zero_disarms),
      cmocka_unit_test(test_of_many_threads_one_call_fails),
      cmocka_unit_test(test_every_allocator_fails_when_armed_and_works_after),
      cmocka_unit_test(test_sizes_of_zero_give_an_address),
      cmocka_unit_test(test_format_takes_any_length),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
