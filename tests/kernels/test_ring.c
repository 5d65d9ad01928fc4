// labels: quick
// Attention over a ring of earlier frames against loops in double, and what is kept in it.
#include "tests/kernels/harness.h"

enum {
  B = 4,
  RINGS = 6,
  N = 3,
  H = 4,
  G = 2,
  K = 12,
  GK = G * K,
  HK = H * K,
  PLACES = 5,
  WINDOW = 4,
  PINS = 3, // slots of a ring
  SEEN = 2  // at most
};
static const int32_t pin[B * SEEN] = {-1, -1, -1, -1, 2, -1, 1, 0};
static const int32_t ring[B] = {5, 0, 3, 1};
static const int64_t frame[B] = {0, 1, 3,
                                 1000003}; // alone, with frame 0, before and after the window

typedef struct {
  double *keys, *values, *sink_keys, *sink_values, *pin_keys, *pin_values, *qk, *qkv, *turn;
} numbers;

static numbers draw_numbers(pool *p, kern_dtype type) {
  return (numbers){.keys = pool_draw(p, RINGS * PLACES * N * GK, type, 1.0),
                   .values = pool_draw(p, RINGS * PLACES * N * GK, type, 1.0),
                   .sink_keys = pool_draw(p, RINGS * N * GK, type, 1.0),
                   .sink_values = pool_draw(p, RINGS * N * GK, type, 1.0),
                   .pin_keys = pool_draw(p, RINGS * PINS * N * GK, type, 1.0),
                   .pin_values = pool_draw(p, RINGS * PINS * N * GK, type, 1.0),
                   .qk = pool_draw(p, B * N * (HK + GK), type, 1.0),
                   .qkv = pool_draw(p, B * N * (HK + 2 * GK), type, 1.0),
                   .turn = pool_draw(p, B * (K / 2), KERN_F32, 2.0)};
}

static kern_ring ring_of(pool *p, const numbers *x, kern_dtype type) {
  return (kern_ring){.type = type,
                     .B = B,
                     .N = N,
                     .G = G,
                     .K = K,
                     .places = PLACES,
                     .ring = ring,
                     .frame = frame,
                     .keys = pool_typed(p, x->keys, RINGS * PLACES * N * GK, type),
                     .values = pool_typed(p, x->values, RINGS * PLACES * N * GK, type),
                     .sink_keys = pool_typed(p, x->sink_keys, RINGS * N * GK, type),
                     .sink_values = pool_typed(p, x->sink_values, RINGS * N * GK, type),
                     .pins = PINS,
                     .most_pins = SEEN,
                     .pin = pin,
                     .pin_keys = pool_typed(p, x->pin_keys, RINGS * PINS * N * GK, type),
                     .pin_values = pool_typed(p, x->pin_values, RINGS * PINS * N * GK, type)};
}

// A key turned by session b's angles.
static void turn(const numbers *x, int64_t b, const double *s, double *turned) {
  for (int j = 0; j < K / 2; j++) {
    const double c = (float)cos(x->turn[b * (K / 2) + j]), d = (float)sin(x->turn[b * (K / 2) + j]);
    turned[j] = s[j] * c - s[j + K / 2] * d;
    turned[j + K / 2] = s[j + K / 2] * c + s[j] * d;
  }
}

// o of one head of one row.
static void attend(const numbers *x, int64_t b, int64_t n, int64_t h, double *o) {
  const int64_t t = frame[b], g = h / (H / G), m = b * N + n;
  const double *q = x->qk + m * (HK + GK) + h * K, *k[WINDOW + SEEN + 1], *v[WINDOW + SEEN + 1];
  double turned[SEEN + 1][K], p[WINDOW + SEEN + 1], sum = 0;
  int seen = 0;
  if (t > 0) {
    const double *s = x->sink_keys + (ring[b] * N + n) * GK + g * K;
    turn(x, b, s, turned[0]);
    k[seen] = turned[0];
    v[seen++] = x->sink_values + (ring[b] * N + n) * GK + g * K;
  }
  for (int i = 0; i < SEEN && pin[b * SEEN + i] >= 0; i++) {
    const int64_t at = ((ring[b] * PINS + pin[b * SEEN + i]) * N + n) * GK + g * K;
    turn(x, b, x->pin_keys + at, turned[1 + i]);
    k[seen] = turned[1 + i];
    v[seen++] = x->pin_values + at;
  }
  for (int64_t f = t - WINDOW + 1; f < t; f++) {
    if (f < 1) continue;
    k[seen] = x->keys + ((ring[b] * PLACES + f % PLACES) * N + n) * GK + g * K;
    v[seen++] = x->values + ((ring[b] * PLACES + f % PLACES) * N + n) * GK + g * K;
  }
  k[seen] = x->qk + m * (HK + GK) + HK + g * K;
  v[seen++] = x->qkv + m * (HK + 2 * GK) + HK + GK + g * K;
  for (int i = 0; i < seen; i++) {
    double dot = 0;
    for (int c = 0; c < K; c++) dot += q[c] * k[i][c];
    sum += p[i] = exp(dot / sqrt(K));
  }
  for (int c = 0; c < K; c++) {
    o[c] = 0;
    for (int i = 0; i < seen; i++) o[c] += p[i] / sum * v[i][c];
  }
}

static void check_attention(kern_dtype type) {
  pool p = {0};
  const numbers x = draw_numbers(&p, type);
  double *want = pool_take(&p, B * N * HK * sizeof *want);
  float *cos_ = pool_take(&p, B * (K / 2) * sizeof *cos_),
        *sin_ = pool_take(&p, B * (K / 2) * sizeof *sin_);
  for (int i = 0; i < B * (K / 2); i++) {
    cos_[i] = (float)cos(x.turn[i]);
    sin_[i] = (float)sin(x.turn[i]);
  }
  for (int64_t m = 0; m < B * N; m++)
    for (int64_t h = 0; h < H; h++) attend(&x, m / N, m % N, h, want + m * HK + h * K);
  FOR_SETUPS(run) {
    void *o = pool_take(&p, B * N * HK * sizeof(float));
    kern_ring_attend_args a = {.r = ring_of(&p, &x, type),
                               .H = H,
                               .window = WINDOW,
                               .qk = pool_typed(&p, x.qk, B * N * (HK + GK), type),
                               .qkv = pool_typed(&p, x.qkv, B * N * (HK + 2 * GK), type),
                               .cos = cos_,
                               .sin = sin_,
                               .o = o};
    RUN(run, ring_attend, &a);
    /* fp32 dot products of 12 terms, exp of 1e-7: measured 2.1e-7 */
    expect_close("o", o, type, want, B * N * HK, 1e-6);
  }
  pool_free(&p);
}

// What a frame's key is once its rotation is taken back, and where it stays.
static void check_pinning(kern_dtype type) {
  static const int32_t to[B] = {-1, 2, 0, 1};
  static const int64_t from[B] = {0, 7, 3, 1000001};
  pool p = {0};
  const numbers x = draw_numbers(&p, type);
  const int64_t all = RINGS * PINS * N * GK;
  double *keys = pool_take(&p, (size_t)all * 8), *values = pool_take(&p, (size_t)all * 8);
  float *cos_ = pool_take(&p, B * (K / 2) * sizeof *cos_),
        *sin_ = pool_take(&p, B * (K / 2) * sizeof *sin_);
  memcpy(keys, x.pin_keys, (size_t)all * 8);
  memcpy(values, x.pin_values, (size_t)all * 8);
  for (int i = 0; i < B * (K / 2); i++) {
    cos_[i] = (float)cos(x.turn[i]);
    sin_[i] = (float)sin(x.turn[i]);
  }
  for (int64_t m = 0; m < B * N * G; m++) {
    const int64_t b = m / (N * G), n = m / G % N, g = m % G;
    if (to[b] < 0) continue;
    const int64_t at = ((ring[b] * PLACES + from[b] % PLACES) * N + n) * GK + g * K,
                  into = ((ring[b] * PINS + to[b]) * N + n) * GK + g * K;
    for (int j = 0; j < K / 2; j++) {
      const double c = (double)cos_[b * (K / 2) + j], s = (double)sin_[b * (K / 2) + j];
      keys[into + j] = x.keys[at + j] * c + x.keys[at + j + K / 2] * s;
      keys[into + j + K / 2] = x.keys[at + j + K / 2] * c - x.keys[at + j] * s;
    }
    memcpy(values + into, x.values + at, K * sizeof *values);
  }
  FOR_SETUPS(run) {
    kern_ring_pin_args a = {
        .r = ring_of(&p, &x, type), .to = to, .from = from, .cos = cos_, .sin = sin_};
    RUN(run, ring_pin, &a);
    /* two products: measured 6e-8 */
    expect_close("keys", a.r.pin_keys, type, keys, all, 1e-6);
    expect_close("values", a.r.pin_values, type, values, all, 0);
  }
  pool_free(&p);
}

static void test_a_frame_that_stays_is_turned_back(void **state) {
  check_pinning(KERN_F32);
  check_pinning(KERN_BF16);
}

static void test_a_row_sees_frame_0_what_stays_its_window_and_itself(void **state) {
  check_attention(KERN_F32);
  check_attention(KERN_BF16);
}

static void check_keeping(kern_dtype type) {
  pool p = {0};
  const numbers x = draw_numbers(&p, type);
  const size_t row = GK * kern_dtype_size(type);
  FOR_SETUPS(run) {
    kern_ring r = ring_of(&p, &x, type), before = ring_of(&p, &x, type);
    kern_ring_keep_args a = {.r = r,
                             .H = H,
                             .qk = pool_typed(&p, x.qk, B * N * (HK + GK), type),
                             .qkv = pool_typed(&p, x.qkv, B * N * (HK + 2 * GK), type)};
    RUN(run, ring_keep, &a);
    for (int b = 0; b < B; b++) // what was to be kept, into the picture of before
      for (int n = 0; n < N; n++) {
        const int64_t m = b * N + n, t = frame[b];
        const int64_t to = t == 0 ? ring[b] * N + n : (ring[b] * PLACES + t % PLACES) * N + n;
        char *k = t == 0 ? before.sink_keys : before.keys,
             *v = t == 0 ? before.sink_values : before.values;
        memcpy(k + (size_t)to * row, pool_typed(&p, x.qk + m * (HK + GK) + HK, GK, type), row);
        memcpy(v + (size_t)to * row, pool_typed(&p, x.qkv + m * (HK + 2 * GK) + HK + GK, GK, type),
               row);
        free(p.block[--p.count]);
        free(p.block[--p.count]);
      }
    assert_memory_equal(r.keys, before.keys, (size_t)(RINGS * PLACES * N) * row);
    assert_memory_equal(r.values, before.values, (size_t)(RINGS * PLACES * N) * row);
    assert_memory_equal(r.sink_keys, before.sink_keys, (size_t)(RINGS * N) * row);
    assert_memory_equal(r.sink_values, before.sink_values, (size_t)(RINGS * N) * row);
  }
  pool_free(&p);
}

static void test_a_frame_is_kept_at_its_place_of_its_ring(void **state) {
  check_keeping(KERN_F32);
  check_keeping(KERN_BF16);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_row_sees_frame_0_what_stays_its_window_and_itself),
      cmocka_unit_test(test_a_frame_that_stays_is_turned_back),
      cmocka_unit_test(test_a_frame_is_kept_at_its_place_of_its_ring),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
