// The first residual stream of the dynamics model: action, codes and registers of every frame, and
// the gradients of their tables.
//
// Every sum of the backward pass is cut by columns, so each element of a table is summed by one
// thread, over the positions in their order, and its bits do not depend on the threads. For
// dtable the positions are first sorted by code (a counting sort, stable), so that each code's
// rows are added without a search and without conflicts.
#include "kernels/cpu/cpu.h"

#include <inttypes.h>
#include "kernels/cpu/lane.h"

enum { COLUMNS = 64 }; // columns in a task: 2 or 4 cache lines of a row

CPU_INLINE void put_row(void *restrict x, const float *restrict src, int64_t D, kern_dtype type) {
#pragma omp simd
  for (int64_t i = 0; i < D; i++) cpu_lane_set(x, i, src[i], type);
}

CPU_INLINE void put_sum(void *restrict x, const float *restrict p, const float *restrict q,
                        int64_t D, kern_dtype type) {
#pragma omp simd
  for (int64_t i = 0; i < D; i++) cpu_lane_set(x, i, p[i] + q[i], type);
}

// The table's row of the code at `position`, or NULL where another rank has it.
CPU_INLINE const float *row_of(const kern_embed_fwd_args *a, const int32_t *codes,
                               const float *table, int64_t position) {
  const int64_t code = codes[position] - a->v_first;
  return code >= 0 && code < a->v_count ? table + code * a->D : NULL;
}

// x (=) the sum of n rows, rounded once.
CPU_INLINE void put_all(void *restrict x, const float *const *terms, int n, int64_t D,
                        kern_dtype type) {
  for (int64_t i = 0; i < D; i++) {
    float sum = terms[0][i];
    for (int j = 1; j < n; j++) sum += terms[j][i];
    cpu_lane_set(x, i, sum, type);
  }
}

CPU_INLINE void fwd_frame(const kern_embed_fwd_args *a, int64_t bt, kern_dtype type) {
  const int64_t D = a->D, N = 1 + a->S + a->R;
  void *x = cpu_lane_row_mut(a->x, bt * N, D, type);
  const float *action = a->has_action[bt] ? a->action_emb + bt * D : a->no_action;
  put_sum(x, action, a->branch + a->branch_id[bt / a->T % a->clips] * D, D, type);
  for (int64_t s = 0; s < a->S; s++) {
    void *row = cpu_lane_row_mut(x, 1 + s, D, type);
    const float *now = row_of(a, a->tokens, a->table, bt * a->S + s);
    const float *before = a->before ? row_of(a, a->before, a->before_table, bt * a->S + s) : NULL;
    if (a->view_of && a->view_of[1 + s] >= 0) {
      const float *terms[3];
      int n = 0;
      if (now) terms[n++] = now;
      if (before) terms[n++] = before;
      terms[n++] = a->view + a->view_of[1 + s] * D;
      put_all(row, terms, n, D, type);
      continue;
    }
    if (now && before)
      put_sum(row, now, before, D, type);
    else if (now || before)
      put_row(row, now ? now : before, D, type);
    else
      memset(row, 0, (size_t)D * kern_dtype_size(type));
  }
  for (int64_t r = 0; r < a->R; r++)
    put_row(cpu_lane_row_mut(x, 1 + a->S + r, D, type), a->reg + r * D, D, type);
}

static void fwd_part(const void *ctx, int64_t first, int64_t end, int thread) {
  const kern_embed_fwd_args *a = ctx;
  for (int64_t bt = first; bt < end; bt++) {
    if (a->type == KERN_BF16)
      fwd_frame(a, bt, KERN_BF16);
    else
      fwd_frame(a, bt, KERN_F32);
  }
}

orr_code CPU_FN(embed_fwd)(kern *k, const kern_embed_fwd_args *a) {
  if (k->planning) return ORR_OK;
  cpu_run(k, a->BT, cpu_grain(k, a->BT, (1 + a->S + a->R) * a->D), fwd_part, a);
  return ORR_OK;
}

// sum[0..n) (+=) columns first..first+n of the row of x.
CPU_INLINE void add_columns(float *restrict sum, const void *restrict x, int64_t row, int64_t D,
                            int64_t first, int64_t n, kern_dtype type) {
  const void *p = cpu_lane_row(x, row, D, type);
#pragma omp simd
  for (int64_t i = 0; i < n; i++) sum[i] += cpu_lane_get(p, first + i, type);
}

// The positions sorted by local code: those of code v are order[start[v]] .. order[start[v+1]-1].
typedef struct {
  int32_t *start; // [v_count + 1]
  int32_t *order; // [BT*S], the first start[v_count] in use
} code_order;

static void sort_by_code(const kern_embed_bwd_args *a, const int32_t *codes, code_order *o) {
  const int64_t positions = a->BT * a->S;
  memset(o->start, 0, (size_t)(a->v_count + 1) * sizeof *o->start);
  for (int64_t i = 0; i < positions; i++) {
    int64_t code = codes[i] - a->v_first;
    if (code >= 0 && code < a->v_count) o->start[code + 1]++;
  }
  for (int64_t v = 0; v < a->v_count; v++) o->start[v + 1] += o->start[v];
  // start[v] moves to the end of v's part, which is the beginning of the next one's ...
  for (int64_t i = 0; i < positions; i++) {
    int64_t code = codes[i] - a->v_first;
    if (code >= 0 && code < a->v_count) o->order[o->start[code]++] = (int32_t)i;
  }
  // ... and is put back by one step.
  memmove(o->start + 1, o->start, (size_t)a->v_count * sizeof *o->start);
  o->start[0] = 0;
}

// Columns first..first+n of a table whose gradient is `grad`.
CPU_INLINE void bwd_table(const kern_embed_bwd_args *a, const code_order *o, float *grad,
                          int64_t first, int64_t n, kern_dtype type) {
  const int64_t N = 1 + a->S + a->R;
  for (int64_t v = 0; v < a->v_count; v++) {
    if (o->start[v] == o->start[v + 1]) continue;
    float sum[COLUMNS] = {0};
    for (int32_t i = o->start[v]; i < o->start[v + 1]; i++) {
      int64_t bt = o->order[i] / a->S, s = o->order[i] % a->S;
      add_columns(sum, a->dx, bt * N + 1 + s, a->D, first, n, type);
    }
    float *to = grad + v * a->D + first;
    for (int64_t c = 0; c < n; c++) to[c] += sum[c];
  }
}

// Columns first..first+n of the other tables, which are short: one row a frame or fewer.
CPU_INLINE void bwd_rest(const kern_embed_bwd_args *a, int64_t first, int64_t n, kern_dtype type) {
  const int64_t D = a->D, N = 1 + a->S + a->R;
  for (int64_t bt = 0; bt < a->BT; bt++) {
    float *own = a->daction_emb + bt * D + first;
    memset(own, 0, (size_t)n * sizeof *own);
    add_columns(a->has_action[bt] ? own : a->dno_action + first, a->dx, bt * N, D, first, n, type);
    float *branch = a->dbranch + a->branch_id[bt / a->T % a->clips] * D + first;
    add_columns(branch, a->dx, bt * N, D, first, n, type);
    for (int64_t r = 0; r < a->R; r++)
      add_columns(a->dreg + r * D + first, a->dx, bt * N + 1 + a->S + r, D, first, n, type);
    for (int64_t t = 0; a->view_of && t < N; t++)
      if (a->view_of[t] >= 0)
        add_columns(a->dview + a->view_of[t] * D + first, a->dx, bt * N + t, D, first, n, type);
  }
}

typedef struct {
  const kern_embed_bwd_args *a;
  const code_order *order, *before; // `before` is NULL without such codes
} bwd_ctx;

CPU_INLINE void bwd_columns(const bwd_ctx *c, int64_t first, int64_t n, kern_dtype type) {
  bwd_table(c->a, c->order, c->a->dtable, first, n, type);
  if (c->before) bwd_table(c->a, c->before, c->a->dbefore_table, first, n, type);
  bwd_rest(c->a, first, n, type);
}

static void bwd_part(const void *ctx, int64_t first, int64_t end, int thread) {
  const bwd_ctx *c = ctx;
  if (c->a->type == KERN_BF16)
    bwd_columns(c, first, end - first, KERN_BF16);
  else
    bwd_columns(c, first, end - first, KERN_F32);
}

orr_code CPU_FN(embed_bwd)(kern *k, const kern_embed_bwd_args *a) {
  const int64_t positions = a->BT * a->S;
  ORR_CHECK(positions <= INT32_MAX, ORR_EINVAL,
            "embed: %" PRId64
            " positions in one batch are more than 2^31-1; use a smaller micro-batch",
            positions);
  const int64_t size = a->v_count + 1 + positions; // of one order
  void *workspace;
  ORR_TRY(cpu_workspace(k, (size_t)(a->before ? 2 * size : size) * sizeof(int32_t), &workspace));
  if (k->planning) return ORR_OK;
  int32_t *start = workspace;
  code_order order = {.start = start, .order = start + a->v_count + 1},
             before = {.start = start + size, .order = start + size + a->v_count + 1};
  sort_by_code(a, a->tokens, &order);
  if (a->before) sort_by_code(a, a->before, &before);
  cpu_run(k, a->D, COLUMNS, bwd_part, &(bwd_ctx){a, &order, a->before ? &before : NULL});
  return ORR_OK;
}
