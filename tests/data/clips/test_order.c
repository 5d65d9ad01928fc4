// labels: quick
// Order of samples: permutations, blocks of shards, mixtures.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "data/clips/order.h"
#include "data/clips/permutation.h"
#include "data/clips/quota.h"

static void test_permutation_hits_every_number_once(void **state) {
  static const uint64_t sizes[] = {1, 2, 3, 4, 5, 7, 16, 17, 100, 255, 256, 257, 1000, 65537};
  for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
    for (uint64_t key = 0; key < 5; key++) {
      data_permutation p = data_permutation_make(sizes[k], key);
      bool *seen = calloc(sizes[k], sizeof *seen);
      for (uint64_t i = 0; i < sizes[k]; i++) {
        uint64_t j = data_permutation_at(&p, i);
        assert_true(j < sizes[k] && !seen[j]);
        seen[j] = true;
      }
      free(seen);
    }
  }
}

static int by_value(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

static void test_permutation_of_a_billion_needs_no_memory(void **state) {
  enum { N = 1 << 17 };
  const uint64_t n = 1000000007;
  data_permutation p = data_permutation_make(n, 42);
  assert_true(sizeof p <= 64);
  uint64_t *out = malloc(N * sizeof *out);
  double mean = 0, steps = 0;
  for (uint64_t i = 0; i < N; i++) {
    out[i] = data_permutation_at(&p, i * (n / N));
    assert_true(out[i] < n);
    mean += (double)out[i] / N;
    if (i) steps += fabs((double)out[i] - (double)out[i - 1]) / N;
  }
  // Means of N uniform draws: n/2 and n/3 with standard errors n/sqrt(12 N) = 0.0008 n and less.
  assert_true(fabs(mean / (double)n - 0.5) < 0.004);
  assert_true(fabs(steps / (double)n - 1.0 / 3) < 0.004);
  qsort(out, N, sizeof *out, by_value);
  for (uint64_t i = 1; i < N; i++) assert_true(out[i] != out[i - 1]);
  free(out);
}

static void test_permutation_of_three_takes_all_six_forms(void **state) {
  bool seen[27] = {false};
  int forms = 0;
  for (uint64_t key = 0; key < 200; key++) {
    data_permutation p = data_permutation_make(3, key);
    uint64_t form = 9 * data_permutation_at(&p, 0) + 3 * data_permutation_at(&p, 1) +
                    data_permutation_at(&p, 2);
    if (!seen[form]) forms++;
    seen[form] = true;
  }
  assert_int_equal(forms, 6);
}

enum { SHARDS = 37 };

static uint64_t fill_clips(uint64_t *clips) {
  uint64_t total = 0;
  for (int i = 0; i < SHARDS; i++) total += clips[i] = (uint64_t)(i * 7 % 11); // some have none
  return total;
}

static void test_every_clip_comes_once_an_epoch(void **state) {
  uint64_t clips[SHARDS], total = fill_clips(clips);
  data_order *o = NULL;
  assert_int_equal(data_order_create(clips, SHARDS, 3, &o), ORR_OK);
  assert_true(data_order_clips(o) == total);
  for (uint64_t epoch = 0; epoch < 4; epoch++) {
    bool seen[SHARDS][11] = {{false}};
    for (uint64_t p = 0; p < total; p++) {
      data_place at = data_order_at(o, epoch, p);
      assert_true(at.shard >= 0 && at.shard < SHARDS && at.clip < clips[at.shard]);
      assert_false(seen[at.shard][at.clip]);
      seen[at.shard][at.clip] = true;
    }
  }
  data_order_destroy(o);
}

static void test_few_shards_are_open_at_a_time(void **state) {
  uint64_t clips[SHARDS];
  data_order *o = NULL;
  for (int i = 0; i < SHARDS; i++) clips[i] = 10;
  assert_int_equal(data_order_create(clips, SHARDS, 5, &o), ORR_OK);
  for (uint64_t first = 0; first < 10 * SHARDS; first += 10 * DATA_ORDER_BLOCK) {
    bool used[SHARDS] = {false};
    int count = 0;
    for (uint64_t p = first; p < first + 10 * DATA_ORDER_BLOCK && p < 10 * SHARDS; p++) {
      int64_t shard = data_order_at(o, 0, p).shard;
      count += !used[shard];
      used[shard] = true;
    }
    assert_true(count <= DATA_ORDER_BLOCK);
  }
  data_order_destroy(o);
}

static void test_place_does_not_depend_on_what_was_asked_before(void **state) {
  uint64_t clips[SHARDS], total = fill_clips(clips);
  data_order *a = NULL, *b = NULL;
  assert_int_equal(data_order_create(clips, SHARDS, 9, &a), ORR_OK);
  for (uint64_t k = 0; k < 500; k++) {
    uint64_t epoch = k * 31 % 5, position = k * 7919 % total;
    data_place x = data_order_at(a, epoch, position);
    assert_int_equal(data_order_create(clips, SHARDS, 9, &b), ORR_OK);
    data_place y = data_order_at(b, epoch, position);
    assert_true(x.shard == y.shard && x.clip == y.clip);
    data_order_destroy(b);
  }
  data_order_destroy(a);
}

// Counts positions whose places agree in two orders.
static uint64_t agreement(data_order *a, uint64_t epoch_a, data_order *b, uint64_t epoch_b) {
  uint64_t same = 0;
  for (uint64_t p = 0; p < data_order_clips(a); p++) {
    data_place x = data_order_at(a, epoch_a, p), y = data_order_at(b, epoch_b, p);
    same += x.shard == y.shard && x.clip == y.clip;
  }
  return same;
}

static void test_epochs_and_seeds_differ(void **state) {
  uint64_t clips[SHARDS], total = fill_clips(clips);
  data_order *a = NULL, *b = NULL;
  assert_int_equal(data_order_create(clips, SHARDS, 1, &a), ORR_OK);
  assert_int_equal(data_order_create(clips, SHARDS, 2, &b), ORR_OK);
  // By chance one place in `total` agrees; ten do not.
  assert_true(total > 100 && agreement(a, 0, b, 0) < 10 && agreement(a, 0, b, 1) < 10);
  assert_true(agreement(a, 3, b, 3) < 10 && agreement(a, 3, a, 3) == total);
  data_order_destroy(a);
  data_order_destroy(b);
}

static void check_shares(data_quota *q, const double *weights, int n, uint64_t first,
                         uint64_t count) {
  uint64_t given[16] = {0};
  double sum = 0;
  for (int i = 0; i < n; i++) sum += weights[i];
  for (uint64_t g = first; g < first + count; g++) {
    int set = -1;
    uint64_t index = 0;
    data_quota_at(q, g, &set, &index);
    assert_true(set >= 0 && set < n);
    if (first == 0) assert_true(index == given[set]);
    given[set]++;
    for (int i = 0; i < n && first == 0; i++) {
      // doubles hold these products exactly to 1e-9
      assert_true(fabs((double)given[i] - (double)(g + 1) * weights[i] / sum) < 1 + 1e-9);
    }
  }
}

static void test_shares_hold_within_one_clip_at_every_prefix(void **state) {
  static const double mixtures[][6] = {
      {1, 0, 0, 0, 0, 0}, {0.5, 0.5, 0, 0, 0, 0}, {0.7, 0.2, 0.1, 0, 0, 0},  {1, 1, 1, 1, 1, 1},
      {0.97, 0.01, 0.02}, {3, 7, 11, 13, 17, 19}, {0.123456, 0.3, 0.576544}, {1e6, 1, 1, 1, 1, 1},
  };
  for (size_t k = 0; k < sizeof mixtures / sizeof mixtures[0]; k++) {
    data_quota *q = NULL;
    assert_int_equal(data_quota_create(mixtures[k], 6, &q), ORR_OK);
    check_shares(q, mixtures[k], 6, 0, 20000);
    data_quota_destroy(q);
  }
}

static void test_mixture_by_counts_uses_every_set_up_at_once(void **state) {
  static const uint64_t counts[] = {12, 0, 5, 40, 1};
  uint64_t given[5] = {0};
  data_quota *q = NULL;
  assert_int_equal(data_quota_create_counts(counts, 5, &q), ORR_OK);
  for (uint64_t g = 0; g < 58 * 3; g++) {
    int set = 0;
    uint64_t index = 0;
    data_quota_at(q, g, &set, &index);
    assert_true(index == given[set]++);
    for (int i = 0; g % 58 == 57 && i < 5; i++) assert_true(given[i] == counts[i] * (g / 58 + 1));
  }
  data_quota_destroy(q);
}

static void test_mixture_is_the_same_from_any_start(void **state) {
  static const double weights[] = {0.61, 0.27, 0.12};
  data_quota *a = NULL, *b = NULL;
  assert_int_equal(data_quota_create(weights, 3, &a), ORR_OK);
  assert_int_equal(data_quota_create(weights, 3, &b), ORR_OK);
  for (uint64_t g = 0; g < 1000; g++) {
    int x, y;
    uint64_t i, j, jump = g * 7919 % 1000;
    data_quota_at(a, jump, &x, &i);
    data_quota_destroy(b);
    assert_int_equal(data_quota_create(weights, 3, &b), ORR_OK);
    data_quota_at(b, jump, &y, &j);
    assert_true(x == y && i == j);
  }
  data_quota_destroy(a);
  data_quota_destroy(b);
}

static void test_bad_weights_are_refused(void **state) {
  data_quota *q = NULL;
  assert_int_equal(data_quota_create((double[]){0, 0}, 2, &q), ORR_EINVAL);
  assert_non_null(strstr(orr_status_message(), "above 0"));
  assert_int_equal(data_quota_create((double[]){1, -1}, 2, &q), ORR_EINVAL);
  assert_non_null(strstr(orr_status_message(), "weight 1"));
  assert_int_equal(data_quota_create((double[]){NAN, 1}, 2, &q), ORR_EINVAL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_permutation_hits_every_number_once),
      cmocka_unit_test(test_permutation_of_a_billion_needs_no_memory),
      cmocka_unit_test(test_permutation_of_three_takes_all_six_forms),
      cmocka_unit_test(test_every_clip_comes_once_an_epoch),
      cmocka_unit_test(test_few_shards_are_open_at_a_time),
      cmocka_unit_test(test_place_does_not_depend_on_what_was_asked_before),
      cmocka_unit_test(test_epochs_and_seeds_differ),
      cmocka_unit_test(test_shares_hold_within_one_clip_at_every_prefix),
      cmocka_unit_test(test_mixture_by_counts_uses_every_set_up_at_once),
      cmocka_unit_test(test_mixture_is_the_same_from_any_start),
      cmocka_unit_test(test_bad_weights_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
