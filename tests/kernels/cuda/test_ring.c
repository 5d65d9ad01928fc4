// labels: quick
// What rollouts do on a GPU: attention over rings, keeping frames, choosing tokens.
#include "tests/kernels/cuda/parity.h"

#include <math.h>

typedef struct {
  int64_t B, N, H, G, K, places, window;
} shape;
static const shape shapes[] = {{3, 5, 4, 2, 64, 17, 16},
                               {2, 3, 2, 2, 24, 1, 1},
                               {1, 2, 3, 1, 32, 40, 39},
                               {2, 1, 2, 1, 128, 70, 64}};

static kern_ring ring_of(side *s, const shape *h, kern_dtype type) {
  const int64_t frames[] = {1000003, 0, 7};
  const int32_t rings[] = {2, 0, 1};
  return (kern_ring){.type = type,
                     .B = h->B,
                     .N = h->N,
                     .G = h->G,
                     .K = h->K,
                     .places = h->places,
                     .ring = side_given(s, VALUE_I32, rings, h->B),
                     .frame = side_given(s, VALUE_RAW, frames, h->B * 8)};
}

static void attend(side *s, const void *of, kern_dtype type) {
  const shape *h = of;
  const int64_t GK = h->G * h->K, HK = h->H * h->K, M = h->B * h->N;
  float cos_[3 * 64], sin_[3 * 64];
  for (int64_t i = 0; i < h->B * h->K / 2; i++) {
    cos_[i] = cosf((float)i);
    sin_[i] = sinf((float)i);
  }
  kern_ring r = ring_of(s, h, type);
  r.keys = side_draw(s, type, 3 * h->places * h->N * GK, 1.0);
  r.values = side_draw(s, type, 3 * h->places * h->N * GK, 1.0);
  r.sink_keys = side_draw(s, type, 3 * h->N * GK, 1.0);
  r.sink_values = side_draw(s, type, 3 * h->N * GK, 1.0);
  const int32_t pin[] = {1, 3, -1, -1, -1, -1, 0, -1, -1};
  if (h->places % 2) { // some rings have frames that stay, others none
    r.pins = 4;
    r.most_pins = 3;
    r.pin = side_given(s, VALUE_I32, pin, h->B * 3);
    r.pin_keys = side_draw(s, type, 3 * 4 * h->N * GK, 1.0);
    r.pin_values = side_draw(s, type, 3 * 4 * h->N * GK, 1.0);
  }
  SIDE_RUN(s, ring_attend, .r = r, .H = h->H, .window = h->window,
           .qk = side_draw(s, type, M * (HK + GK), 1.0),
           .qkv = side_draw(s, type, M * (HK + 2 * GK), 1.0),
           .cos = side_given(s, VALUE_F32, cos_, h->B * h->K / 2),
           .sin = side_given(s, VALUE_F32, sin_, h->B * h->K / 2),
           .o = side_out(s, "o", value_of(type), M * HK, 5e-6));
}

static void keep(side *s, const void *of, kern_dtype type) {
  const shape *h = of;
  const int64_t GK = h->G * h->K, HK = h->H * h->K, M = h->B * h->N;
  kern_ring r = ring_of(s, h, type);
  r.keys = side_both(s, "keys", type, 3 * h->places * h->N * GK, 1.0, 0);
  r.values = side_both(s, "values", type, 3 * h->places * h->N * GK, 1.0, 0);
  r.sink_keys = side_both(s, "sink keys", type, 3 * h->N * GK, 1.0, 0);
  r.sink_values = side_both(s, "sink values", type, 3 * h->N * GK, 1.0, 0);
  SIDE_RUN(s, ring_keep, .r = r, .H = h->H, .qk = side_draw(s, type, M * (HK + GK), 1.0),
           .qkv = side_draw(s, type, M * (HK + 2 * GK), 1.0));
}

static void pin_frames(side *s, const void *of, kern_dtype type) {
  const shape *h = of;
  const int64_t GK = h->G * h->K, from[] = {1000001, 0, 3};
  const int32_t to[] = {2, -1, 0};
  float cos_[3 * 64], sin_[3 * 64];
  for (int64_t i = 0; i < h->B * h->K / 2; i++) {
    cos_[i] = cosf((float)i);
    sin_[i] = sinf((float)i);
  }
  kern_ring r = ring_of(s, h, type);
  r.pins = 3;
  r.keys = side_draw(s, type, 3 * h->places * h->N * GK, 1.0);
  r.values = side_draw(s, type, 3 * h->places * h->N * GK, 1.0);
  r.pin_keys = side_both(s, "pinned keys", type, 3 * 3 * h->N * GK, 1.0, 1e-6);
  r.pin_values = side_both(s, "pinned values", type, 3 * 3 * h->N * GK, 1.0, 0);
  SIDE_RUN(s, ring_pin, .r = r, .to = side_given(s, VALUE_I32, to, h->B),
           .from = side_given(s, VALUE_RAW, from, h->B * 8),
           .cos = side_given(s, VALUE_F32, cos_, h->B * h->K / 2),
           .sin = side_given(s, VALUE_F32, sin_, h->B * h->K / 2));
}

static void test_rings_equal_the_cpus(void **state) {
  PARITY_SHAPES(attend, shapes, 1);
  PARITY_SHAPES(keep, shapes, 1);
  PARITY_SHAPES(pin_frames, shapes, 1);
}

static void choose(side *s, const void *of, kern_dtype type) {
  enum { B = 3, S = 300, V = 50 };
  const float noise[B] = {0.0f, 1.5f, 0.7f};
  const int32_t left[B] = {20, 100, 0};
  const uint64_t seed[B] = {1, 0x1234567890abcdefull, 2}, sample[B] = {5, 5, 6},
                 draw[B] = {0, 3, 9};
  const double nll[B] = {0.0, 1.0, 2.0};
  int32_t tokens[B * S];
  for (int i = 0; i < B * S; i++) tokens[i] = i % 3 == 0 ? i % V : V;
  SIDE_RUN(s, choose, .B = B, .S = S, .V = V, .code = side_ints(s, B * S, 0, V),
           .log_prob = side_draw(s, KERN_F32, B * S, 1.0),
           .noise = side_given(s, VALUE_F32, noise, B), .left = side_given(s, VALUE_I32, left, B),
           .seed = side_given(s, VALUE_RAW, seed, sizeof seed),
           .sample = side_given(s, VALUE_RAW, sample, sizeof sample),
           .draw = side_given(s, VALUE_RAW, draw, sizeof draw),
           .tokens = side_both_given(s, "tokens", VALUE_I32, tokens, B * S, 0),
           .nll = side_both_given(s, "nll", VALUE_F64, nll, B, 1e-12));
}

static void test_choices_are_the_cpus(void **state) {
  parity_check(choose, NULL, KERN_F32, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rings_equal_the_cpus),
      cmocka_unit_test(test_choices_are_the_cpus),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
