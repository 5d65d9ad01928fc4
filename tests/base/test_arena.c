// labels: quick
// Arenas: the counting pass and the real one agree to the byte, or it is an error.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/arena.h"
#include "base/fault.h"

static void lay_out(orr_arena *a, char **first, float **second, char **third) {
  *first = orr_arena_take(a, 3);
  *second = orr_arena_take(a, 10 * sizeof **second);
  *third = orr_arena_take_aligned(a, 5, 1);
}

static void test_second_pass_hands_out_aligned_zeroed_memory_of_the_counted_size(void **state) {
  orr_arena a;
  char *x, *z;
  float *y;
  orr_arena_init(&a, "test");
  lay_out(&a, &x, &y, &z);
  assert_true(orr_arena_counting(&a));
  assert_non_null(x);
  assert_int_equal(a.used, 64 + 40 + 5);
  assert_int_equal(orr_arena_commit(&a), ORR_OK);
  assert_false(orr_arena_counting(&a));
  assert_int_equal(orr_arena_check(&a), ORR_EINVAL); // nothing taken yet
  lay_out(&a, &x, &y, &z);
  assert_int_equal(orr_arena_check(&a), ORR_OK);
  assert_int_equal((uintptr_t)x % ORR_ARENA_ALIGN, 0);
  assert_int_equal((uintptr_t)y % ORR_ARENA_ALIGN, 0);
  assert_ptr_equal(z, (char *)(y + 10)); // alignment 1: right after
  for (size_t i = 0; i < a.capacity; i++) assert_int_equal(a.base[i], 0);
  memset(a.base, 1, a.capacity); // every byte is there, says the address sanitizer
  orr_arena_release(&a);
}

static void test_placeholders_keep_the_distances_of_the_real_addresses(void **state) {
  orr_arena a;
  char *x, *z, *x2, *z2;
  float *y;
  orr_arena_init(&a, "test");
  lay_out(&a, &x, &y, &z);
  assert_int_equal(orr_arena_commit(&a), ORR_OK);
  lay_out(&a, &x2, &y, &z2);
  assert_int_equal((uintptr_t)z - (uintptr_t)x, (uintptr_t)z2 - (uintptr_t)x2);
  orr_arena_release(&a);
}

static void test_taking_more_than_was_counted_gives_null_and_is_reported(void **state) {
  orr_arena a;
  orr_arena_init(&a, "activations");
  orr_arena_take(&a, 100);
  assert_int_equal(orr_arena_commit(&a), ORR_OK);
  assert_non_null(orr_arena_take(&a, 100));
  assert_null(orr_arena_take(&a, 1));
  assert_int_equal(orr_arena_check(&a), ORR_EINVAL);
  assert_non_null(strstr(orr_status_message(), "arena activations"));
  orr_arena_release(&a);
}

static void test_an_impossible_size_is_refused_at_commit(void **state) {
  orr_arena a;
  orr_arena_init(&a, "test");
  orr_arena_take(&a, 100);
  assert_null(orr_arena_take(&a, SIZE_MAX - 50));
  assert_int_equal(orr_arena_commit(&a), ORR_EINVAL);
}

static void test_a_failed_commit_names_arena_and_bytes(void **state) {
  orr_arena a;
  orr_arena_init(&a, "gradients");
  orr_arena_take(&a, 12345);
  orr_fault_arm(ORR_FAULT_MALLOC, 1);
  assert_int_equal(orr_arena_commit(&a), ORR_ENOMEM);
  assert_non_null(strstr(orr_status_message(), "arena gradients: 12345 bytes"));
  orr_arena_release(&a);
}

static void test_an_empty_arena_commits(void **state) {
  orr_arena a;
  orr_arena_init(&a, "empty");
  assert_int_equal(orr_arena_commit(&a), ORR_OK);
  assert_false(orr_arena_counting(&a));
  assert_int_equal(orr_arena_check(&a), ORR_OK);
  orr_arena_release(&a);
}

static unsigned char own_memory[256];
static orr_code own_alloc(void *ctx, size_t bytes, const char *name, void **out) {
  assert_string_equal(name, "device");
  *(size_t *)ctx = bytes;
  *out = own_memory;
  return ORR_OK;
}
static void own_free(void *ctx, void *p) {
  *(size_t *)ctx = 0;
}

static void test_a_supplied_allocator_is_asked_and_given_back_to(void **state) {
  orr_arena a;
  size_t asked = 0;
  orr_arena_init(&a, "device");
  a.alloc_fn = own_alloc;
  a.free_fn = own_free;
  a.ctx = &asked;
  orr_arena_take(&a, 70);
  assert_int_equal(orr_arena_commit(&a), ORR_OK);
  assert_int_equal(asked, 70);
  assert_ptr_equal(orr_arena_take(&a, 70), own_memory);
  orr_arena_release(&a);
  assert_int_equal(asked, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_second_pass_hands_out_aligned_zeroed_memory_of_the_counted_size),
      cmocka_unit_test(test_placeholders_keep_the_distances_of_the_real_addresses),
      cmocka_unit_test(test_taking_more_than_was_counted_gives_null_and_is_reported),
      cmocka_unit_test(test_an_impossible_size_is_refused_at_commit),
      cmocka_unit_test(test_a_failed_commit_names_arena_and_bytes),
      cmocka_unit_test(test_an_empty_arena_commits),
      cmocka_unit_test(test_a_supplied_allocator_is_asked_and_given_back_to),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
