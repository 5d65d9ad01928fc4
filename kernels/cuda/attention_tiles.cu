// Attention in bfloat16 on tensor cores, made for the short causal sequences of time blocks: a warp
// takes 16 queries (or, for dk and dv, 16 keys) of one head, needs no shared memory, and reads
// every operand in 16-byte pieces straight into the registers of its products. The equations are
// those of kernels/cpu/attention.c.
//
// Two freedoms make that possible. The order of the terms of a sum is free, so a product over
// channels takes them in the order in which a lane's 16 bytes hold them, the same for both operands
// (left_rows, product_rows). And the order of a result's columns is free, so a product over
// positions lets tile j of 8 columns stand for the channels j, j+8, j+16, ...: a lane then loads 8
// neighbouring channels of each of its positions and ends with 16 neighbouring channels of each of
// its rows (row_sums).
//
// Names, after the drawing in kernels/cuda/mma.cuh: g = lane / 4 and t = lane % 4; i counts
// queries, j keys; n is one of two tiles of 8 columns, e one of the four values that a lane has of
// a tile, so e / 2 says which of its two rows (g or g + 8) and e % 2 which of two columns.
#include "kernels/cuda/attention.cuh"
#include "kernels/cuda/mma.cuh"

enum {
  TILE = 16,
  WARPS = 4,
  PIECE = 64
}; // positions; warps of a block; channels of a part of a head

// The rows of one head of one sequence: row l begins at first + l * step.
struct head_rows {
  const cuda_bf16 *first;
  int step, L;
};

template <typename A>
__device__ __forceinline__ head_rows rows_of(const A &a, const void *x, int64_t ld, int64_t s,
                                             int64_t h) {
  return head_rows{static_cast<const cuda_bf16 *>(x) + cuda_sequence(a, s) * ld + h * a.K,
                   (int)(a.seq.pos_stride * ld), (int)a.seq.L};
}

__device__ __forceinline__ uint4 load_16(const head_rows &x, int l, int channel) {
  if (l >= x.L) return uint4{0, 0, 0, 0};
  return *reinterpret_cast<const uint4 *>(x.first + (int64_t)l * x.step + channel);
}

// 16 rows from l0 as the left operand of products over channels: 32 C channels of a piece each.
template <int C> struct left_rows {
  uint4 low[2 * C], high[2 * C]; // rows g and g + 8

  __device__ __forceinline__ void load(const head_rows &x, int l0) {
    const int g = (int)threadIdx.x / 4, t = (int)threadIdx.x % 4;
#pragma unroll
    for (int c = 0; c < 2 * C; c++) {
      low[c] = load_16(x, l0 + g, 32 * c + 8 * t);
      high[c] = load_16(x, l0 + g + 8, 32 * c + 8 * t);
    }
  }
};

// d[2] (=) left * right^T with the 16 rows of `right` from l0: two tiles of 8 columns.
template <int C>
__device__ __forceinline__ void product_rows(float (&d)[2][4], const left_rows<C> &left,
                                             const head_rows &right, int l0) {
  const int g = (int)threadIdx.x / 4, t = (int)threadIdx.x % 4;
#pragma unroll
  for (int n = 0; n < 2; n++) {
#pragma unroll
    for (int i = 0; i < 4; i++) d[n][i] = 0.0f;
#pragma unroll
    for (int c = 0; c < 2 * C; c++) {
      // 8 channels of one row: the four registers of b for two products, in the order of left's
      const uint4 b = load_16(right, l0 + 8 * n + g, 32 * c + 8 * t);
      const uint32_t first[4] = {left.low[c].x, left.high[c].x, left.low[c].y, left.high[c].y};
      const uint32_t second[4] = {left.low[c].z, left.high[c].z, left.low[c].w, left.high[c].w};
      cuda_mma(d[n], first, b.x, b.y);
      cuda_mma(d[n], second, b.z, b.w);
    }
  }
}

// A result of 16 rows by 64 C channels: of rows g and g + 8 this lane has the channels
// 64 c + 16 t + j in [c][j][0] and [c][j][2], and 8 channels on in [c][j][1] and [c][j][3].
template <int C> struct row_sums {
  float d[C][8][4];

  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int c = 0; c < C; c++)
#pragma unroll
      for (int j = 0; j < 8; j++)
#pragma unroll
        for (int i = 0; i < 4; i++) d[c][j][i] = 0.0f;
  }

  // d += weights * x over the 16 rows of x from l0; weights as products of rows leave them.
  __device__ __forceinline__ void add(const float (&weight)[2][4], const head_rows &x, int l0) {
    const int g = (int)threadIdx.x / 4, t = (int)threadIdx.x % 4;
    // a result tile [16,8] lies in the lanes as half of a left operand does: two of them make one
    const uint32_t a[4] = {
        cuda_bf16_pair(weight[0][0], weight[0][1]), cuda_bf16_pair(weight[0][2], weight[0][3]),
        cuda_bf16_pair(weight[1][0], weight[1][1]), cuda_bf16_pair(weight[1][2], weight[1][3])};
#pragma unroll
    for (int c = 0; c < C; c++) {
      // of b this lane has the positions 2t, 2t+1, 2t+8, 2t+9: 8 channels of each, 16 bytes at once
      uint4 v[4];
#pragma unroll
      for (int i = 0; i < 4; i++)
        v[i] = load_16(x, l0 + 2 * t + i % 2 + i / 2 * 8, PIECE * c + 8 * g);
      const uint32_t word[4][4] = {{v[0].x, v[0].y, v[0].z, v[0].w},
                                   {v[1].x, v[1].y, v[1].z, v[1].w},
                                   {v[2].x, v[2].y, v[2].z, v[2].w},
                                   {v[3].x, v[3].y, v[3].z, v[3].w}};
#pragma unroll
      for (int w = 0; w < 4;
           w++) { // one channel of two positions a register: low, then high halves
        cuda_mma(d[c][2 * w], a, __byte_perm(word[0][w], word[1][w], 0x5410),
                 __byte_perm(word[2][w], word[3][w], 0x5410));
        cuda_mma(d[c][2 * w + 1], a, __byte_perm(word[0][w], word[1][w], 0x7632),
                 __byte_perm(word[2][w], word[3][w], 0x7632));
      }
    }
  }

  __device__ __forceinline__ void scale(float low, float high) {
#pragma unroll
    for (int c = 0; c < C; c++)
#pragma unroll
      for (int j = 0; j < 8; j++) {
        d[c][j][0] *= low;
        d[c][j][1] *= low;
        d[c][j][2] *= high;
        d[c][j][3] *= high;
      }
  }

  // To the rows from l0 of a head that begins at `first`.
  __device__ __forceinline__ void store(cuda_bf16 *first, int64_t step, int l0, int L) const {
    const int g = (int)threadIdx.x / 4, t = (int)threadIdx.x % 4;
#pragma unroll
    for (int half = 0; half < 2; half++) {
      if (l0 + g + 8 * half >= L) continue;
      cuda_bf16 *row = first + (l0 + g + 8 * half) * step;
#pragma unroll
      for (int c = 0; c < C; c++)
#pragma unroll
        for (int side = 0; side < 2; side++) {
          float v[8];
#pragma unroll
          for (int j = 0; j < 8; j++) v[j] = d[c][j][2 * half + side];
          cuda_store(row + PIECE * c + 16 * t + 8 * side, 0, v);
        }
    }
  }
};

template <typename A>
__device__ __forceinline__ cuda_bf16 *result_of(const A &a, void *x, int64_t ld, int64_t s,
                                                int64_t h) {
  return static_cast<cuda_bf16 *>(x) + cuda_sequence(a, s) * ld + h * a.K;
}

// Among the four lanes that share a row.
__device__ __forceinline__ float quad_sum(float v) {
  v += __shfl_xor_sync(CUDA_ALL_LANES, v, 1);
  return v + __shfl_xor_sync(CUDA_ALL_LANES, v, 2);
}
__device__ __forceinline__ float quad_max(float v) {
  v = fmaxf(v, __shfl_xor_sync(CUDA_ALL_LANES, v, 1));
  return fmaxf(v, __shfl_xor_sync(CUDA_ALL_LANES, v, 2));
}

// Tiles of keys that some of the queries i0 .. i0+15 see: 0, and those from `begin` up to `end`.
struct tile_range {
  int begin, end;
};
template <typename A> __device__ __forceinline__ tile_range keys_of(const A &a, int i0) {
  const int tiles = ((int)a.seq.L + TILE - 1) / TILE;
  if (!a.seq.causal) return tile_range{1, tiles};
  const int64_t oldest = a.seq.window ? i0 - a.seq.window + 1 : 0;
  const int begin = oldest > 0 ? (int)(oldest / TILE) : 0;
  return tile_range{begin > 1 ? begin : 1, i0 / TILE + 1};
}

// Whether query i sees key j, which may lie past the end.
template <typename A> __device__ __forceinline__ bool seen(const A &a, int i, int j) {
  return j < a.seq.L && cuda_sees(a, i, j);
}

__device__ __forceinline__ int low_row(int l0) {
  return l0 + (int)threadIdx.x / 4;
}
// Row and column of element e of tile n of a product of 16 rows from r0 by 16 from c0.
__device__ __forceinline__ int row_at(int r0, int e) {
  return low_row(r0) + e / 2 * 8;
}
__device__ __forceinline__ int column_at(int c0, int n, int e) {
  return c0 + 8 * n + (int)threadIdx.x % 4 * 2 + e % 2;
}

static const float LOG2_E = 1.44269504f;

// -- forward --------------------------------------------------------------------------------

template <int C>
static __global__ void __launch_bounds__(WARPS *CUDA_WARP)
    fwd_kernel(const kern_attention_fwd_args a) {
  // whose: a warp's 16 queries of one head of one sequence, and the rows that they meet
  const int64_t tiles = (a.seq.L + TILE - 1) / TILE;
  const int64_t task = (int64_t)blockIdx.x * WARPS + threadIdx.y;
  if (task >= a.seq.seqs * a.H * tiles) return; // a whole warp
  const int i0 = (int)(task % tiles) * TILE;
  const int64_t h = task / tiles % a.H, s = task / tiles / a.H;
  const head_rows k = rows_of(a, a.k, a.ldk, s, h / (a.H / a.G));
  const head_rows v = rows_of(a, a.v, a.ldv, s, h / (a.H / a.G));
  const float scale = 1.0f / sqrtf((float)a.K), steps = scale * LOG2_E;
  // load: the queries stay in registers; o, largest and sum belong to the keys seen so far
  left_rows<C> q;
  q.load(rows_of(a, a.q, a.ldq, s, h), i0);
  row_sums<C> o;
  o.clear();
  float largest[2] = {-INFINITY, -INFINITY}, sum[2] = {0.0f, 0.0f};
  const tile_range range = keys_of(a, i0);
  for (int tile = 0; tile < range.end; tile = tile ? tile + 1 : range.begin) {
    // scores: q k^T of 16 keys, two tiles of 8
    float p[2][4];
    product_rows(p, q, k, tile * TILE);
    // mask: what a query does not see is -inf; meanwhile this lane's part of the rows' maximum
    float most[2] = {largest[0], largest[1]};
#pragma unroll
    for (int n = 0; n < 2; n++)
#pragma unroll
      for (int e = 0; e < 4; e++) {
        if (!seen(a, row_at(i0, e), column_at(tile * TILE, n, e))) p[n][e] = -INFINITY;
        most[e / 2] = fmaxf(most[e / 2], p[n][e]);
      }
    // running maximum: of the whole rows; position 0 is seen by all, so it is finite. What was
    // summed so far was measured from the old one: `keep` takes it to the new one (0 the first
    // time)
    float keep[2];
#pragma unroll
    for (int r = 0; r < 2; r++) {
      most[r] = quad_max(most[r]);
      keep[r] = exp2f((largest[r] - most[r]) * steps);
      largest[r] = most[r];
      sum[r] *= keep[r];
    }
    // weights: exp(score - largest), by powers of 2; each lane sums its own columns
#pragma unroll
    for (int n = 0; n < 2; n++)
#pragma unroll
      for (int e = 0; e < 4; e++) {
        p[n][e] = exp2f((p[n][e] - largest[e / 2]) * steps);
        sum[e / 2] += p[n][e];
      }
    // rescale what there is, and add these 16 values by their weights
    o.scale(keep[0], keep[1]);
    o.add(p, v, tile * TILE);
  }
  // end: the quad's sums of a row together, o divided by them, and lse for the backward pass
  sum[0] = quad_sum(sum[0]);
  sum[1] = quad_sum(sum[1]);
  o.scale(1.0f / sum[0], 1.0f / sum[1]);
  o.store(result_of(a, a.o, a.ldo, s, h), a.seq.pos_stride * a.ldo, i0, (int)a.seq.L);
  if (!a.lse || threadIdx.x % 4 != 0) return;
#pragma unroll
  for (int r = 0; r < 2; r++)
    if (low_row(i0) + 8 * r < a.seq.L)
      a.lse[(s * a.H + h) * a.seq.L + low_row(i0) + 8 * r] = largest[r] * scale + logf(sum[r]);
}

// -- backward -------------------------------------------------------------------------------

// Sums over channels of products of the rows of both: delta of rows g and g + 8.
template <int C>
__device__ __forceinline__ void row_dots(const left_rows<C> &x, const left_rows<C> &y,
                                         float (&dot)[2]) {
  dot[0] = dot[1] = 0.0f;
#pragma unroll
  for (int c = 0; c < 2 * C; c++) {
    const cuda_pack<cuda_bf16, 8> xs[2] = {
        *reinterpret_cast<const cuda_pack<cuda_bf16, 8> *>(&x.low[c]),
        *reinterpret_cast<const cuda_pack<cuda_bf16, 8> *>(&x.high[c])};
    const cuda_pack<cuda_bf16, 8> ys[2] = {
        *reinterpret_cast<const cuda_pack<cuda_bf16, 8> *>(&y.low[c]),
        *reinterpret_cast<const cuda_pack<cuda_bf16, 8> *>(&y.high[c])};
#pragma unroll
    for (int r = 0; r < 2; r++)
#pragma unroll
      for (int e = 0; e < 8; e++) dot[r] += xs[r].at(e) * ys[r].at(e);
  }
  dot[0] = quad_sum(dot[0]);
  dot[1] = quad_sum(dot[1]);
}

// dq of 16 queries of head h, and their delta.
template <int C>
__device__ __forceinline__ void bwd_queries(const kern_attention_bwd_args &a, int64_t s, int64_t h,
                                            int i0, float *delta) {
  const head_rows k = rows_of(a, a.k, a.ldk, s, h / (a.H / a.G));
  const head_rows v = rows_of(a, a.v, a.ldv, s, h / (a.H / a.G));
  const float scale = 1.0f / sqrtf((float)a.K);
  // load o and do, whose products along the channels are delta; then q in the place of o
  left_rows<C> q, d;
  float dots[2], lse[2];
  q.load(rows_of(a, a.o, a.ldo, s, h), i0);
  d.load(rows_of(a, a.do_, a.ldo, s, h), i0);
  row_dots(q, d, dots);
  q.load(rows_of(a, a.q, a.ldq, s, h), i0);
#pragma unroll
  for (int r = 0; r < 2; r++) {
    const int i = low_row(i0) + 8 * r;
    const int64_t at = (s * a.H + h) * a.seq.L + i;
    lse[r] = i < a.seq.L ? a.lse[at] : 0.0f;
    if (i < a.seq.L && threadIdx.x % 4 == 0) delta[at] = dots[r];
  }
  row_sums<C> dq;
  dq.clear();
  const tile_range range = keys_of(a, i0);
  for (int tile = 0; tile < range.end; tile = tile ? tile + 1 : range.begin) {
    // scores q k^T, and dp = do v^T
    float ds[2][4], dp[2][4];
    product_rows(ds, q, k, tile * TILE);
    product_rows(dp, d, v, tile * TILE);
    // mask and weights from lse, then ds = p (dp - delta) / sqrt(K)
#pragma unroll
    for (int n = 0; n < 2; n++)
#pragma unroll
      for (int e = 0; e < 4; e++) {
        const float p = seen(a, row_at(i0, e), column_at(tile * TILE, n, e))
                            ? exp2f((ds[n][e] * scale - lse[e / 2]) * LOG2_E)
                            : 0.0f;
        ds[n][e] = p * (dp[n][e] - dots[e / 2]) * scale;
      }
    // add: dq += ds k
    dq.add(ds, k, tile * TILE);
  }
  dq.store(result_of(a, a.dq, a.lddq, s, h), a.seq.pos_stride * a.lddq, i0, (int)a.seq.L);
}

// dk and dv of 16 keys of key/value head g, over all heads and queries that see them.
template <int C>
__device__ __forceinline__ void bwd_keys(const kern_attention_bwd_args &a, int64_t s, int64_t g,
                                         int j0, const float *delta) {
  const int group = (int)(a.H / a.G), tiles = ((int)a.seq.L + TILE - 1) / TILE;
  const float scale = 1.0f / sqrtf((float)a.K);
  // beyond the window only position 0 is seen
  const int last =
      a.seq.causal && a.seq.window && j0 > 0 ? (int)((j0 + TILE - 2 + a.seq.window) / TILE) : tiles;
  left_rows<C> k;
  row_sums<C> dk, dv;
  dk.clear();
  dv.clear();
  for (int64_t h = g * group; h < (g + 1) * group; h++) {
    const head_rows q = rows_of(a, a.q, a.ldq, s, h), d = rows_of(a, a.do_, a.ldo, s, h);
    const float *lse = a.lse + (s * a.H + h) * a.seq.L, *dots = delta + (s * a.H + h) * a.seq.L;
    for (int tile = a.seq.causal ? j0 / TILE : 0; tile < tiles && tile <= last; tile++) {
      // scores, transposed: rows are keys, columns queries, so that p and ds can be left operands.
      // k and v take turns in one set of registers; they are near after the first time
      float p[2][4], ds[2][4];
      k.load(rows_of(a, a.k, a.ldk, s, g), j0);
      product_rows(p, k, q, tile * TILE);
      k.load(rows_of(a, a.v, a.ldv, s, g), j0);
      product_rows(ds, k, d, tile * TILE);
      // mask, weights and ds as for dq
#pragma unroll
      for (int n = 0; n < 2; n++)
#pragma unroll
        for (int e = 0; e < 4; e++) {
          const int i = column_at(tile * TILE, n, e), j = row_at(j0, e);
          const bool counts = i < a.seq.L && seen(a, i, j);
          p[n][e] = counts ? exp2f((p[n][e] * scale - lse[i]) * LOG2_E) : 0.0f;
          ds[n][e] = counts ? p[n][e] * (ds[n][e] - dots[i]) * scale : 0.0f;
        }
      // add: dv += p^T do, dk += ds^T q
      dv.add(p, d, tile * TILE);
      dk.add(ds, q, tile * TILE);
    }
  }
  dk.store(result_of(a, a.dk, a.lddk, s, g), a.seq.pos_stride * a.lddk, j0, (int)a.seq.L);
  dv.store(result_of(a, a.dv, a.lddv, s, g), a.seq.pos_stride * a.lddv, j0, (int)a.seq.L);
}

// A block takes WARPS / share key/value heads, `share` warps each: first dq of all heads that read
// one, then its dk and dv, while what both read is still near.
template <int C>
static __global__ void __launch_bounds__(WARPS *CUDA_WARP, C == 1 ? 3 : 2)
    bwd_kernel(const kern_attention_bwd_args a, const int share, float *delta) {
  const int tiles = ((int)a.seq.L + TILE - 1) / TILE, group = (int)(a.H / a.G);
  const int64_t unit = (int64_t)blockIdx.x * (WARPS / share) + threadIdx.y / share;
  const bool inside = unit < a.seq.seqs * a.G;
  const int64_t s = unit / a.G, g = unit % a.G;
  const int mine = (int)threadIdx.y % share;
  for (int item = mine; inside && item < group * tiles; item += share) {
    const int h = item / tiles; // tiles of causal sequences differ in work: deal them out
    bwd_queries<C>(a, s, g * group + h, (item + h) % tiles * TILE, delta);
  }
  __syncthreads();
  for (int tile = mine; inside && tile < tiles; tile += share)
    bwd_keys<C>(a, s, g, tile * TILE, delta);
}

// -- entry ----------------------------------------------------------------------------------

// Steps from row to row are kept in 32 bits.
static bool fits(const void *p, int64_t ld, int64_t pos_stride) {
  return cuda_aligned(p) && ld % 8 == 0 && pos_stride * ld <= INT32_MAX;
}
template <typename A> static bool shape_fits(const A *a) {
  const int64_t step = a->seq.pos_stride;
  return a->type == KERN_BF16 && (a->K == PIECE || a->K == 2 * PIECE) && fits(a->q, a->ldq, step) &&
         fits(a->k, a->ldk, step) && fits(a->v, a->ldv, step) && fits(a->o, a->ldo, step);
}

bool cuda_attention_tiles_fit(const kern_attention_fwd_args *a) {
  return shape_fits(a);
}
bool cuda_attention_tiles_fit(const kern_attention_bwd_args *a) {
  return shape_fits(a) && cuda_aligned(a->do_, a->dq, a->dk, a->dv) && a->lddq % 8 == 0 &&
         a->lddk % 8 == 0 && a->lddv % 8 == 0;
}

orr_code cuda_attention_tiles_fwd(kern *k, const kern_attention_fwd_args *a) {
  const int64_t tasks = a->seq.seqs * a->H * cuda_ceil_div(a->seq.L, TILE);
  return cuda_start(k, "start attention_fwd", a->K == PIECE ? fwd_kernel<1> : fwd_kernel<2>,
                    dim3((unsigned)cuda_ceil_div(tasks, WARPS)), dim3(CUDA_WARP, WARPS), 0, *a);
}

orr_code cuda_attention_tiles_bwd(kern *k, const kern_attention_bwd_args *a, float *delta) {
  const int64_t items = a->H / a->G * cuda_ceil_div(a->seq.L, TILE);
  const int share = items > 2 ? WARPS : (int)items;
  return cuda_start(k, "start attention_bwd", a->K == PIECE ? bwd_kernel<1> : bwd_kernel<2>,
                    dim3((unsigned)cuda_ceil_div(a->seq.seqs * a->G, WARPS / share)),
                    dim3(CUDA_WARP, WARPS), 0, *a, share, delta);
}
