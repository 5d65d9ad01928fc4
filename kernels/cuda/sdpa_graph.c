// Forward: cuDNN's one operation for it, which has no mask before 9.21: causal sequences are
// spelled out (s = scale q k^T where the row is not before the column, else -inf; p = softmax of
// the rows, o = p v). Backward: cuDNN 9.19 names one operation too, but its graph library does not
// build it, so it is spelled out (Dao et al. 2022), a pattern that cuDNN recognizes as a whole and
// runs as one kernel:
//   delta = sum_c do*o,  p = exp(scale q k^T - lse),  dv = p^T do,
//   ds = p (do v^T - delta) scale,  dk = ds^T q,  dq = ds k
// dq is a product's direct result: the variant that adds to it from many blocks at once would give
// other bits each time. With grouped heads dk and dv are made per query head and then summed.
#include "kernels/cuda/sdpa_graph.h"

typedef struct {
  cuda_dnn_graph *g;
  int64_t next; // number of the next virtual tensor
  int64_t seqs, L, H, G, K;
} builder;

static cuda_dnn_node strided(builder *b, int64_t id, int64_t heads, cuda_sdpa_strides at) {
  return cuda_dnn_tensor(b->g, &(cuda_dnn_tensor_spec){.id = id,
                                                       .type = CUDNN_DATA_BFLOAT16,
                                                       .dim = {b->seqs, heads, b->L, b->K},
                                                       .stride = {at.seq, b->K, at.pos, 1}});
}

// The same with rows and columns exchanged, as the second operand of q k^T and do v^T.
static cuda_dnn_node turned(builder *b, int64_t id, int64_t heads, cuda_sdpa_strides at) {
  return cuda_dnn_tensor(b->g, &(cuda_dnn_tensor_spec){.id = id,
                                                       .type = CUDNN_DATA_BFLOAT16,
                                                       .dim = {b->seqs, heads, b->K, b->L},
                                                       .stride = {at.seq, b->K, 1, at.pos}});
}

// One float a row: lse and delta.
static cuda_dnn_node per_row(builder *b, int64_t id, bool is_virtual) {
  return cuda_dnn_tensor(b->g, &(cuda_dnn_tensor_spec){.id = id,
                                                       .type = CUDNN_DATA_FLOAT,
                                                       .dim = {b->seqs, b->H, b->L, 1},
                                                       .stride = {b->H * b->L, b->L, 1, 1},
                                                       .is_virtual = is_virtual});
}

static cuda_dnn_node number(builder *b, int64_t id) {
  return cuda_dnn_tensor(b->g, &(cuda_dnn_tensor_spec){.id = id,
                                                       .type = CUDNN_DATA_FLOAT,
                                                       .dim = {1, 1, 1, 1},
                                                       .stride = {1, 1, 1, 1},
                                                       .by_value = true});
}

static cuda_dnn_node inner(builder *b, cudnnDataType_t type, int64_t rows, int64_t cols) {
  return cuda_dnn_tensor(
      b->g, &(cuda_dnn_tensor_spec){.id = b->next++,
                                    .type = type,
                                    .dim = {b->seqs, b->H, rows, cols},
                                    .stride = {b->H * rows * cols, rows * cols, cols, 1},
                                    .is_virtual = true});
}

// A virtual view of scores with rows and columns exchanged, rounded for the matrix units.
static cuda_dnn_node exchanged(builder *b, cuda_dnn_node x) {
  cuda_dnn_node y = cuda_dnn_tensor(
      b->g, &(cuda_dnn_tensor_spec){.id = b->next++,
                                    .type = CUDNN_DATA_BFLOAT16,
                                    .dim = {b->seqs, b->H, b->L, b->L},
                                    .stride = {b->H * b->L * b->L, b->L * b->L, 1, b->L},
                                    .is_virtual = true});
  cuda_dnn_op(b->g, CUDNN_BACKEND_OPERATION_RESHAPE_DESCRIPTOR,
              (cuda_dnn_port[]){{CUDNN_ATTR_OPERATION_RESHAPE_XDESC, x},
                                {CUDNN_ATTR_OPERATION_RESHAPE_YDESC, y}},
              2);
  return y;
}

// y (=) x and `other` by the mode; CMP_GE gives a truth, BINARY_SELECT takes x where `where` is
// true, GEN_INDEX the place along `axis`.
typedef struct {
  cudnnPointwiseMode_t mode;
  cudnnDataType_t precision;
  int64_t axis;
  cuda_dnn_node x, other, where, y;
} step;

static cuda_dnn_node take(builder *b, const step *s) {
  cuda_dnn_node how = cuda_dnn_make(b->g, CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  cuda_dnn_set(b->g, how, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &s->mode);
  cuda_dnn_set(b->g, how, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, &s->precision);
  if (s->mode == CUDNN_POINTWISE_GEN_INDEX)
    cuda_dnn_set(b->g, how, CUDNN_ATTR_POINTWISE_AXIS, CUDNN_TYPE_INT64, 1, &s->axis);
  cuda_dnn_finish(b->g, how);
  cuda_dnn_op(b->g, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR,
              (cuda_dnn_port[]){{CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, how},
                                {CUDNN_ATTR_OPERATION_POINTWISE_XDESC, s->x},
                                {CUDNN_ATTR_OPERATION_POINTWISE_BDESC, s->other},
                                {CUDNN_ATTR_OPERATION_POINTWISE_TDESC, s->where},
                                {CUDNN_ATTR_OPERATION_POINTWISE_YDESC, s->y}},
              5);
  return s->y;
}

static cuda_dnn_node pointwise(builder *b, cudnnPointwiseMode_t mode, cuda_dnn_node x,
                               cuda_dnn_node other, cuda_dnn_node y) {
  return take(b,
              &(step){.mode = mode, .precision = CUDNN_DATA_FLOAT, .x = x, .other = other, .y = y});
}

static cuda_dnn_node reduce(builder *b, cudnnReduceTensorOp_t op, cuda_dnn_node x,
                            cuda_dnn_node y) {
  static const cudnnDataType_t precision = CUDNN_DATA_FLOAT;
  cuda_dnn_node how = cuda_dnn_make(b->g, CUDNN_BACKEND_REDUCTION_DESCRIPTOR);
  cuda_dnn_set(b->g, how, CUDNN_ATTR_REDUCTION_OPERATOR, CUDNN_TYPE_REDUCTION_OPERATOR_TYPE, 1,
               &op);
  cuda_dnn_set(b->g, how, CUDNN_ATTR_REDUCTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &precision);
  cuda_dnn_finish(b->g, how);
  cuda_dnn_op(b->g, CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR,
              (cuda_dnn_port[]){{CUDNN_ATTR_OPERATION_REDUCTION_DESC, how},
                                {CUDNN_ATTR_OPERATION_REDUCTION_XDESC, x},
                                {CUDNN_ATTR_OPERATION_REDUCTION_YDESC, y}},
              3);
  return y;
}

static cuda_dnn_node sum(builder *b, cuda_dnn_node x, cuda_dnn_node y) {
  return reduce(b, CUDNN_REDUCE_TENSOR_ADD, x, y);
}

static cuda_dnn_node product(builder *b, cuda_dnn_node x, cuda_dnn_node y, cuda_dnn_node out) {
  static const cudnnDataType_t precision = CUDNN_DATA_FLOAT;
  cuda_dnn_node how = cuda_dnn_make(b->g, CUDNN_BACKEND_MATMUL_DESCRIPTOR);
  cuda_dnn_set(b->g, how, CUDNN_ATTR_MATMUL_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &precision);
  cuda_dnn_finish(b->g, how);
  cuda_dnn_op(b->g, CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR,
              (cuda_dnn_port[]){{CUDNN_ATTR_OPERATION_MATMUL_DESC, how},
                                {CUDNN_ATTR_OPERATION_MATMUL_ADESC, x},
                                {CUDNN_ATTR_OPERATION_MATMUL_BDESC, y},
                                {CUDNN_ATTR_OPERATION_MATMUL_CDESC, out}},
              4);
  return out;
}

// out [seqs,G,L,K] (=) x y, by way of all H heads where several read one.
static void grouped_product(builder *b, cuda_dnn_node x, cuda_dnn_node y, cuda_dnn_node out) {
  if (b->H == b->G)
    product(b, x, y, out);
  else
    sum(b, product(b, x, y, inner(b, CUDNN_DATA_BFLOAT16, b->L, b->K)), out);
}

static builder builder_of(cuda_dnn_graph *g, const cuda_sdpa_shape *s) {
  return (builder){g, CUDA_SDPA_INNER, s->seqs, s->L, s->H, s->G, s->K};
}

static cuda_dnn_node index_along(builder *b, cuda_dnn_node score, int64_t axis) {
  return take(b, &(step){.mode = CUDNN_POINTWISE_GEN_INDEX,
                         .precision = CUDNN_DATA_FLOAT,
                         .axis = axis,
                         .x = score,
                         .y = inner(b, CUDNN_DATA_INT32, b->L, b->L)});
}

// score where a position sees the other, which is not after it, else -inf.
static cuda_dnn_node masked(builder *b, cuda_dnn_node score) {
  cuda_dnn_node row = index_along(b, score, 2), column = index_along(b, score, 3);
  cuda_dnn_node seen = take(b, &(step){.mode = CUDNN_POINTWISE_CMP_GE,
                                       .precision = CUDNN_DATA_BOOLEAN,
                                       .x = row,
                                       .other = column,
                                       .y = inner(b, CUDNN_DATA_BOOLEAN, b->L, b->L)});
  return take(b, &(step){.mode = CUDNN_POINTWISE_BINARY_SELECT,
                         .precision = CUDNN_DATA_FLOAT,
                         .x = score,
                         .other = number(b, CUDA_SDPA_BELOW),
                         .where = seen,
                         .y = inner(b, CUDNN_DATA_FLOAT, b->L, b->L)});
}

static void causal_fwd(builder *b, const cuda_sdpa_shape *s) {
  const int64_t L = s->L;
  cuda_dnn_node q = strided(b, CUDA_SDPA_Q, s->H, s->q), k = turned(b, CUDA_SDPA_K, s->G, s->k);
  cuda_dnn_node score = product(b, q, k, inner(b, CUDNN_DATA_FLOAT, L, L));
  score = pointwise(b, CUDNN_POINTWISE_MUL, score, number(b, CUDA_SDPA_SCALE),
                    inner(b, CUDNN_DATA_FLOAT, L, L));
  score = masked(b, score);
  cuda_dnn_node largest = reduce(b, CUDNN_REDUCE_TENSOR_MAX, score, per_row(b, b->next++, true));
  cuda_dnn_node p =
      pointwise(b, CUDNN_POINTWISE_SUB, score, largest, inner(b, CUDNN_DATA_FLOAT, L, L));
  p = pointwise(b, CUDNN_POINTWISE_EXP, p, NULL, inner(b, CUDNN_DATA_FLOAT, L, L));
  cuda_dnn_node total = sum(b, p, per_row(b, b->next++, true));
  if (s->lse)
    pointwise(b, CUDNN_POINTWISE_ADD, largest,
              pointwise(b, CUDNN_POINTWISE_LOG, total, NULL, per_row(b, b->next++, true)),
              per_row(b, CUDA_SDPA_LSE, false));
  p = pointwise(b, CUDNN_POINTWISE_DIV, p, total, inner(b, CUDNN_DATA_BFLOAT16, L, L));
  product(b, p, strided(b, CUDA_SDPA_V, s->G, s->v), strided(b, CUDA_SDPA_O, s->H, s->o));
}

void cuda_sdpa_graph_fwd(cuda_dnn_graph *g, const cuda_sdpa_shape *s) {
  builder b = builder_of(g, s);
  if (s->causal) {
    causal_fwd(&b, s);
    return;
  }
  cuda_dnn_op(g, CUDNN_BACKEND_OPERATION_SDPA_FWD_DESCRIPTOR,
              (cuda_dnn_port[]){
                  {CUDNN_ATTR_OPERATION_SDPA_FWD_QDESC, strided(&b, CUDA_SDPA_Q, s->H, s->q)},
                  {CUDNN_ATTR_OPERATION_SDPA_FWD_KDESC, strided(&b, CUDA_SDPA_K, s->G, s->k)},
                  {CUDNN_ATTR_OPERATION_SDPA_FWD_VDESC, strided(&b, CUDA_SDPA_V, s->G, s->v)},
                  {CUDNN_ATTR_OPERATION_SDPA_FWD_ODESC, strided(&b, CUDA_SDPA_O, s->H, s->o)},
                  {CUDNN_ATTR_OPERATION_SDPA_FWD_SCALEDESC, number(&b, CUDA_SDPA_SCALE)},
                  {CUDNN_ATTR_OPERATION_SDPA_FWD_STATSDESC,
                   s->lse ? per_row(&b, CUDA_SDPA_LSE, false) : NULL},
              },
              6);
}

void cuda_sdpa_graph_bwd(cuda_dnn_graph *g, const cuda_sdpa_shape *s) {
  builder b = builder_of(g, s);
  const int64_t L = s->L, K = s->K;
  cuda_dnn_node q = strided(&b, CUDA_SDPA_Q, s->H, s->q), k = turned(&b, CUDA_SDPA_K, s->G, s->k);
  cuda_dnn_node v = turned(&b, CUDA_SDPA_V, s->G, s->v), o = strided(&b, CUDA_SDPA_O, s->H, s->o);
  cuda_dnn_node d = strided(&b, CUDA_SDPA_DO, s->H, s->o), lse = per_row(&b, CUDA_SDPA_LSE, false);
  cuda_dnn_node scale = number(&b, CUDA_SDPA_SCALE), one = number(&b, CUDA_SDPA_ONE);

  cuda_dnn_node delta = per_row(&b, CUDA_SDPA_DELTA, false);
  cuda_dnn_node d_o = pointwise(&b, CUDNN_POINTWISE_MUL, d, o, inner(&b, CUDNN_DATA_FLOAT, L, K));
  cuda_dnn_node rows = sum(&b, d_o, per_row(&b, b.next++, true));
  pointwise(&b, CUDNN_POINTWISE_MUL, rows, one, delta); // the pattern has a factor here

  cuda_dnn_node score = product(&b, q, k, inner(&b, CUDNN_DATA_FLOAT, L, L));
  score = pointwise(&b, CUDNN_POINTWISE_MUL, score, scale, inner(&b, CUDNN_DATA_FLOAT, L, L));
  if (s->causal) score = masked(&b, score);
  score = pointwise(&b, CUDNN_POINTWISE_SUB, score, lse, inner(&b, CUDNN_DATA_FLOAT, L, L));
  cuda_dnn_node p =
      pointwise(&b, CUDNN_POINTWISE_EXP, score, NULL, inner(&b, CUDNN_DATA_FLOAT, L, L));
  grouped_product(&b, exchanged(&b, p), d, strided(&b, CUDA_SDPA_DV, s->G, s->dv));

  cuda_dnn_node ds = product(&b, d, v, inner(&b, CUDNN_DATA_FLOAT, L, L));
  ds = pointwise(&b, CUDNN_POINTWISE_SUB, ds, delta, inner(&b, CUDNN_DATA_FLOAT, L, L));
  ds = pointwise(&b, CUDNN_POINTWISE_MUL, ds, p, inner(&b, CUDNN_DATA_FLOAT, L, L));
  ds = pointwise(&b, CUDNN_POINTWISE_MUL, ds, scale, inner(&b, CUDNN_DATA_FLOAT, L, L));
  grouped_product(&b, exchanged(&b, ds), q, strided(&b, CUDA_SDPA_DK, s->G, s->dk));

  cuda_dnn_node k_rows =
      cuda_dnn_tensor(g, &(cuda_dnn_tensor_spec){.id = b.next++,
                                                 .type = CUDNN_DATA_BFLOAT16,
                                                 .dim = {s->seqs, s->G, L, K},
                                                 .stride = {s->k.seq, K, s->k.pos, 1},
                                                 .is_virtual = true});
  cuda_dnn_op(g, CUDNN_BACKEND_OPERATION_RESHAPE_DESCRIPTOR,
              (cuda_dnn_port[]){{CUDNN_ATTR_OPERATION_RESHAPE_XDESC, k},
                                {CUDNN_ATTR_OPERATION_RESHAPE_YDESC, k_rows}},
              2);
  product(&b, ds, k_rows, strided(&b, CUDA_SDPA_DQ, s->H, s->dq));
}

// B200 and B300: the heuristic proposes the kernel of Ampere alone. Engine 5 has the native one,
// and takes this graph, which sums nothing from many blocks, when its tiles (128 x 128) and two
// stages are asked for, by names that 9.23 changed (NVIDIA's cudnn-frontend asks for the same).
bool cuda_sdpa_graph_bwd_choice(int sm, size_t version, cuda_dnn_choice *out) {
  if (sm < 100 || sm > 103 || version < 91800) return false;
  *out = version >= 92300 ? (cuda_dnn_choice){.engine = 5,
                                              .knobs = 6,
                                              .knob = {{CUDNN_KNOB_TYPE_TILE_M, 3},
                                                       {CUDNN_KNOB_TYPE_TILE_N, 2},
                                                       {CUDNN_KNOB_TYPE_KERNEL_CFG, 2},
                                                       {CUDNN_KNOB_TYPE_STREAM_K, 0},
                                                       {CUDNN_KNOB_TYPE_TILE_CGA_M, 0},
                                                       {CUDNN_KNOB_TYPE_STAGES, 2}}}
                          : (cuda_dnn_choice){.engine = 5,
                                              .knobs = 2,
                                              .knob = {{CUDNN_KNOB_TYPE_KERNEL_CFG, 31},
                                                       {CUDNN_KNOB_TYPE_STAGES, 2}}};
  return true;
}
