// labels: quick
// Gradients whose first product of a step writes, against gradients that are cleared and added to:
// the same bits, whatever lay in the memory before.
#include "tests/train/layouts.h"

static void open_one(trainee *t, const layout *l) {
  dist_grid one;
  assert_ok(dist_grid_init(1, 1, 1, 0, 1, &one));
  trainee_open(t, l, &one, NULL);
}

// The gradients of one step after memory that holds `before`.
static float *gradients(const layout *l, bool write, float before) {
  trainee t;
  open_one(&t, l);
  train_state *s = &t.work.state;
  const size_t bytes = (size_t)s->params.total * sizeof(float);
  assert_true(train_products_elements(&s->products) > s->params.total / 2);
  if (!write) {
    s->weights.products = NULL;
    s->products.count = 0; // a step clears everything then
  }
  float *out = orr_malloc(bytes);
  assert_non_null(out);
  for (int64_t step = 0; step < 2; step++) { // the second one begins with what the first one left
    for (int64_t i = 0; step == 0 && write && i < s->params.total; i++) s->weights.grad[i] = before;
    trainee_fill(&t, step);
    assert_ok(train_step_gradients(
        &t.work, t.batch, &(train_step_request){step + 1, 1e-3, INFINITY, INFINITY, false}));
    assert_int_equal(t.k->late_plans, 0);
  }
  memcpy(out, s->weights.grad, bytes);
  trainee_close(&t);
  return out;
}

static void compare(const layout *l) {
  trainee t;
  open_one(&t, l);
  const int64_t n = t.work.state.params.total;
  trainee_close(&t);
  float *added = gradients(l, false, 0.0f), *written = gradients(l, true, NAN);
  for (int64_t i = 0; i < n; i++) // -0 where sums of products began with 0 would be 0
    if (!(added[i] == written[i]))
      fail_msg("element %d: %g, added %g", (int)i, written[i], added[i]);
  orr_free(added);
  orr_free(written);
}

static void test_products_that_write_give_the_sums_of_those_that_add(void **state) {
  compare(&(layout){.tp = 1, .cp = 1, .dp = 1});
  compare(&(layout){.tp = 1, .cp = 1, .dp = 1, .micro = 2});
  compare(&(layout){.tp = 1, .cp = 1, .dp = 1, .micro = 2, .bf16 = true, .recompute = true});
  compare(&(layout){.tp = 1, .cp = 1, .dp = 1, .micro = 3, .tokenizer = true});
}

// -- by hand -----------------------------------------------------------------------------------

enum { TOTAL = 256, N = 4, K = 16 };

typedef struct {
  kern *k;
  train_products products;
  train_weights w;
  float grad[TOTAL], dy[N], x[K];
} hand;

static orr_code product(hand *h, int64_t at) {
  return train_products_gradient(
      h->k, &h->w, at,
      &(kern_matmul_bwd_w_args){.type = KERN_F32, .M = 1, .N = N, .K = K, .dy = h->dy, .x = h->x});
}

static void hand_open(hand *h) {
  *h = (hand){.dy = {1, 1, 1, 1}};
  for (int i = 0; i < K; i++) h->x[i] = 1.0f;
  for (int i = 0; i < TOTAL; i++) h->grad[i] = NAN;
  assert_ok(kern_create(KERN_DEVICE_CPU, 1, &h->k));
  train_products_init(&h->products, h->k);
  h->w = (train_weights){.act = KERN_F32, .grad = h->grad, .products = &h->products};
  assert_ok(product(h, 160)); // in no order
  assert_ok(product(h, 32));
  assert_ok(product(h, 160));
  assert_int_equal(h->products.count, 2);
  assert_int_equal(train_products_elements(&h->products), 2 * N * K);
}

static void hand_close(hand *h) {
  train_products_release(&h->products);
  kern_destroy(h->k);
}

// Elements [at, at+N*K) all hold `value`.
static void expect(const hand *h, int64_t at, float value) {
  for (int64_t i = at; i < at + N * K; i++) assert_true(h->grad[i] == value);
}

static void test_a_product_without_rows_leaves_zeros_and_only_where_it_is_final(void **state) {
  hand h;
  hand_open(&h);
  assert_ok(kern_commit(h.k));
  assert_ok(train_products_begin(&h.products, &h.w, 0, TOTAL));
  for (int i = 0; i < TOTAL; i++)
    assert_true((i >= 32 && i < 96) || (i >= 160 && i < 224) ? isnan(h.grad[i]) : h.grad[i] == 0);
  assert_ok(train_products_settle(&h.products, &h.w, 96)); // as `ready` is told of the head
  expect(&h, 160, 0);
  assert_true(isnan(h.grad[32]));
  assert_ok(product(&h, 32));
  expect(&h, 32, 1);
  assert_ok(train_products_settle(&h.products, &h.w, 0));
  assert_ok(product(&h, 32)); // of the next micro-batch
  assert_ok(product(&h, 160));
  expect(&h, 32, 2);
  expect(&h, 160, 1);
  assert_ok(train_products_begin(&h.products, &h.w, 0, TOTAL)); // the next step
  assert_ok(product(&h, 32));
  expect(&h, 32, 1);
  hand_close(&h);
}

static void test_products_that_overlap_or_were_not_planned_are_refused(void **state) {
  hand h;
  hand_open(&h);
  assert_int_equal(product(&h, 48), ORR_EINVAL);
  assert_non_null(
      strstr(orr_status_message(), "the products at 48 and 32 of the flat layout overlap"));
  assert_int_equal(product(&h, 128), ORR_EINVAL);
  assert_ok(kern_commit(h.k));
  assert_int_equal(product(&h, 0), ORR_EINVAL);
  assert_non_null(strstr(orr_status_message(), "that no planning pass met"));
  hand_close(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_products_that_write_give_the_sums_of_those_that_add),
      cmocka_unit_test(test_a_product_without_rows_leaves_zeros_and_only_where_it_is_final),
      cmocka_unit_test(test_products_that_overlap_or_were_not_planned_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
