// Frames to patches and back, and the tokenizer's loss on them.
//
//   patchify:    x[(b, r, c), (py, px, channel)] (=) 2 frame[b, r p + py, c p + px, channel] - 1
//   unpatchify:  frame (=) (x + 1) / 2
//   loss:        d = (x + 1) / 2 - frame;  sums of d^2 and |d|;  dx (=) scale (l2 2 d + l1 sign d)
//   / 2
//
// Work is cut into bands: the p pixel rows of one row of patches. Within a band it goes by runs,
// the 3 p values of one pixel row of one patch, which are contiguous on both sides. Sums are
// float32 inside a run, float64 over runs and bands.
#include <inttypes.h>
#include <math.h>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/lane.h"

// A pixel costs about as much as this many elements of other ops.
enum { PIXEL_WIDTH = 8 };
enum { MOST_P = 256, MOST_RUN = 3 * MOST_P };

typedef struct {
  int64_t B, rows, cols, p;
} pixel_shape;

// An op's call, as its threads see it.
typedef struct {
  const void *args;
  pixel_shape s;
  void *sums; // of the loss, one a band
} pixel_ctx;

static int64_t band_count(const pixel_shape *s) {
  return s->B * s->rows;
}
static int64_t band_grain(const kern *k, const pixel_shape *s) {
  return cpu_grain(k, band_count(s), PIXEL_WIDTH * s->p * s->p * s->cols);
}
// Where run (py, c) of a band begins: in the frames, and in the patches.
static int64_t run_in_frame(const pixel_shape *s, int64_t band, int64_t py, int64_t c) {
  return ((band * s->p + py) * s->cols + c) * 3 * s->p;
}
static int64_t run_in_patch(const pixel_shape *s, int64_t band, int64_t py, int64_t c) {
  return ((band * s->cols + c) * s->p + py) * 3 * s->p;
}

static orr_code check_shape(const pixel_shape *s) {
  ORR_CHECK(s->p >= 1 && s->p <= MOST_P, ORR_EINVAL,
            "pixels: patch side %" PRId64 ", wanted 1 to %d", s->p, MOST_P);
  return ORR_OK;
}

// n values of the frames from `at`, in [0, 1].
static void load_run(const uint8_t *u8, const float *f32, int64_t at, int64_t n,
                     float *restrict out) {
  if (u8) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) out[i] = (float)u8[at + i] / 255.0f;
  } else {
    memcpy(out, f32 + at, (size_t)n * sizeof *out);
  }
}

CPU_INLINE void patchify_band(const kern_patchify_args *a, const pixel_shape *s, int64_t band,
                              kern_dtype type) {
  const int64_t n = 3 * s->p;
  float frame[MOST_RUN];
  for (int64_t py = 0; py < s->p; py++) {
    for (int64_t c = 0; c < s->cols; c++) {
      load_run(a->frames_u8, a->frames_f32, run_in_frame(s, band, py, c), n, frame);
      void *x = cpu_lane_row_mut(a->x, run_in_patch(s, band, py, c), 1, type);
#pragma omp simd
      for (int64_t i = 0; i < n; i++) cpu_lane_set(x, i, frame[i] * 2.0f - 1.0f, type);
    }
  }
}

static void patchify_part(const void *ctx, int64_t first, int64_t end, int thread) {
  const pixel_ctx *c = ctx;
  const kern_patchify_args *a = c->args;
  for (int64_t band = first; band < end; band++) {
    if (a->type == KERN_BF16)
      patchify_band(a, &c->s, band, KERN_BF16);
    else
      patchify_band(a, &c->s, band, KERN_F32);
  }
}

orr_code CPU_FN(patchify)(kern *k, const kern_patchify_args *a) {
  const pixel_ctx c = {.args = a, .s = {a->B, a->rows, a->cols, a->p}};
  ORR_TRY(check_shape(&c.s));
  if (k->planning) return ORR_OK;
  cpu_run(k, band_count(&c.s), band_grain(k, &c.s), patchify_part, &c);
  return ORR_OK;
}

static void store_u8(uint8_t *restrict to, const float *restrict value, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; i++) {
    float v = value[i] > 0.0f ? value[i] : 0.0f; // a NaN becomes black
    v = v < 1.0f ? v : 1.0f;
    to[i] = (uint8_t)(int32_t)rintf(v * 255.0f);
  }
}

CPU_INLINE void unpatchify_band(const kern_unpatchify_args *a, const pixel_shape *s, int64_t band,
                                kern_dtype type) {
  const int64_t n = 3 * s->p;
  float value[MOST_RUN];
  for (int64_t py = 0; py < s->p; py++) {
    for (int64_t c = 0; c < s->cols; c++) {
      const void *x = cpu_lane_row(a->x, run_in_patch(s, band, py, c), 1, type);
      const int64_t at = run_in_frame(s, band, py, c);
#pragma omp simd
      for (int64_t i = 0; i < n; i++) value[i] = (cpu_lane_get(x, i, type) + 1.0f) * 0.5f;
      if (a->frames_f32) memcpy(a->frames_f32 + at, value, (size_t)n * sizeof *value);
      if (a->frames_u8) store_u8(a->frames_u8 + at, value, n);
    }
  }
}

static void unpatchify_part(const void *ctx, int64_t first, int64_t end, int thread) {
  const pixel_ctx *c = ctx;
  const kern_unpatchify_args *a = c->args;
  for (int64_t band = first; band < end; band++) {
    if (a->type == KERN_BF16)
      unpatchify_band(a, &c->s, band, KERN_BF16);
    else
      unpatchify_band(a, &c->s, band, KERN_F32);
  }
}

orr_code CPU_FN(unpatchify)(kern *k, const kern_unpatchify_args *a) {
  const pixel_ctx c = {.args = a, .s = {a->B, a->rows, a->cols, a->p}};
  ORR_TRY(check_shape(&c.s));
  if (k->planning) return ORR_OK;
  cpu_run(k, band_count(&c.s), band_grain(k, &c.s), unpatchify_part, &c);
  return ORR_OK;
}

typedef struct {
  double l2, l1;
} pixel_sums;

CPU_INLINE void loss_run(const kern_pixel_loss_args *a, const void *restrict x,
                         const float *restrict frame, int64_t n, void *restrict dx,
                         pixel_sums *sums, kern_dtype type) {
  const float scale = dx ? *a->scale : 0.0f;
  const float by_d = (float)a->l2 * scale, by_sign = 0.5f * (float)a->l1 * scale;
  float l2 = 0, l1 = 0;
#pragma omp simd reduction(+ : l2, l1)
  for (int64_t i = 0; i < n; i++) {
    float d = (cpu_lane_get(x, i, type) + 1.0f) * 0.5f - frame[i];
    l2 += d * d;
    l1 += fabsf(d);
  }
  sums->l2 += l2;
  sums->l1 += l1;
  if (!dx) return;
#pragma omp simd
  for (int64_t i = 0; i < n; i++) {
    float d = (cpu_lane_get(x, i, type) + 1.0f) * 0.5f - frame[i];
    float sign = (d > 0.0f ? by_sign : 0.0f) - (d < 0.0f ? by_sign : 0.0f);
    cpu_lane_set(dx, i, by_d * d + sign, type);
  }
}

CPU_INLINE pixel_sums loss_band(const kern_pixel_loss_args *a, const pixel_shape *s, int64_t band,
                                kern_dtype type) {
  const int64_t n = 3 * s->p;
  pixel_sums sums = {0};
  float frame[MOST_RUN];
  for (int64_t py = 0; py < s->p; py++) {
    for (int64_t c = 0; c < s->cols; c++) {
      load_run(a->frames_u8, a->frames_f32, run_in_frame(s, band, py, c), n, frame);
      const int64_t at = run_in_patch(s, band, py, c);
      loss_run(a, cpu_lane_row(a->x, at, 1, type), frame, n,
               a->dx ? cpu_lane_row_mut(a->dx, at, 1, type) : NULL, &sums, type);
    }
  }
  return sums;
}

static void loss_part(const void *ctx, int64_t first, int64_t end, int thread) {
  const pixel_ctx *c = ctx;
  const kern_pixel_loss_args *a = c->args;
  pixel_sums *sums = c->sums;
  for (int64_t band = first; band < end; band++) {
    if (a->type == KERN_BF16)
      sums[band] = loss_band(a, &c->s, band, KERN_BF16);
    else
      sums[band] = loss_band(a, &c->s, band, KERN_F32);
  }
}

orr_code CPU_FN(pixel_loss)(kern *k, const kern_pixel_loss_args *a) {
  pixel_ctx c = {.args = a, .s = {a->B, a->rows, a->cols, a->p}};
  const int64_t bands = band_count(&c.s);
  ORR_TRY(check_shape(&c.s));
  void *workspace;
  ORR_TRY(cpu_workspace(k, (size_t)bands * sizeof(pixel_sums), &workspace));
  if (k->planning) return ORR_OK;
  const pixel_sums *sums = c.sums = workspace;
  cpu_run(k, bands, band_grain(k, &c.s), loss_part, &c);
  pixel_sums total = {0};
  for (int64_t band = 0; band < bands; band++) {
    total.l2 += sums[band].l2;
    total.l1 += sums[band].l1;
  }
  *a->loss_sum += a->l2 * total.l2 + a->l1 * total.l1;
  return ORR_OK;
}
