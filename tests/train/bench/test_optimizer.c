// labels: quick
// What an update takes of a step, by count.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "base/status.h"
#include "train/bench/optimizer.h"

static void test_products_of_muon_are_those_of_its_matrices(void **state) {
  train_bench_optimizer o;
  assert_int_equal(train_bench_optimizer_count("1b", &o), ORR_OK);
  // of 30 blocks: q and o 1920 x 1920, k and v 192 x 1920, gate, up and down 5120 x 1920; an
  // iteration is 4 n side + 2 side^3 for n elements
  const double q = 6 * pow(1920, 3), k = 4.0 * 192 * 192 * 1920 + 2 * pow(192, 3),
               g = 4.0 * 1920 * 1920 * 5120 + 2 * pow(1920, 3);
  const double want = 30 * 5 * (2 * q + 2 * k + 3 * g);
  assert_true(o.muon.flops > want && o.muon.flops < 1.001 * want);
  // a clip: 6 FLOP a parameter and token
  const double block = 2 * 1920.0 * 1920 + 2 * 192.0 * 1920 + 3 * 1920.0 * 5120;
  assert_true(fabs(o.clip.flops / (6 * 64.0 * (288 * 30 * block + 256 * 4096 * 1920.0)) - 1) <
              1e-9);
}

static void test_both_optimizers_take_at_most_three_percent_of_a_step_of_64_clips(void **state) {
  train_bench_optimizer o;
  assert_int_equal(train_bench_optimizer_count("1b", &o), ORR_OK);
  const train_bench_count muon = train_bench_optimizer_share(&o, &o.muon, 64),
                          adamw = train_bench_optimizer_share(&o, &o.adamw, 64);
  assert_true(muon.flops <= 0.03 && muon.bytes <= 0.03);
  assert_true(adamw.flops < muon.flops && adamw.bytes < muon.bytes);
  // and no share is one of nothing
  assert_true(muon.flops > 0.003 && muon.bytes > 0.003);
  const train_bench_count few = train_bench_optimizer_share(&o, &o.muon, 1);
  assert_true(few.flops > 0.2 && few.bytes > muon.bytes);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_products_of_muon_are_those_of_its_matrices),
      cmocka_unit_test(test_both_optimizers_take_at_most_three_percent_of_a_step_of_64_clips),
  };
  return cmocka_run_group_tests_name("train/bench/optimizer", tests, NULL, NULL);
}
