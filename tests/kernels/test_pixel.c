// labels: quick
// Patches, frames and the pixel loss against loops over single pixels.
#include "tests/kernels/harness.h"

typedef struct {
  int64_t B, rows, cols, p;
} shape;
static const shape shapes[] = {{1, 1, 1, 1}, {2, 3, 4, 4}, {3, 5, 3, 2}, {1, 2, 3, 8}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static int64_t values(shape s) {
  return s.B * s.rows * s.cols * 3 * s.p * s.p;
}

// Where value i of the frames [B, H, W, 3] lies in the patches.
static int64_t in_patches(shape s, int64_t i) {
  const int64_t W = s.cols * s.p, H = s.rows * s.p;
  const int64_t channel = i % 3, x = i / 3 % W, y = i / 3 / W % H, b = i / 3 / W / H;
  const int64_t patch = (b * s.rows + y / s.p) * s.cols + x / s.p;
  return (patch * s.p * s.p + y % s.p * s.p + x % s.p) * 3 + channel;
}

// One picture as bytes and as floats.
typedef struct {
  uint8_t *u8;
  float *f32;
} picture;

static picture draw_picture(pool *p, int64_t n) {
  picture q = {pool_take(p, (size_t)n), pool_take(p, (size_t)n * sizeof(float))};
  p->draws++;
  for (int64_t i = 0; i < n; i++) {
    q.u8[i] = (uint8_t)orr_rng_below(3, ORR_STREAM_TEST, p->draws, (uint64_t)i, 256);
    q.f32[i] = (float)q.u8[i] / 255.0f;
  }
  return q;
}

static void check_patchify(shape s, kern_dtype type) {
  pool p = {0};
  const int64_t n = values(s);
  picture q = draw_picture(&p, n);
  double *want = pool_take(&p, (size_t)n * sizeof *want);
  for (int64_t i = 0; i < n; i++) want[in_patches(s, i)] = 2.0 * q.u8[i] / 255 - 1;
  FOR_SETUPS(run) {
    void *from_u8 = pool_take(&p, (size_t)n * kern_dtype_size(type));
    void *from_f32 = pool_take(&p, (size_t)n * kern_dtype_size(type));
    kern_patchify_args a = {type, s.B, s.rows, s.cols, s.p, q.u8, NULL, from_u8};
    RUN(run, patchify, &a);
    kern_patchify_args b = {type, s.B, s.rows, s.cols, s.p, NULL, q.f32, from_f32};
    RUN(run, patchify, &b);
    /* a quotient and a difference near 1: measured 7.3e-8 */
    expect_close("x", from_u8, type, want, n, 1.5e-7);
    assert_memory_equal(from_u8, from_f32, (size_t)n * kern_dtype_size(type));
  }
  pool_free(&p);
}

static void test_patches_hold_the_pixels_from_bytes_and_floats_alike(void **state) {
  for (int i = 0; i < SHAPES; i++) {
    check_patchify(shapes[i], KERN_F32);
    check_patchify(shapes[i], KERN_BF16);
  }
}

static void check_unpatchify(shape s, kern_dtype type) {
  pool p = {0};
  const int64_t n = values(s);
  double *x = pool_draw(&p, n, type, 1.0); // about a third lies outside [-1, 1]
  double *want = pool_take(&p, (size_t)n * sizeof *want);
  for (int64_t i = 0; i < n; i++) want[i] = (x[in_patches(s, i)] + 1) / 2;
  FOR_SETUPS(run) {
    uint8_t *u8 = pool_take(&p, (size_t)n);
    float *f32 = pool_take(&p, (size_t)n * sizeof *f32);
    kern_unpatchify_args a = {type, s.B, s.rows, s.cols, s.p, pool_typed(&p, x, n, type), u8, f32};
    RUN(run, unpatchify, &a);
    /* one rounding of x + 1: measured 5.7e-8 */
    expect_close("frames", f32, KERN_F32, want, n, 1e-7);
    for (int64_t i = 0; i < n; i++) {
      const double level = 255 * fmin(fmax(want[i], 0), 1);
      assert_true(fabs(u8[i] - level) <= 0.5001);
    }
  }
  pool_free(&p);
}

static void test_frames_come_back_clamped_as_bytes_and_whole_as_floats(void **state) {
  for (int i = 0; i < SHAPES; i++) {
    check_unpatchify(shapes[i], KERN_F32);
    check_unpatchify(shapes[i], KERN_BF16);
  }
}

static void test_bytes_survive_the_way_there_and_back(void **state) {
  const shape s = {1, 4, 4, 4};
  for (kern_dtype type = KERN_F32; type <= KERN_BF16; type++) {
    pool p = {0};
    const int64_t n = values(s);
    picture q = draw_picture(&p, n);
    FOR_SETUPS(run) {
      void *x = pool_take(&p, (size_t)n * kern_dtype_size(type));
      uint8_t *back = pool_take(&p, (size_t)n);
      kern_patchify_args a = {type, s.B, s.rows, s.cols, s.p, q.u8, NULL, x};
      RUN(run, patchify, &a);
      kern_unpatchify_args b = {type, s.B, s.rows, s.cols, s.p, x, back, NULL};
      RUN(run, unpatchify, &b);
      // bfloat16 has steps of 2^-8 just below 1, in frames 2^-9: half of that is 0.25 of a byte.
      for (int64_t i = 0; i < n; i++) assert_int_equal(back[i], q.u8[i]);
    }
    pool_free(&p);
  }
}

static void test_a_nan_becomes_a_black_byte(void **state) {
  const float x[3] = {NAN, INFINITY, -INFINITY};
  FOR_SETUPS(run) {
    uint8_t u8[3] = {7, 7, 7};
    kern_unpatchify_args a = {KERN_F32, 1, 1, 1, 1, x, u8, NULL};
    RUN(run, unpatchify, &a);
    assert_int_equal(u8[0], 0);
    assert_int_equal(u8[1], 255);
    assert_int_equal(u8[2], 0);
  }
}

static const float l2 = 0.7f, l1 = 0.4f, scale = 1.25f;

typedef struct {
  shape s;
  double *x, *frame;
} pixels;

static double pixel_loss(const pixels *in, double *sum2, double *sum1) {
  *sum2 = *sum1 = 0;
  for (int64_t i = 0; i < values(in->s); i++) {
    const double d = (in->x[in_patches(in->s, i)] + 1) / 2 - in->frame[i];
    *sum2 += d * d;
    *sum1 += fabs(d);
  }
  return (double)l2 * *sum2 + (double)l1 * *sum1;
}

static double weighted_loss(const void *ctx) {
  double sum2, sum1;
  return scale * pixel_loss(ctx, &sum2, &sum1);
}

static void check_loss(shape s, kern_dtype type, bool bytes) {
  pool p = {0};
  const int64_t n = values(s);
  picture q = draw_picture(&p, n);
  pixels in = {.s = s, .x = pool_draw(&p, n, type, 0.5)};
  in.frame = pool_take(&p, (size_t)n * sizeof *in.frame);
  for (int64_t i = 0; i < n; i++) in.frame[i] = q.f32[i];
  double *dx = pool_take(&p, (size_t)n * sizeof *dx), sum2, sum1;
  const double want = pixel_loss(&in, &sum2, &sum1);
  slopes(weighted_loss, &in, in.x, n, dx);
  void *kept = NULL, *kept_loss = NULL;
  FOR_SETUPS(run) {
    void *got = pool_take(&p, (size_t)n * kern_dtype_size(type));
    double loss = 0.5, only = 0.5, squares = 0, magnitudes = 0;
    kern_pixel_loss_args a = {.type = type,
                              .B = s.B,
                              .rows = s.rows,
                              .cols = s.cols,
                              .p = s.p,
                              .x = pool_typed(&p, in.x, n, type),
                              .frames_u8 = bytes ? q.u8 : NULL,
                              .frames_f32 = bytes ? NULL : q.f32,
                              .l2 = l2,
                              .l1 = l1,
                              .scale = &scale,
                              .loss_sum = &loss,
                              .dx = got};
    RUN(run, pixel_loss, &a);
    a.dx = NULL, a.scale = NULL, a.loss_sum = &only;
    RUN(run, pixel_loss, &a);
    assert_memory_equal(&loss, &only, sizeof loss);
    a.l2 = 1, a.l1 = 0, a.loss_sum = &squares;
    RUN(run, pixel_loss, &a);
    a.l2 = 0, a.l1 = 1, a.loss_sum = &magnitudes;
    RUN(run, pixel_loss, &a);
    /* sums of 24 float32 terms, then float64: measured 5e-8 */
    assert_true(fabs(squares - sum2) <= 5e-7 * sum2);
    assert_true(fabs(magnitudes - sum1) <= 5e-7 * sum1);
    assert_true(fabs(loss - 0.5 - want) <= 5e-7 * want);
    /* float32 against differences of step 1e-4: measured 9.1e-8 */
    expect_close("dx", got, type, dx, n, 1e-6);
    expect_same_bits(&p, &kept, run, got, (size_t)n * kern_dtype_size(type));
    expect_same_bits(&p, &kept_loss, run, &loss, sizeof loss);
  }
  pool_free(&p);
}

static void test_loss_and_gradient_equal_double_and_finite_differences(void **state) {
  for (int i = 0; i < SHAPES; i++) {
    check_loss(shapes[i], KERN_F32, false);
    check_loss(shapes[i], KERN_F32, true);
    check_loss(shapes[i], KERN_BF16, true);
  }
}

static void test_a_pixel_that_is_right_has_no_gradient(void **state) {
  const float x[3] = {0.0f, 1.0f, -1.0f}, frame[3] = {0.5f, 1.0f, 0.0f};
  FOR_SETUPS(run) {
    float dx[3] = {9, 9, 9};
    const float one = 1.0f;
    double sum = 0;
    kern_pixel_loss_args a = {KERN_F32, 1, 1, 1, 1, x, NULL, frame, 1.0, 1.0, &one, &sum, dx};
    RUN(run, pixel_loss, &a);
    assert_true(sum == 0 && dx[0] == 0 && dx[1] == 0 && dx[2] == 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_patches_hold_the_pixels_from_bytes_and_floats_alike),
      cmocka_unit_test(test_frames_come_back_clamped_as_bytes_and_whole_as_floats),
      cmocka_unit_test(test_bytes_survive_the_way_there_and_back),
      cmocka_unit_test(test_a_nan_becomes_a_black_byte),
      cmocka_unit_test(test_loss_and_gradient_equal_double_and_finite_differences),
      cmocka_unit_test(test_a_pixel_that_is_right_has_no_gradient),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
