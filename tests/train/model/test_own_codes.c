// labels: quick
// Codes that the model draws for its own context: those that its logits give, at the places that
// were asked for and at no others.
#include "tests/train/toy.h"

#include "train/model/own_codes.h"

enum { SEED = 77 };

// What kern_sample makes of one row of t->logits by itself.
static int32_t drawn_alone(toy *t, int64_t position, float temperature, uint64_t sample) {
  const uint64_t seed = SEED, draw = (uint64_t)position;
  int32_t code = -1;
  float log_prob;
  assert_ok(kern_sample(t->k, &(kern_sample_args){.M = 1,
                                                  .V = t->d.V,
                                                  .rows_per_sample = 1,
                                                  .logits = t->logits + position * t->d.V,
                                                  .temperature = &temperature,
                                                  .seed = &seed,
                                                  .sample = &sample,
                                                  .draw = &draw,
                                                  .code = &code,
                                                  .log_prob = &log_prob}));
  return code;
}

static void test_codes_are_the_models_own_at_the_places_asked_for(void **state) {
  train_dynamics_dims d = toy_dims(KERN_F32);
  toy t;
  d.own_codes = true;
  toy_open(&t, &d, 2, 4, TRAIN_KEEP_ALL, 41);
  const int64_t positions = t.B * t.T * t.S;
  int32_t *row = orr_calloc((size_t)t.rows, 4), *place = orr_calloc((size_t)t.rows, 4),
          *before_place = orr_calloc((size_t)t.rows, 4), *tokens = orr_calloc((size_t)positions, 4),
          *before = orr_calloc((size_t)positions, 4);
  uint64_t *seed = orr_calloc((size_t)t.rows, 8), *sample = orr_calloc((size_t)t.rows, 8),
           *draw = orr_calloc((size_t)t.rows, 8);
  float *temperature = orr_calloc((size_t)t.rows, 4);
  int64_t n = 0;
  for (int64_t i = 0; i < positions; i++) tokens[i] = before[i] = -5;
  // frames 1 of both clips; every third position is only of use to the frame after it
  for (int64_t i = 0; i < positions; i++) {
    if (i / t.S % t.T != 1) continue;
    row[n] = t.all_rows[i];
    place[n] = i % 3 == 0 ? -1 : (int32_t)i;
    before_place[n] = (int32_t)(i + t.S);
    seed[n] = SEED;
    sample[n] = (uint64_t)(i / (t.T * t.S));
    draw[n] = (uint64_t)i;
    temperature[n++] = i % 2 ? 1.0f : 0.0f;
  }
  for (; n < t.rows; n++) row[n] = place[n] = before_place[n] = -1;
  toy_logits(&t); // of the same tokens
  const train_dynamics_batch b = toy_batch(&t);
  assert_ok(train_dynamics_draw(t.model, &b,
                                &(train_own_rows){.row = row,
                                                  .place = place,
                                                  .before_place = before_place,
                                                  .seed = seed,
                                                  .sample = sample,
                                                  .draw = draw,
                                                  .temperature = temperature,
                                                  .rows = t.rows,
                                                  .places = positions,
                                                  .tokens = tokens,
                                                  .before = before}));
  for (int64_t i = 0; i < positions; i++) {
    const bool own = i / t.S % t.T == 1, after = i / t.S % t.T == 2;
    const int64_t from = own ? i : i - t.S;
    const int32_t code =
        own || after ? drawn_alone(&t, from, from % 2 ? 1.0f : 0.0f, (uint64_t)(from / (t.T * t.S)))
                     : -5;
    assert_int_equal(tokens[i], own && i % 3 ? code : -5);
    assert_int_equal(before[i], after ? code : -5);
  }
  void *const all[] = {row, place, before_place, tokens, before, seed, sample, draw, temperature};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) orr_free(all[i]);
  toy_close(&t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_codes_are_the_models_own_at_the_places_asked_for),
  };
  return cmocka_run_group_tests_name("train/own_codes", tests, NULL, NULL);
}
