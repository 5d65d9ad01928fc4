// Softmax attention in float32 (Vaswani et al. 2017), for bfloat16 operands by widening:
//   s_ij = q_i . k_j / sqrt(K),  p_ij = exp(s_ij - lse_i),  o_i = sum_j p_ij v_j
// backward, with the probabilities recomputed from lse (Dao et al. 2022):
//   delta_i = do_i . o_i,  ds_ij = p_ij (do_i . v_j - delta_i) / sqrt(K)
//   dv_j = sum_i p_ij do_i,  dq_i = sum_j ds_ij k_j,  dk_j = sum_i ds_ij q_i
// A task is one sequence and one key/value head with all query heads that read it, so dk and dv
// are summed in one order whatever the number of threads. Queries are taken in blocks of rows;
// their scores against all keys stay in the cache.
#include "kernels/cpu/attention.h"

#include <math.h>

#include "kernels/cpu/ahead.h"
#include "kernels/cpu/attention_amx.h"
#include "kernels/cpu/tile.h"
#include "kernels/cpu/vmath.h"

enum { BLOCK_ROWS = 96 };

// A call as its threads see it. A task is one sequence and one key/value head.
typedef struct {
  const void *args;
  void *workspace;
  size_t bytes; // of a thread's scratch
} task_ctx;

// The scratch of one thread: a bump allocator over its part of the workspace.
typedef struct {
  float *next;
} bump;

static float *take(bump *b, int64_t rows, int64_t cols) {
  float *p = b->next;
  b->next += (rows * cols + 15) / 16 * 16;
  return p;
}

// Rows [count, K] of one head as float32, padded with zeros to Kp columns.
static void widen_rows(kern_dtype type, int64_t count, int64_t K, const void *x, int64_t at,
                       int64_t stride, float *y) {
  const int64_t Kp = cpu_tile_pad(K);
  for (int64_t l = 0; l < count; l++) {
    float *row = y + l * Kp;
    if (type == KERN_F32)
      for (int64_t c = 0; c < K; c++) row[c] = cpu_lane_get(x, at + l * stride + c, KERN_F32);
    else
      for (int64_t c = 0; c < K; c++) row[c] = cpu_lane_get(x, at + l * stride + c, KERN_BF16);
    for (int64_t c = K; c < Kp; c++) row[c] = 0.0f;
  }
}

// The opposite: rows [count, K] times `factor[l]` (or 1 when NULL) into y.
static void store_rows(kern_dtype type, int64_t count, int64_t K, const float *x,
                       const float *factor, void *y, int64_t at, int64_t stride) {
  const int64_t Kp = cpu_tile_pad(K);
  for (int64_t l = 0; l < count; l++) {
    const float *row = x + l * Kp, f = factor ? factor[l] : 1.0f;
    if (type == KERN_F32)
      for (int64_t c = 0; c < K; c++) cpu_lane_set(y, at + l * stride + c, row[c] * f, KERN_F32);
    else
      for (int64_t c = 0; c < K; c++) cpu_lane_set(y, at + l * stride + c, row[c] * f, KERN_BF16);
  }
}

// Zeroes what position i does not see among the first `keys` probabilities.
static void mask_row(float *p, int64_t keys, int64_t i, bool causal, int64_t window) {
  if (!causal) return;
  for (int64_t j = i + 1; j < keys; j++) p[j] = 0.0f;
  if (window > 0)
    for (int64_t j = 1; j <= i - window; j++) p[j] = 0.0f;
}

// The largest score that position i sees.
static float largest_seen(const float *s, int64_t keys, int64_t i, bool causal, int64_t window) {
  const int64_t end = causal ? i + 1 : keys;
  const int64_t begin = causal && window > 0 && i + 1 - window > 0 ? i + 1 - window : 0;
  float largest = s[0]; // position 0 is always seen
#pragma omp simd reduction(max : largest)
  for (int64_t j = begin; j < end; j++) largest = s[j] > largest ? s[j] : largest;
  return largest;
}

// A row of scores into unnormalized probabilities; returns their sum and the row's largest score.
static float softmax_row(float *s, int64_t keys, float scale, int64_t i, bool causal,
                         int64_t window, float *largest) {
  const float top = largest_seen(s, keys, i, causal, window) * scale;
  // What is not seen gets a weight too, which mask_row clears: a loop without a branch is faster.
  for (int64_t j = 0; j < keys; j++) s[j] = cpu_exp(s[j] * scale - top);
  mask_row(s, keys, i, causal, window);
  float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
  for (int64_t j = 0; j < keys; j++) sum += s[j];
  *largest = top;
  return sum;
}

static int64_t fwd_scratch(const kern_attention_fwd_args *a, float *base, bump *out) {
  const int64_t Lp = cpu_tile_pad(a->seq.L), Kp = cpu_tile_pad(a->K);
  const int64_t rows = a->seq.L < BLOCK_ROWS ? a->seq.L : BLOCK_ROWS;
  if (out) out->next = base;
  return (Kp * Lp + 2 * a->seq.L * Kp + 2 * rows * Kp + rows * Lp + rows + 7 * 16) *
         (int64_t)sizeof(float);
}

static void fwd_task(const kern_attention_fwd_args *a, int64_t s, int64_t g, float *scratch) {
  const int64_t L = a->seq.L, K = a->K, Lp = cpu_tile_pad(L), Kp = cpu_tile_pad(K);
  const int64_t R = L < BLOCK_ROWS ? L : BLOCK_ROWS, group = a->H / a->G;
  const int64_t first =
      cpu_attention_row(s, a->seq.inner, a->seq.outer_stride, a->seq.inner_stride);
  const float scale = 1.0f / sqrtf((float)K);
  bump b;
  fwd_scratch(a, scratch, &b);
  float *k = take(&b, L, Kp), *v = take(&b, L, Kp), *kt = take(&b, Kp, Lp);
  float *q = take(&b, R, Kp), *o = take(&b, R, Kp), *p = take(&b, R, Lp), *inv = take(&b, R, 1);
  // load: k (transposed, as a right operand) and v of the head, for all its queries
  widen_rows(a->type, L, K, a->k, first * a->ldk + g * K, a->seq.pos_stride * a->ldk, k);
  widen_rows(a->type, L, K, a->v, first * a->ldv + g * K, a->seq.pos_stride * a->ldv, v);
  cpu_tile_transpose(L, K, k, Kp, kt, Lp);

  for (int64_t h = g * group; h < (g + 1) * group; h++) {
    cpu_ahead next = cpu_ahead_fwd(a, s, h);
    for (int64_t i0 = 0; i0 < L; i0 += R) {
      const int64_t rows = L - i0 < R ? L - i0 : R, keys = a->seq.causal ? i0 + rows : L;
      const int64_t row = first + i0 * a->seq.pos_stride;
      // scores: q k^T of a block of queries with all keys that one of them sees
      widen_rows(a->type, rows, K, a->q, row * a->ldq + h * K, a->seq.pos_stride * a->ldq, q);
      cpu_tile_product(rows, cpu_tile_pad(keys), K, (cpu_tile_view){q, Kp, 1}, kt, Lp, p, Lp,
                       false);
      // weights: exp(score - largest), masked; a row is whole, so there is no running maximum
      for (int64_t i = 0; i < rows; i++) {
        float largest;
        cpu_ahead_row(&next);
        const float sum =
            softmax_row(p + i * Lp, keys, scale, i0 + i, a->seq.causal, a->seq.window, &largest);
        inv[i] = 1.0f / sum;
        if (a->lse) a->lse[(s * a->H + h) * L + i0 + i] = largest + cpu_log(sum);
      }
      // add the values by their weights; rescale by the row's sum on the way out
      cpu_tile_product(rows, Kp, keys, (cpu_tile_view){p, Lp, 1}, v, Kp, o, Kp, false);
      store_rows(a->type, rows, K, o, inv, a->o, row * a->ldo + h * K, a->seq.pos_stride * a->ldo);
    }
  }
}

static void fwd_tasks(const void *ctx, int64_t first, int64_t end, int thread) {
  const task_ctx *c = ctx;
  const kern_attention_fwd_args *a = c->args;
  float *scratch = cpu_scratch_of(c->workspace, c->bytes, thread);
  for (int64_t task = first; task < end; task++) fwd_task(a, task / a->G, task % a->G, scratch);
}

orr_code CPU_FN(attention_fwd)(kern *k, const kern_attention_fwd_args *a) {
#if defined(__AVX512F__)
  if (attention_amx_fits(k, a->type, a->K)) return attention_amx_fwd(k, a);
#endif
  const size_t bytes = (size_t)fwd_scratch(a, NULL, NULL);
  void *workspace;
  ORR_TRY(cpu_workspace(k, cpu_scratch_bytes(k, bytes), &workspace));
  if (k->planning) return ORR_OK;
  cpu_run(k, a->seq.seqs * a->G, cpu_attention_grain(k, &a->seq, a->G, a->H / a->G, a->K),
          fwd_tasks, &(task_ctx){a, workspace, bytes});
  return ORR_OK;
}

static int64_t bwd_scratch(const kern_attention_bwd_args *a) {
  const int64_t Lp = cpu_tile_pad(a->seq.L), Kp = cpu_tile_pad(a->K);
  const int64_t rows = a->seq.L < BLOCK_ROWS ? a->seq.L : BLOCK_ROWS;
  return (2 * Kp * Lp + 4 * a->seq.L * Kp + 4 * rows * Kp + 2 * rows * Lp + rows + 13 * 16) *
         (int64_t)sizeof(float);
}

// Probabilities from scores and lse, then ds from dp, both in place, row by row.
static void bwd_rows(const kern_attention_bwd_args *a, int64_t i0, int64_t rows, int64_t keys,
                     const float *lse, const float *delta, float *p, float *ds, cpu_ahead *next) {
  const int64_t Lp = cpu_tile_pad(a->seq.L);
  const float scale = 1.0f / sqrtf((float)a->K);
  for (int64_t i = 0; i < rows; i++) {
    float *restrict p_row = p + i * Lp, *restrict ds_row = ds + i * Lp;
    cpu_ahead_row(next);
    for (int64_t j = 0; j < keys; j++) p_row[j] = cpu_exp(p_row[j] * scale - lse[i]);
    mask_row(p_row, keys, i0 + i, a->seq.causal, a->seq.window);
    for (int64_t j = 0; j < keys; j++) ds_row[j] = p_row[j] * (ds_row[j] - delta[i]) * scale;
  }
}

static void bwd_task(const kern_attention_bwd_args *a, int64_t s, int64_t g, float *scratch) {
  const int64_t L = a->seq.L, K = a->K, Lp = cpu_tile_pad(L), Kp = cpu_tile_pad(K);
  const int64_t R = L < BLOCK_ROWS ? L : BLOCK_ROWS, group = a->H / a->G;
  const int64_t first =
      cpu_attention_row(s, a->seq.inner, a->seq.outer_stride, a->seq.inner_stride);
  bump b = {scratch};
  float *k = take(&b, L, Kp), *v = take(&b, L, Kp), *kt = take(&b, Kp, Lp), *vt = take(&b, Kp, Lp);
  float *dk = take(&b, L, Kp), *dv = take(&b, L, Kp), *q = take(&b, R, Kp), *o = take(&b, R, Kp);
  float *d = take(&b, R, Kp), *dq = take(&b, R, Kp), *p = take(&b, R, Lp), *ds = take(&b, R, Lp);
  float *delta = take(&b, R, 1);
  widen_rows(a->type, L, K, a->k, first * a->ldk + g * K, a->seq.pos_stride * a->ldk, k);
  widen_rows(a->type, L, K, a->v, first * a->ldv + g * K, a->seq.pos_stride * a->ldv, v);
  // k and v as right operands of q k^T and do v^T; dk and dv are summed over the heads of the group
  cpu_tile_transpose(L, K, k, Kp, kt, Lp);
  cpu_tile_transpose(L, K, v, Kp, vt, Lp);
  memset(dk, 0, (size_t)(L * Kp) * sizeof *dk);
  memset(dv, 0, (size_t)(L * Kp) * sizeof *dv);

  for (int64_t h = g * group; h < (g + 1) * group; h++) {
    cpu_ahead next = cpu_ahead_bwd(a, s, h);
    for (int64_t i0 = 0; i0 < L; i0 += R) {
      const int64_t rows = L - i0 < R ? L - i0 : R, keys = a->seq.causal ? i0 + rows : L;
      const int64_t row = first + i0 * a->seq.pos_stride, step_o = a->seq.pos_stride * a->ldo;
      // load a block of queries: q, o and do, whose products along the channels are delta
      widen_rows(a->type, rows, K, a->q, row * a->ldq + h * K, a->seq.pos_stride * a->ldq, q);
      widen_rows(a->type, rows, K, a->o, row * a->ldo + h * K, step_o, o);
      widen_rows(a->type, rows, K, a->do_, row * a->ldo + h * K, step_o, d);
      for (int64_t i = 0; i < rows; i++) {
        float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
        for (int64_t c = 0; c < Kp; c++) sum += o[i * Kp + c] * d[i * Kp + c];
        delta[i] = sum;
      }
      // scores q k^T and dp = do v^T; then weights from lse, and ds = p (dp - delta) / sqrt(K)
      const int64_t cols = cpu_tile_pad(keys);
      cpu_tile_product(rows, cols, K, (cpu_tile_view){q, Kp, 1}, kt, Lp, p, Lp, false);
      cpu_tile_product(rows, cols, K, (cpu_tile_view){d, Kp, 1}, vt, Lp, ds, Lp, false);
      bwd_rows(a, i0, rows, keys, a->lse + (s * a->H + h) * L + i0, delta, p, ds, &next);
      // add: dv += p^T do, dk += ds^T q (views with row and column swapped); dq = ds k
      cpu_tile_product(keys, Kp, rows, (cpu_tile_view){p, 1, Lp}, d, Kp, dv, Kp, true);
      cpu_tile_product(keys, Kp, rows, (cpu_tile_view){ds, 1, Lp}, q, Kp, dk, Kp, true);
      cpu_tile_product(rows, Kp, keys, (cpu_tile_view){ds, Lp, 1}, k, Kp, dq, Kp, false);
      store_rows(a->type, rows, K, dq, NULL, a->dq, row * a->lddq + h * K,
                 a->seq.pos_stride * a->lddq);
    }
  }
  store_rows(a->type, L, K, dk, NULL, a->dk, first * a->lddk + g * K, a->seq.pos_stride * a->lddk);
  store_rows(a->type, L, K, dv, NULL, a->dv, first * a->lddv + g * K, a->seq.pos_stride * a->lddv);
}

static void bwd_tasks(const void *ctx, int64_t first, int64_t end, int thread) {
  const task_ctx *c = ctx;
  const kern_attention_bwd_args *a = c->args;
  float *scratch = cpu_scratch_of(c->workspace, c->bytes, thread);
  for (int64_t task = first; task < end; task++) bwd_task(a, task / a->G, task % a->G, scratch);
}

orr_code CPU_FN(attention_bwd)(kern *k, const kern_attention_bwd_args *a) {
#if defined(__AVX512F__)
  if (attention_amx_fits(k, a->type, a->K)) return attention_amx_bwd(k, a);
#endif
  const size_t bytes = (size_t)bwd_scratch(a);
  void *workspace;
  ORR_TRY(cpu_workspace(k, cpu_scratch_bytes(k, bytes), &workspace));
  if (k->planning) return ORR_OK;
  cpu_run(k, a->seq.seqs * a->G, cpu_attention_grain(k, &a->seq, a->G, a->H / a->G, a->K),
          bwd_tasks, &(task_ctx){a, workspace, bytes});
  return ORR_OK;
}
