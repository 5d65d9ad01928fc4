// The first residual stream of the dynamics model and the gradients of its tables: what
// kernels/cpu/embed.c computes.
//
// dtable: positions are sorted by code and cut into chunks of CHUNK. A chunk adds the rows of each
// of its codes. A code whose positions end where they began, in one chunk, goes straight to its
// row; of one that crosses chunks each chunk keeps its share, and the chunk where it began adds
// them up in a second kernel. So the row of the mask, half of all positions, is summed by many
// blocks.
#include "kernels/cuda/code_order.cuh"

#include <inttypes.h>
#include "kernels/cuda/columns.cuh"
#include "kernels/cuda/pack.cuh"

template <typename T, int N>
static __global__ void __launch_bounds__(256) fwd_kernel(const kern_embed_fwd_args a) {
  const int i = CUDA_ROW_PACK();
  if (i >= a.D / N) return;
  const int64_t tokens = 1 + a.S + a.R;
  CUDA_FOR_ROWS(row, a.BT * tokens) {
    const int64_t bt = row / tokens, n = row % tokens;
    float x[N] = {};
    if (n == 0) {
      float branch[N];
      cuda_load_f32(a.has_action[bt] ? a.action_emb + bt * a.D : a.no_action, i, x);
      cuda_load_f32(a.branch + a.branch_id[bt / a.T % a.clips] * a.D, i, branch);
#pragma unroll
      for (int e = 0; e < N; e++) x[e] += branch[e];
    } else if (n <= a.S) {
      const int64_t at = bt * a.S + n - 1, code = a.tokens[at] - a.v_first;
      if (code >= 0 && code < a.v_count) cuda_load_f32(a.table + code * a.D, i, x);
      const int64_t earlier = a.before ? a.before[at] - a.v_first : -1;
      if (earlier >= 0 && earlier < a.v_count) {
        float before[N];
        cuda_load_f32(a.before_table + earlier * a.D, i, before);
#pragma unroll
        for (int e = 0; e < N; e++) x[e] += before[e];
      }
      if (a.view_of && a.view_of[n] >= 0) {
        float view[N];
        cuda_load_f32(a.view + a.view_of[n] * a.D, i, view);
#pragma unroll
        for (int e = 0; e < N; e++) x[e] += view[e];
      }
    } else {
      cuda_load_f32(a.reg + (n - 1 - a.S) * a.D, i, x);
    }
    cuda_store(static_cast<T *>(a.x) + row * a.D, i, x);
  }
}

extern "C" orr_code cuda_embed_fwd(kern *k, const kern_embed_fwd_args *a) {
  if (k->planning || a->BT == 0) return ORR_OK;
  const int n = cuda_wide_of(a->type);
  const bool wide = cuda_divides(a->D, n) &&
                    cuda_aligned(a->action_emb, a->table, a->no_action, a->branch, a->reg, a->x) &&
                    (!a->before || cuda_aligned(a->before_table)) &&
                    (!a->view_of || cuda_aligned(a->view));
  const int64_t packs = a->D / (wide ? n : 1), rows = a->BT * (1 + a->S + a->R);
  const dim3 block = cuda_rows_block(packs);
  const auto kernel = a->type == KERN_BF16
                          ? (wide ? fwd_kernel<cuda_bf16, 8> : fwd_kernel<cuda_bf16, 1>)
                          : (wide ? fwd_kernel<float, 4> : fwd_kernel<float, 1>);
  return cuda_start(k, "start embed_fwd", kernel, cuda_rows_grid(rows, packs, block), block, 0, *a);
}

// -- the tables of codes
// ---------------------------------------------------------------------------------

enum { CHUNK = 64, AHEAD = 4 }; // positions; rows that a thread has under way

typedef struct {
  cuda_code_order order;
  int64_t n, chunks;
  float *table;       // [v_count, D] the gradient
  float *head, *tail; // [chunks, D]: shares of the code that came from, and that goes on after
} table_sums;

// Where the sum of a code within a chunk goes: the positions [begin, end) in sorted order.
__device__ __forceinline__ float *place_of(const kern_embed_bwd_args &a, const table_sums &s,
                                           int64_t chunk, int64_t begin, int64_t end, int32_t code,
                                           bool *add) {
  const bool came = begin == chunk * CHUNK && chunk > 0 && s.order.code[begin - 1] == code;
  const bool goes = end == (chunk + 1) * CHUNK && end < s.n && s.order.code[end] == code;
  *add = !came && !goes;
  if (came) return s.head + chunk * a.D;
  return goes ? s.tail + chunk * a.D : s.table + code * a.D;
}

template <typename T, int N>
__device__ __forceinline__ cuda_pack<T, N> row_of(const kern_embed_bwd_args &a, int32_t position,
                                                  int pack) {
  const int64_t bt = position / a.S, s = position % a.S, tokens = 1 + a.S + a.R;
  return cuda_load<T, N>(static_cast<const T *>(a.dx) + (bt * tokens + 1 + s) * a.D, pack);
}

template <int N>
__device__ __forceinline__ void put_sum(float *to, int pack, float (&sum)[N], bool accumulate) {
  if (accumulate) {
    float before[N];
    cuda_load_f32(to, pack, before);
#pragma unroll
    for (int e = 0; e < N; e++) sum[e] += before[e];
  }
  cuda_store_f32(to, pack, sum);
}

template <typename T, int N>
static __global__ void __launch_bounds__(256)
    chunk_kernel(const kern_embed_bwd_args a, const table_sums s) {
  const int pack = CUDA_ROW_PACK();
  if (pack >= a.D / N) return;
  CUDA_FOR_ROWS(chunk, s.chunks) {
    const int64_t end = (chunk + 1) * CHUNK < s.n ? (chunk + 1) * CHUNK : s.n;
    int64_t begin = chunk * CHUNK; // of the code at hand
    float sum[N] = {};
    for (int64_t i0 = begin; i0 < end; i0 += AHEAD) {
      cuda_pack<T, N> x[AHEAD];
#pragma unroll
      for (int j = 0; j < AHEAD; j++)
        if (i0 + j < end) x[j] = row_of<T, N>(a, s.order.position[i0 + j], pack);
#pragma unroll
      for (int j = 0; j < AHEAD; j++) {
        const int64_t i = i0 + j;
        if (i >= end) continue;
        const int32_t code = s.order.code[i];
#pragma unroll
        for (int e = 0; e < N; e++) sum[e] += x[j].at(e);
        if (i + 1 < end && s.order.code[i + 1] == code) continue;
        bool add;
        float *to = place_of(a, s, chunk, begin, i + 1, code, &add);
        if (code < a.v_count) put_sum(to, pack, sum, add);
#pragma unroll
        for (int e = 0; e < N; e++) sum[e] = 0.0f;
        begin = i + 1;
      }
    }
  }
}

// The first sorted position after those of `code`.
__device__ __forceinline__ int64_t end_of(const table_sums &s, int64_t low, int32_t code) {
  int64_t high = s.n;
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (s.order.code[middle] <= code)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

// Codes that begin in a chunk and go on after it.
static __global__ void __launch_bounds__(256)
    crossing_kernel(const kern_embed_bwd_args a, const table_sums s) {
  const int i = CUDA_ROW_PACK();
  if (i >= a.D) return;
  CUDA_FOR_ROWS(chunk, s.chunks) {
    const int64_t end = (chunk + 1) * CHUNK, first = chunk * CHUNK;
    if (end >= s.n) continue;
    const int32_t code = s.order.code[end - 1];
    if (code >= a.v_count || s.order.code[end] != code) continue;
    if (chunk > 0 && s.order.code[first] == code && s.order.code[first - 1] == code) continue;
    const int64_t last = (end_of(s, end, code) - 1) / CHUNK;
    float sum = s.tail[chunk * a.D + i];
#pragma unroll 8
    for (int64_t c = chunk + 1; c <= last; c++) sum += s.head[c * a.D + i];
    s.table[code * a.D + i] += sum;
  }
}

// The gradient of the table that `tokens` [BT,S] are rows of.
static orr_code bwd_table(kern *k, const kern_embed_bwd_args *a, const int32_t *tokens,
                          float *table) {
  cuda_codes codes = {};
  codes.n = a->BT * a->S;
  codes.tokens = tokens;
  codes.v_first = a->v_first;
  codes.count = a->v_count;
  table_sums s = {};
  s.n = codes.n;
  s.table = table;
  s.chunks = cuda_ceil_div(s.n, CHUNK);
  const size_t sort_bytes = cuda_codes_scratch(&codes);
  void *workspace;
  ORR_TRY(
      cuda_workspace(k, sort_bytes + (size_t)(2 * s.chunks * a->D) * sizeof(float), &workspace));
  if (k->planning || s.n == 0) return ORR_OK;
  ORR_TRY(cuda_codes_sort(k, &codes, workspace, &s.order));
  s.head = reinterpret_cast<float *>(static_cast<char *>(workspace) + sort_bytes);
  s.tail = s.head + s.chunks * a->D;
  const int n = cuda_wide_of(a->type);
  const bool wide = cuda_divides(a->D, n) && cuda_aligned(a->dx, table);
  const auto kernel = a->type == KERN_BF16
                          ? (wide ? chunk_kernel<cuda_bf16, 8> : chunk_kernel<cuda_bf16, 1>)
                          : (wide ? chunk_kernel<float, 4> : chunk_kernel<float, 1>);
  const int64_t packs = a->D / (wide ? n : 1);
  const dim3 block = cuda_rows_block(packs), columns = cuda_rows_block(a->D);
  ORR_TRY(cuda_start(k, "start embed_bwd", kernel, cuda_rows_grid(s.chunks, packs, block), block, 0,
                     *a, s));
  return cuda_start(k, "start embed_bwd's sums", crossing_kernel,
                    cuda_rows_grid(s.chunks, a->D, columns), columns, 0, *a, s);
}

// -- the other tables -----------------------------------------------------------------------

template <typename T>
static __global__ void __launch_bounds__(256) action_kernel(const kern_embed_bwd_args a) {
  const int i = CUDA_ROW_PACK();
  if (i >= a.D) return;
  CUDA_FOR_ROWS(bt, a.BT) {
    const cuda_pack<T, 1> x =
        cuda_load<T, 1>(static_cast<const T *>(a.dx) + bt * (1 + a.S + a.R) * a.D, i);
    a.daction_emb[bt * a.D + i] = a.has_action[bt] ? x.at(0) : 0.0f;
  }
}

static orr_code bwd_rest(kern *k, const kern_embed_bwd_args *a) {
  cuda_columns c = {};
  c.what = "start embed_bwd's columns";
  c.type = a->type;
  c.M = a->BT;
  c.width = a->D;
  c.ld = (1 + a->S + a->R) * a->D;
  c.x = a->dx;
  c.sums = 1;
  cuda_columns none = c, branch = c, reg = c;
  none.choice.zero = a->has_action;
  none.out = a->dno_action;
  branch.choice.group = a->branch_id;
  branch.choice.per = a->T;
  branch.choice.groups = a->clips;
  branch.sums = a->branches;
  branch.out = a->dbranch;
  reg.x = static_cast<const char *>(a->dx) + (size_t)((1 + a->S) * a->D) * kern_dtype_size(a->type);
  reg.width = a->R * a->D;
  reg.out = a->dreg;
  if (a->view_of) {
    cuda_columns view = c; // all tokens of all frames, those of no view chosen by no sum
    view.M = a->BT * (1 + a->S + a->R);
    view.ld = a->D;
    view.choice.group = a->view_of;
    view.choice.per = 1;
    view.choice.groups = 1 + a->S + a->R;
    view.sums = a->views;
    view.out = a->dview;
    ORR_TRY(cuda_columns_sum(k, &view));
  }
  ORR_TRY(cuda_columns_sum(k, &none));
  ORR_TRY(cuda_columns_sum(k, &branch));
  return cuda_columns_sum(k, &reg);
}

extern "C" orr_code cuda_embed_bwd(kern *k, const kern_embed_bwd_args *a) {
  ORR_CHECK(a->BT * a->S <= INT32_MAX, ORR_EINVAL,
            "embed: %" PRId64
            " positions in one batch are more than 2^31-1; use a smaller micro-batch",
            a->BT * a->S);
  ORR_TRY(bwd_table(k, a, a->tokens, a->dtable));
  if (a->before) ORR_TRY(bwd_table(k, a, a->before, a->dbefore_table));
  ORR_TRY(bwd_rest(k, a));
  if (k->planning || a->BT == 0) return ORR_OK;
  const dim3 block = cuda_rows_block(a->D);
  return cuda_start(k, "start embed_bwd's actions",
                    a->type == KERN_BF16 ? action_kernel<cuda_bf16> : action_kernel<float>,
                    cuda_rows_grid(a->BT, a->D, block), block, 0, *a);
}
