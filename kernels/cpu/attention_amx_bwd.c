// Attention in bfloat16 on AMX tiles, backward. Equations and tasks as in kernels/cpu/attention.c.
//
// It works on the transposes, so that P^T and dS^T come out as left operands: S^T = K Q^T and
// dP^T = V dO^T in squares of 32 keys x 32 queries; from them P^T, dS^T and dS (transposed in
// registers) in bfloat16 tiles; dV = P^T dO and dK = dS^T Q for 32 keys at a time; dQ = dS K at
// the end. dS of one head stays in the scratch of its thread: about 2 L^2 bytes.
#include "kernels/cpu/attention_amx.h"

#include <math.h>
#include <string.h>

#include "kernels/cpu/ahead.h"
#include "kernels/cpu/amx_rows.h"
#include "kernels/cpu/attention.h"

typedef struct {
  uint16_t *qt, *dot;  // Q^T and dO^T packed over head columns
  uint16_t *q, *d, *k; // Q, dO and K packed over rows
  uint16_t *pt, *dst;  // P^T, dS^T of 32 keys: [2][L32/32] tiles
  uint16_t *ds;        // dS: [L32/16][L32/32] tiles
  uint16_t *spare_k, *spare_v;
  float *s, *dp;       // one square [32,32]
  float *dk, *dv, *dq; // [L32,K]
  float *lse, *delta;  // [L32]; lse in units of ln 2
} bwd_memory;

static bwd_memory bwd_divide(int64_t L, int64_t K, amx_scratch *b) {
  const int64_t L32 = amx_pad(L, 32), packed = L32 * K * 2;
  bwd_memory m;
  m.qt = amx_scratch_take(b, packed), m.dot = amx_scratch_take(b, packed);
  m.q = amx_scratch_take(b, packed), m.d = amx_scratch_take(b, packed),
  m.k = amx_scratch_take(b, packed);
  m.pt = amx_scratch_take(b, 32 * L32 * 2), m.dst = amx_scratch_take(b, 32 * L32 * 2);
  m.ds = amx_scratch_take(b, L32 * L32 * 2);
  m.spare_k = amx_scratch_take(b, 32 * K * 2), m.spare_v = amx_scratch_take(b, 32 * K * 2);
  m.s = amx_scratch_take(b, 32 * 32 * 4), m.dp = amx_scratch_take(b, 32 * 32 * 4);
  m.dk = amx_scratch_take(b, L32 * K * 4), m.dv = amx_scratch_take(b, L32 * K * 4),
  m.dq = amx_scratch_take(b, L32 * K * 4);
  m.lse = amx_scratch_take(b, L32 * 4), m.delta = amx_scratch_take(b, L32 * 4);
  return m;
}

// delta_i = do_i . o_i and lse; queries past the end get what makes their probabilities 0.
static void bwd_statistics(const float *lse, amx_rows o, amx_rows d, int64_t L, int64_t K,
                           const bwd_memory *m) {
  for (int64_t i = 0; i < L; i++) {
    __m512 sum = _mm512_setzero_ps();
    for (int64_t c = 0; c < K; c += 32)
      sum = _mm512_dpbf16_ps(sum, (__m512bh)_mm512_loadu_si512(o.p + i * o.stride + c),
                             (__m512bh)_mm512_loadu_si512(d.p + i * d.stride + c));
    m->delta[i] = _mm512_reduce_add_ps(sum);
    m->lse[i] = lse[i] * AMX_LOG2_E;
  }
  for (int64_t i = L; i < amx_pad(L, 32); i++) m->delta[i] = 0.0f, m->lse[i] = 1e30f;
}

// Which of the queries i..i+15 see key j.
static __mmask16 seeing_queries(int64_t i, int64_t j, int64_t L, bool causal, int64_t window) {
  if (j >= L) return 0;
  if (!causal) return 0xffff;
  if (j >= i + 16) return 0;
  __mmask16 mask = j <= i ? 0xffff : (__mmask16)(0xffffu << (j - i));
  if (window > 0 && j > 0) { // i < j + window
    if (j + window <= i) return 0;
    if (j + window < i + 16) mask &= (__mmask16)((1u << (j + window - i)) - 1);
  }
  return mask;
}

// One vector of 16 queries against one key: p and ds from s and dp.
AMX_INLINE void bwd_vector(const float *s, const float *dp, const float *lse, const float *delta,
                           float c, __mmask16 seen, __m512 *p, __m512 *ds) {
  const __m512 x = _mm512_fmsub_ps(_mm512_loadu_ps(s), _mm512_set1_ps(c), _mm512_loadu_ps(lse));
  *p = _mm512_maskz_mov_ps(seen, amx_exp2(x));
  *ds = _mm512_maskz_mul_ps(seen, *p, _mm512_sub_ps(_mm512_loadu_ps(dp), _mm512_loadu_ps(delta)));
}

// A square of keys j0.. and queries i0.., the last ones with half of the keys or queries only: from
// s and dp to the tiles of P^T, dS^T and dS. query_halves is constant.
AMX_INLINE void bwd_square(const kern_attention_bwd_args *a, int64_t j0, int64_t i0,
                           int query_halves, const bwd_memory *m, cpu_ahead *next) {
  const __m512i interleave =
      _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                       21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  const int64_t L = a->seq.L, window = a->seq.window, blocks = amx_pad(L, 32) / 32,
                keys = L - j0 > 16 ? 32 : 16;
  const bool causal = a->seq.causal;
  const float c = AMX_LOG2_E / sqrtf((float)a->K), *s = m->s, *dp = m->dp;
  const float *lse = m->lse + i0, *delta = m->delta + i0;
  uint16_t *pt = m->pt + i0 / 32 * AMX_TILE, *dst = m->dst + i0 / 32 * AMX_TILE;
  uint16_t pairs[2][AMX_TILE]
      __attribute__((aligned(64))); // dS^T: pairs of keys, 16 queries a half
  if (keys == 16) memset(pairs, 0, sizeof pairs);
  for (int64_t r = 0; r < keys; r += 2) {
    __m512 p[2][2] = {{{0}}}, ds[2][2] = {{{0}}}; // [key][query half]
    cpu_ahead_row(next);
    // weights, mask and ds of two keys with the square's queries
#pragma GCC unroll 2
    for (int n = 0; n < 2; n++)
#pragma GCC unroll 2
      for (int h = 0; h < query_halves; h++) {
        const int64_t at = (r + n) * 32 + h * 16;
        bwd_vector(s + at, dp + at, lse + h * 16, delta + h * 16, c,
                   seeing_queries(i0 + h * 16, j0 + r + n, L, causal, window), &p[n][h], &ds[n][h]);
      }
    // two rows of the tiles of P^T and dS^T
    const int64_t row = r / 16 * blocks * AMX_TILE + r % 16 * 32;
    _mm512_storeu_si512(pt + row, amx_narrow(p[0][0], p[0][1]));
    _mm512_storeu_si512(pt + row + 32, amx_narrow(p[1][0], p[1][1]));
    _mm512_storeu_si512(dst + row, amx_narrow(ds[0][0], ds[0][1]));
    _mm512_storeu_si512(dst + row + 32, amx_narrow(ds[1][0], ds[1][1]));
    // the two keys side by side, query by query: words of 32 bits, which a transpose takes to dS
#pragma GCC unroll 2
    for (int h = 0; h < query_halves; h++)
      _mm512_store_si512(pairs[h] + r / 2 * 32,
                         _mm512_permutexvar_epi16(interleave, amx_narrow(ds[0][h], ds[1][h])));
  }
  for (int h = 0; h < query_halves; h++)
    amx_transpose_tile(pairs[h], m->ds + ((i0 / 16 + h) * blocks + j0 / 32) * AMX_TILE);
}

// Keys j0..j0+31 of one head: their part of dS, and their rows of dK and dV.
static void bwd_keys(const kern_attention_bwd_args *a, amx_rows k, amx_rows v, int64_t j0,
                     bool accumulate, const bwd_memory *m, cpu_ahead *next) {
  const int64_t K = a->K, L32 = amx_pad(a->seq.L, 32), blocks = L32 / 32;
  const int halves = a->seq.L - j0 > 16 ? 2 : 1;
  const int64_t column_tile = K / 32 * AMX_TILE, row_tile = blocks * AMX_TILE;
  const amx_left left_k = amx_rows_left(k, j0, a->seq.L, K, m->spare_k);
  const amx_left left_v = amx_rows_left(v, j0, a->seq.L, K, m->spare_v);
  for (int64_t i0 = 0; i0 < L32; i0 += 32) {
    const int64_t at = i0 / 16 * column_tile;
    // scores and dp, transposed: S^T = K Q^T, dP^T = V dO^T, one square each
    const int query_halves = a->seq.L - i0 > 16 ? 2 : 1;
    amx_product(halves, query_halves, K / 32, left_k, m->qt + at, m->qt + at + column_tile, m->s,
                32, false);
    amx_product(halves, query_halves, K / 32, left_v, m->dot + at, m->dot + at + column_tile, m->dp,
                32, false);
    // weights, mask, ds
    if (query_halves == 2)
      bwd_square(a, j0, i0, 2, m, next);
    else
      bwd_square(a, j0, i0, 1, m, next);
  }
  // add: dV = P^T dO and dK = dS^T Q over all queries, 32 channels at a time
  const amx_left p = {m->pt, m->pt + row_tile, 64, AMX_TILE * 2};
  const amx_left ds = {m->dst, m->dst + row_tile, 64, AMX_TILE * 2};
  for (int64_t c = 0; c < K; c += 32) {
    const int64_t at = c / 16 * row_tile;
    amx_product(halves, 2, blocks, p, m->d + at, m->d + at + row_tile, m->dv + j0 * K + c, K,
                accumulate);
    amx_product(halves, 2, blocks, ds, m->q + at, m->q + at + row_tile, m->dk + j0 * K + c, K,
                accumulate);
  }
}

static void bwd_head(const kern_attention_bwd_args *a, int64_t s, int64_t h, bool accumulate,
                     const bwd_memory *m) {
  const int64_t L = a->seq.L, K = a->K, L32 = amx_pad(L, 32), row_tile = L32 / 32 * AMX_TILE;
  const int64_t first =
      cpu_attention_row(s, a->seq.inner, a->seq.outer_stride, a->seq.inner_stride);
  const int64_t g = h / (a->H / a->G);
  const amx_rows q = amx_rows_at(a->q, first, a->ldq, h, K, a->seq.pos_stride);
  const amx_rows d = amx_rows_at(a->do_, first, a->ldo, h, K, a->seq.pos_stride);
  const amx_rows o = amx_rows_at(a->o, first, a->ldo, h, K, a->seq.pos_stride);
  // load: Q and dO as right operands of both kinds, lse and delta of all queries
  amx_pack_transposed(q.p, q.stride, L, K, m->qt);
  amx_pack_transposed(d.p, d.stride, L, K, m->dot);
  amx_pack_plain(q.p, q.stride, L, K, m->q);
  amx_pack_plain(d.p, d.stride, L, K, m->d);
  bwd_statistics(a->lse + (s * a->H + h) * L, o, d, L, K, m);
  // dK and dV (and dS, which stays) of 32 keys at a time
  cpu_ahead next = cpu_ahead_bwd(a, s, h);
  for (int64_t j0 = 0; j0 < L; j0 += 32)
    bwd_keys(a, amx_rows_at(a->k, first, a->ldk, g, K, a->seq.pos_stride),
             amx_rows_at(a->v, first, a->ldv, g, K, a->seq.pos_stride), j0, accumulate, m, &next);
  // dQ = dS K of 32 queries at a time
  for (int64_t i0 = 0; i0 < L; i0 += 32) {
    const uint16_t *rows = m->ds + i0 / 16 * row_tile;
    const amx_left ds = {rows, rows + row_tile, 64, AMX_TILE * 2};
    for (int64_t c = 0; c < K; c += 32)
      amx_product(L - i0 > 16 ? 2 : 1, 2, L32 / 32, ds, m->k + c / 16 * row_tile,
                  m->k + (c / 16 + 1) * row_tile, m->dq + i0 * K + c, K, false);
  }
  amx_rows_store(m->dq, L, K, 1.0f / sqrtf((float)K), NULL,
                 (uint16_t *)a->dq + first * a->lddq + h * K, a->seq.pos_stride * a->lddq);
}

static void bwd_task(const kern_attention_bwd_args *a, int64_t s, int64_t g, void *scratch) {
  const int64_t L = a->seq.L, K = a->K, group = a->H / a->G;
  const int64_t first =
      cpu_attention_row(s, a->seq.inner, a->seq.outer_stride, a->seq.inner_stride);
  const amx_rows k = amx_rows_at(a->k, first, a->ldk, g, K, a->seq.pos_stride);
  amx_scratch b = {.base = scratch};
  const bwd_memory m = bwd_divide(L, K, &b);
  amx_pack_plain(k.p, k.stride, L, K, m.k);
  for (int64_t h = g * group; h < (g + 1) * group; h++) bwd_head(a, s, h, h > g * group, &m);
  amx_rows_store(m.dk, L, K, 1.0f / sqrtf((float)K), NULL,
                 (uint16_t *)a->dk + first * a->lddk + g * K, a->seq.pos_stride * a->lddk);
  amx_rows_store(m.dv, L, K, 1.0f, NULL, (uint16_t *)a->dv + first * a->lddv + g * K,
                 a->seq.pos_stride * a->lddv);
}

typedef struct {
  const kern_attention_bwd_args *a;
  void *workspace;
  size_t bytes; // of a thread's scratch
} task_ctx;

static void bwd_tasks(const void *ctx, int64_t first, int64_t end, int thread) {
  const task_ctx *c = ctx;
  void *scratch = cpu_scratch_of(c->workspace, c->bytes, thread);
  amx_begin();
  for (int64_t task = first; task < end; task++)
    bwd_task(c->a, task / c->a->G, task % c->a->G, scratch);
  amx_end();
}

orr_code attention_amx_bwd(kern *k, const kern_attention_bwd_args *a) {
  amx_scratch count = {0};
  bwd_divide(a->seq.L, a->K, &count);
  void *workspace;
  ORR_TRY(cpu_workspace(k, cpu_scratch_bytes(k, count.used), &workspace));
  if (k->planning) return ORR_OK;
  cpu_run(k, a->seq.seqs * a->G, cpu_attention_grain(k, &a->seq, a->G, a->H / a->G, a->K),
          bwd_tasks, &(task_ctx){a, workspace, count.used});
  return ORR_OK;
}
