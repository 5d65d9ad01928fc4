// Packed form: strips of STRIP rows of w, each [K,STRIP] float32, so that a step along k reads two
// whole vectors; rows beyond N are zeros. bfloat16 weights are widened when they are packed.
//
// A tile of ROWS x STRIP sums stays in the registers over all of K. Tiles are dealt out in an order
// that keeps a strip in the first-level cache and a panel of x in the second.
#include "kernels/cpu/packed.h"

#include <omp.h>

#include "kernels/cpu/vec.h"

#if CPU_LANES == 16
enum { ROWS = 12 };
#else
enum { ROWS = 6 };
#endif
enum { VECTORS = 2, STRIP = VECTORS * CPU_LANES, PANEL = 8 }; // PANEL: in tiles

static int64_t strips_of(int64_t N) {
  return (N + STRIP - 1) / STRIP;
}

size_t CPU_FN(cpu_packed_bytes)(const kern *k, kern_dtype type, int64_t N, int64_t K) {
  return (size_t)(strips_of(N) * STRIP * K) * sizeof(float);
}

orr_code CPU_FN(pack_weight)(kern *k, const kern_pack_weight_args *a) {
  if (k->planning) return ORR_OK;
#pragma omp parallel for num_threads(k->threads) schedule(static)
  for (int64_t s = 0; s < strips_of(a->N); s++) {
    float *to = (float *)a->packed + s * STRIP * a->K;
    for (int64_t n = 0; n < STRIP; n++) {
      const int64_t row = s * STRIP + n;
      for (int64_t i = 0; i < a->K; i++)
        to[i * STRIP + n] = row < a->N ? cpu_lane_get(a->w, row * a->K + i, a->type) : 0.0f;
    }
  }
  return ORR_OK;
}

// A product with x as float32.
typedef struct {
  const kern_matmul_fwd_args *a;
  const float *x;
  int64_t ldx;
  cpu_vec_kind kind; // of y and add
} product;

CPU_INLINE void finish(const product *p, int64_t m, int64_t n, cpu_vf sum, cpu_vec_kind kind) {
  const kern_matmul_fwd_args *a = p->a;
  const int64_t left = a->N - n;
  const size_t row = (size_t)(m * a->ldy) * kern_dtype_size(cpu_vec_type(kind));
  if (left <= 0) return;
  if (a->bias) sum += cpu_vec_f32(a->bias, n, left);
  if (a->add) sum += cpu_vec_get((const char *)a->add + row, n, left, kind);
  cpu_vec_set((char *)a->y + row, n, left, sum, kind);
}

// Rows m .. m+rows-1 of strip s; rows and kind constant.
CPU_INLINE void tile(const product *p, int rows, int64_t m, int64_t s, cpu_vec_kind kind) {
  const int64_t K = p->a->K;
  const float *x = p->x + m * p->ldx, *b = (const float *)p->a->packed + s * STRIP * K;
  cpu_vf sum[ROWS][VECTORS];
#pragma GCC unroll 12
  for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
    for (int j = 0; j < VECTORS; j++) sum[i][j] = (cpu_vf){0};
  for (int64_t d = 0; d < K; d++) {
    cpu_vf right[VECTORS];
#pragma GCC unroll 2
    for (int j = 0; j < VECTORS; j++) right[j] = cpu_vf_load(b + d * STRIP + j * CPU_LANES);
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++) {
      const cpu_vf left = cpu_vf_set(x[i * p->ldx + d]);
#pragma GCC unroll 2
      for (int j = 0; j < VECTORS; j++) sum[i][j] += left * right[j];
    }
  }
#pragma GCC unroll 12
  for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
    for (int j = 0; j < VECTORS; j++) finish(p, m + i, s * STRIP + j * CPU_LANES, sum[i][j], kind);
}

#define TILE_CASE(n)                                                                               \
  case n:                                                                                          \
    tile(p, n, m, s, kind);                                                                        \
    break;

CPU_INLINE void tile_of(const product *p, int64_t m, int64_t s, cpu_vec_kind kind) {
  const int64_t left = p->a->M - m;
  switch (left < ROWS ? left : ROWS) {
    TILE_CASE(1)
    TILE_CASE(2)
    TILE_CASE(3)
    TILE_CASE(4)
    TILE_CASE(5)
    TILE_CASE(6)
#if CPU_LANES == 16
    TILE_CASE(7)
    TILE_CASE(8)
    TILE_CASE(9)
    TILE_CASE(10)
    TILE_CASE(11)
    TILE_CASE(12)
#endif
  default:
    break;
  }
}

// Tiles first .. end-1, counted panel by panel, in a panel strip by strip.
static void tiles_f32(const product *p, int64_t first, int64_t end) {
  const int64_t strips = strips_of(p->a->N), high = (p->a->M + ROWS - 1) / ROWS;
  for (int64_t i = first; i < end; i++) {
    const int64_t panel = i / (strips * PANEL), left = high - panel * PANEL,
                  rows = left < PANEL ? left : PANEL, at = i - panel * strips * PANEL;
    tile_of(p, (panel * PANEL + at % rows) * ROWS, at / rows, CPU_VEC_F32);
  }
}

static void tiles_bf16(const product *p, int64_t first, int64_t end) {
  const int64_t strips = strips_of(p->a->N), high = (p->a->M + ROWS - 1) / ROWS;
  for (int64_t i = first; i < end; i++) {
    const int64_t panel = i / (strips * PANEL), left = high - panel * PANEL,
                  rows = left < PANEL ? left : PANEL, at = i - panel * strips * PANEL;
    if (p->kind == CPU_VEC_BF16)
      tile_of(p, (panel * PANEL + at % rows) * ROWS, at / rows, CPU_VEC_BF16);
    else
      tile_of(p, (panel * PANEL + at % rows) * ROWS, at / rows, CPU_VEC_BF16_NATIVE);
  }
}

static void widen(const kern_matmul_fwd_args *a, int64_t first, int64_t end, float *to) {
  for (int64_t m = first; m < end; m++)
    for (int64_t i = 0; i < a->K; i++)
      to[m * a->K + i] = cpu_lane_get(a->x, m * a->ldx + i, KERN_BF16);
}

orr_code CPU_FN(cpu_packed_fwd)(kern *k, const kern_matmul_fwd_args *a) {
  const bool wide = a->type == KERN_BF16;
  void *workspace;
  ORR_TRY(cpu_workspace(k, wide ? (size_t)(a->M * a->K) * sizeof(float) : 0, &workspace));
  if (k->planning) return ORR_OK;
  const product p = {.a = a,
                     .x = wide ? workspace : a->x,
                     .ldx = wide ? a->K : a->ldx,
                     .kind = cpu_vec_kind_of(k, a->y_type)};
  const int64_t tiles = (a->M + ROWS - 1) / ROWS * strips_of(a->N), M = a->M;
#pragma omp parallel num_threads(k->threads)
  {
    const int64_t t = omp_get_thread_num(), all = omp_get_num_threads();
    if (wide) {
      widen(a, M * t / all, M * (t + 1) / all, workspace);
#pragma omp barrier
    }
    if (p.kind == CPU_VEC_F32)
      tiles_f32(&p, tiles * t / all, tiles * (t + 1) / all);
    else
      tiles_bf16(&p, tiles * t / all, tiles * (t + 1) / all);
  }
  return ORR_OK;
}
