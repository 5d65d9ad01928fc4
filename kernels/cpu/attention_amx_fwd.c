// Attention in bfloat16 on AMX tiles, forward. Equations and tasks as in kernels/cpu/attention.c.
//
// 32 queries at a time: S = Q K^T into float32, softmax row by row, P in bfloat16 tiles, O = P V.
#include "kernels/cpu/attention_amx.h"

#include <math.h>
#include <string.h>

#include "kernels/cpu/ahead.h"
#include "kernels/cpu/amx_rows.h"
#include "kernels/cpu/attention.h"
#include "kernels/cpu/vmath.h"

// Which of the keys j..j+15 query i sees.
static __mmask16 seen_keys(int64_t i, int64_t j, int64_t L, bool causal, int64_t window) {
  const int64_t end = causal ? amx_least(i + 1, L) : L;
  if (end <= j) return 0;
  __mmask16 mask = end - j >= 16 ? 0xffff : (__mmask16)((1 << (end - j)) - 1);
  if (causal && window > 0 && i + 1 - window > j) {
    const int64_t hidden = amx_least(i + 1 - window - j, 16);
    mask &= (__mmask16)(0xffffu << hidden);
    if (j == 0) mask |= 1;
  }
  return mask;
}

typedef struct {
  uint16_t *k, *v; // packed: K^T over head columns, V over keys
  uint16_t *p;     // [2][L32/32] tiles
  uint16_t *spare;
  float *s; // [32, L32]
  float *o; // [32, K]
} fwd_memory;

static fwd_memory fwd_divide(int64_t L, int64_t K, amx_scratch *b) {
  const int64_t L32 = amx_pad(L, 32);
  fwd_memory m;
  m.k = amx_scratch_take(b, L32 * K * 2);
  m.v = amx_scratch_take(b, L32 * K * 2);
  m.p = amx_scratch_take(b, 32 * L32 * 2);
  m.spare = amx_scratch_take(b, 32 * K * 2);
  m.s = amx_scratch_take(b, 32 * L32 * 4);
  m.o = amx_scratch_take(b, 32 * K * 4);
  return m;
}

// Softmax of row r (query i) of s into row r of the tiles p, unnormalized.
static void softmax_row(const kern_attention_fwd_args *a, int64_t i, int64_t r, const float *s,
                        uint16_t *p, float *largest, float *sum) {
  const int64_t L32 = amx_pad(a->seq.L, 32);
  const float c = AMX_LOG2_E / sqrtf((float)a->K);
  const float *row = s + r * L32;
  // maximum of what query i sees; the rest of the padded row does not count
  __m512 top = _mm512_set1_ps(-INFINITY);
  for (int64_t j = 0; j < L32; j += 16)
    top = _mm512_mask_max_ps(top, seen_keys(i, j, a->seq.L, a->seq.causal, a->seq.window), top,
                             _mm512_loadu_ps(row + j));
  *largest = _mm512_reduce_max_ps(top) * c;
  // weights: 2^(score c - largest), 32 keys at a time, which is row r of one tile of P
  const __m512 shift = _mm512_set1_ps(*largest), factor = _mm512_set1_ps(c);
  __m512 total = _mm512_setzero_ps();
  uint16_t *out = p + (r / 16 * (L32 / 32)) * AMX_TILE + r % 16 * 32;
  for (int64_t j = 0; j < L32; j += 32, out += AMX_TILE) {
    const __mmask16 low = seen_keys(i, j, a->seq.L, a->seq.causal, a->seq.window);
    const __mmask16 high = seen_keys(i, j + 16, a->seq.L, a->seq.causal, a->seq.window);
    __m512 x = _mm512_fmsub_ps(_mm512_loadu_ps(row + j), factor, shift);
    __m512 y = _mm512_fmsub_ps(_mm512_loadu_ps(row + j + 16), factor, shift);
    // mask: what is not seen weighs nothing
    x = _mm512_maskz_mov_ps(low, amx_exp2(x));
    y = _mm512_maskz_mov_ps(high, amx_exp2(y));
    total = _mm512_add_ps(total, _mm512_add_ps(x, y));
    _mm512_storeu_si512(out, amx_narrow(x, y));
  }
  *sum = _mm512_reduce_add_ps(total);
}

// 32 queries from i0 of head h.
static void fwd_queries(const kern_attention_fwd_args *a, int64_t s, int64_t h, int64_t i0,
                        const fwd_memory *m, cpu_ahead *next) {
  const int64_t L = a->seq.L, K = a->K, L32 = amx_pad(L, 32), rows = amx_least(L - i0, 32);
  const int halves = rows > 16 ? 2 : 1;
  const int64_t first =
      cpu_attention_row(s, a->seq.inner, a->seq.outer_stride, a->seq.inner_stride);
  const amx_rows q = amx_rows_at(a->q, first, a->ldq, h, K, a->seq.pos_stride);
  const amx_left left = amx_rows_left(q, i0, L, K, m->spare);
  const int64_t key_tile = K / 32 * AMX_TILE, value_tile = L32 / 32 * AMX_TILE;
  // scores: S[32, L32] = Q K^T, a square of 32 keys at a time
  for (int64_t j = 0; j < L32; j += 32)
    amx_product(halves, L - j > 16 ? 2 : 1, K / 32, left, m->k + j / 16 * key_tile,
                m->k + (j / 16 + 1) * key_tile, m->s + j, L32, false);

  // weights row by row; rows past the end keep a sum of 1, so that nothing is divided by 0
  float largest[32] = {0}, sum[32], inverse[32];
  for (int64_t r = 0; r < 32; r++) sum[r] = 1.0f;
  for (int64_t r = 0; r < rows; r++) {
    cpu_ahead_row(next);
    softmax_row(a, i0 + r, r, m->s, m->p, &largest[r], &sum[r]);
  }
  for (int64_t r = 0; r < 32; r++) inverse[r] = 1.0f / sum[r];
  if (a->lse) {
    float lse[32];
    for (int64_t r = 0; r < 32; r++) lse[r] = largest[r] * AMX_LN_2 + cpu_log(sum[r]);
    memcpy(a->lse + (s * a->H + h) * L + i0, lse, (size_t)rows * sizeof *lse);
  }

  // add: O = P V, 32 channels at a time; divided by the row's sum on the way out
  const amx_left p = {m->p, m->p + value_tile, 64, AMX_TILE * 2};
  for (int64_t c = 0; c < K; c += 32)
    amx_product(halves, 2, L32 / 32, p, m->v + c / 16 * value_tile,
                m->v + (c / 16 + 1) * value_tile, m->o + c, K, false);
  amx_rows_store(m->o, rows, K, 1.0f, inverse,
                 (uint16_t *)a->o + (first + i0 * a->seq.pos_stride) * a->ldo + h * K,
                 a->seq.pos_stride * a->ldo);
}

static void fwd_task(const kern_attention_fwd_args *a, int64_t s, int64_t g, void *scratch) {
  const int64_t group = a->H / a->G;
  const int64_t first =
      cpu_attention_row(s, a->seq.inner, a->seq.outer_stride, a->seq.inner_stride);
  amx_scratch b = {.base = scratch};
  const fwd_memory m = fwd_divide(a->seq.L, a->K, &b);
  const amx_rows k = amx_rows_at(a->k, first, a->ldk, g, a->K, a->seq.pos_stride);
  const amx_rows v = amx_rows_at(a->v, first, a->ldv, g, a->K, a->seq.pos_stride);
  // load: K and V as right operands, for all queries of the group
  amx_pack_transposed(k.p, k.stride, a->seq.L, a->K, m.k);
  amx_pack_plain(v.p, v.stride, a->seq.L, a->K, m.v);
  for (int64_t h = g * group; h < (g + 1) * group; h++) {
    cpu_ahead next = cpu_ahead_fwd(a, s, h);
    for (int64_t i0 = 0; i0 < a->seq.L; i0 += 32) fwd_queries(a, s, h, i0, &m, &next);
  }
}

typedef struct {
  const kern_attention_fwd_args *a;
  void *workspace;
  size_t bytes; // of a thread's scratch
} task_ctx;

static void fwd_tasks(const void *ctx, int64_t first, int64_t end, int thread) {
  const task_ctx *c = ctx;
  void *scratch = cpu_scratch_of(c->workspace, c->bytes, thread);
  amx_begin();
  for (int64_t task = first; task < end; task++)
    fwd_task(c->a, task / c->a->G, task % c->a->G, scratch);
  amx_end();
}

orr_code attention_amx_fwd(kern *k, const kern_attention_fwd_args *a) {
  amx_scratch count = {0};
  fwd_divide(a->seq.L, a->K, &count);
  void *workspace;
  ORR_TRY(cpu_workspace(k, cpu_scratch_bytes(k, count.used), &workspace));
  if (k->planning) return ORR_OK;
  cpu_run(k, a->seq.seqs * a->G, cpu_attention_grain(k, &a->seq, a->G, a->H / a->G, a->K),
          fwd_tasks, &(task_ctx){a, workspace, count.used});
  return ORR_OK;
}
