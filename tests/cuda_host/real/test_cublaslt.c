// labels: quick
// What the backend tells cuBLASLt about a product, told to the library itself, as far as that goes
// without a device: it checks names, sizes and values of attributes, and creates layouts, but has
// no heuristic. Skipped where it is not installed.
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/cuda/product.c"

orr_code cuda_trial_fastest(kern *k, const cuda_trial *t, int *fastest) {
  *fastest = 0; // a trial needs a device
  return ORR_OK;
}

static void open_or_skip(cuda_products *ps) {
  *ps = (cuda_products){0};
  if (cuda_blas_library_open(&ps->lt) == ORR_OK) return;
  print_message("skipped: %s\n", orr_status_message());
  skip();
}

static const cuda_product_shape shapes[] = {
    // forward, both operands' gradients, an odd product whose matrices are aligned differently
    {18432, 2304, 1920, 1920, 1920, 2304, KERN_BF16, KERN_BF16, false, true, {16, 16, 16, 0}},
    {18432, 1920, 2304, 2304, 1920, 1920, KERN_BF16, KERN_BF16, false, false, {16, 16, 16, 0}},
    {2304, 1920, 18432, 2304, 1920, 1920, KERN_BF16, KERN_F32, true, false, {16, 16, 16, 0}},
    {17, 9, 33, 17, 9, 9, KERN_BF16, KERN_F32, true, false, {2, 2, 4, 0}},
    {64, 48, 40, 40, 40, 48, KERN_F32, KERN_F32, false, true, {16, 16, 16, 4}},
};

static void test_products_are_described_as_the_library_takes_it(void **state) {
  cuda_products ps;
  open_or_skip(&ps);
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    cublasLtMatmulPreference_t preference = NULL;
    cuda_product *p = orr_calloc(1, sizeof *p);
    assert_non_null(p);
    p->shape = shapes[i];
    if (describe(&ps, p) != ORR_OK) fail_msg("shape %d: %s", (int)i, orr_status_message());
    assert_int_equal(ps.lt.cublasLtMatmulPreferenceCreate(&preference), CUBLAS_STATUS_SUCCESS);
    for (int whole = 0; whole < 2; whole++)
      if (prefer(&ps, p, whole, preference) != ORR_OK)
        fail_msg("shape %d: %s", (int)i, orr_status_message());
    ps.lt.cublasLtMatmulPreferenceDestroy(preference);
    product_destroy(&ps, p);
  }
  cuda_blas_library_close(&ps.lt);
}

// So the test above says something.
static void test_the_library_refuses_an_attribute_of_another_size(void **state) {
  cuda_products ps;
  cublasLtMatmulDesc_t op;
  const int32_t half_a_pointer = 16;
  open_or_skip(&ps);
  assert_int_equal(ps.lt.cublasLtMatmulDescCreate(&op, CUBLAS_COMPUTE_32F, CUDA_R_32F), 0);
  assert_int_equal(ps.lt.cublasLtMatmulDescSetAttribute(op, CUBLASLT_MATMUL_DESC_BIAS_POINTER,
                                                        &half_a_pointer, sizeof half_a_pointer),
                   CUBLAS_STATUS_INVALID_VALUE);
  ps.lt.cublasLtMatmulDescDestroy(op);
  cuda_blas_library_close(&ps.lt);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_products_are_described_as_the_library_takes_it),
      cmocka_unit_test(test_the_library_refuses_an_attribute_of_another_size),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
