#include "tests/cuda_host/libraries/dnn_run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/bf16.h"

enum { MOST_TENSORS = 64 };

// A tensor while a graph runs.
typedef struct {
  int64_t id, dim[4], stride[4];
  int type;
  bool is_virtual;
  void *data; // virtual ones: floats
} operand;

typedef struct {
  operand list[MOST_TENSORS];
  int count;
  const dnn_node *pack;
  bool lacking; // an address that the variant pack does not have
} memory;

static int64_t span(const operand *t) {
  int64_t last = 0;
  for (int i = 0; i < 4; i++) last += (t->dim[i] - 1) * t->stride[i];
  return last + 1;
}

static void *address(memory *m, int64_t id) {
  const dnn_attribute *ids = dnn_node_attribute(m->pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
  const dnn_attribute *at = dnn_node_attribute(m->pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS);
  for (int64_t i = 0; i < ids->count; i++)
    if (((const int64_t *)ids->values)[i] == id) return ((void *const *)at->values)[i];
  m->lacking = true;
  return NULL;
}

static operand *tensor(memory *m, const dnn_node *n) {
  const int64_t id = dnn_node_integer(n, CUDNN_ATTR_TENSOR_UNIQUE_ID);
  for (int i = 0; i < m->count; i++)
    if (m->list[i].id == id) return &m->list[i];
  operand *t = &m->list[m->count++];
  t->id = id;
  t->type = dnn_node_enumerated(n, CUDNN_ATTR_TENSOR_DATA_TYPE);
  t->is_virtual = dnn_node_flag(n, CUDNN_ATTR_TENSOR_IS_VIRTUAL);
  memcpy(t->dim, dnn_node_attribute(n, CUDNN_ATTR_TENSOR_DIMENSIONS)->values, sizeof t->dim);
  memcpy(t->stride, dnn_node_attribute(n, CUDNN_ATTR_TENSOR_STRIDES)->values, sizeof t->stride);
  if (!t->is_virtual) {
    t->data = address(m, id);
    if ((uintptr_t)t->data % (uintptr_t)dnn_node_integer(n, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT))
      m->lacking = true;
    return t;
  }
  t->data = malloc((size_t)span(t) * sizeof(float));
  for (int64_t i = 0; i < span(t); i++) ((float *)t->data)[i] = NAN;
  return t;
}

static float get_at(const operand *t, int64_t at) {
  if (!t->is_virtual && t->type == CUDNN_DATA_BFLOAT16)
    return kern_bf16_to_f32(((const uint16_t *)t->data)[at]);
  return ((const float *)t->data)[at];
}

static void put_at(operand *t, int64_t at, float v) {
  const uint16_t rounded = kern_f32_to_bf16(v);
  const bool bf16 = t->type == CUDNN_DATA_BFLOAT16;
  if (bf16 && !t->is_virtual)
    ((uint16_t *)t->data)[at] = rounded;
  else
    ((float *)t->data)[at] = bf16 ? kern_bf16_to_f32(rounded) : v;
}

// Element (i) of t, whose sizes of 1 are repeated, and whose heads serve groups of equal size.
static int64_t offset(const operand *t, const int64_t i[4], int64_t heads) {
  const int64_t group = t->dim[1] > 1 ? heads / t->dim[1] : 1;
  int64_t at = 0;
  for (int d = 0; d < 4; d++)
    if (t->dim[d] > 1) at += (d == 1 ? i[1] / group : i[d]) * t->stride[d];
  return at;
}

#define FOR_ELEMENTS(t, i)                                                                         \
  for (int64_t i[4] = {0}; i[0] < (t)->dim[0]; i[0]++)                                             \
    for (i[1] = 0; i[1] < (t)->dim[1]; i[1]++)                                                     \
      for (i[2] = 0; i[2] < (t)->dim[2]; i[2]++)                                                   \
        for (i[3] = 0; i[3] < (t)->dim[3]; i[3]++)

static float pointwise(int mode, float v, float w, bool taken, int64_t index) {
  switch (mode) {
  case CUDNN_POINTWISE_MUL:
    return v * w;
  case CUDNN_POINTWISE_ADD:
    return v + w;
  case CUDNN_POINTWISE_SUB:
    return v - w;
  case CUDNN_POINTWISE_DIV:
    return v / w;
  case CUDNN_POINTWISE_EXP:
    return expf(v);
  case CUDNN_POINTWISE_LOG:
    return logf(v);
  case CUDNN_POINTWISE_CMP_GE:
    return v >= w;
  case CUDNN_POINTWISE_BINARY_SELECT:
    return taken ? v : w;
  case CUDNN_POINTWISE_GEN_INDEX:
    return (float)index;
  default:
    return NAN;
  }
}

static void run_pointwise(memory *m, const dnn_node *n) {
  const int mode = dnn_node_enumerated(
      dnn_node_child(n, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR), CUDNN_ATTR_POINTWISE_MODE);
  operand *x = tensor(m, dnn_node_child(n, CUDNN_ATTR_OPERATION_POINTWISE_XDESC));
  operand *y = tensor(m, dnn_node_child(n, CUDNN_ATTR_OPERATION_POINTWISE_YDESC));
  const dnn_node *second = dnn_node_child(n, CUDNN_ATTR_OPERATION_POINTWISE_BDESC);
  operand *b = second ? tensor(m, second) : NULL;
  const dnn_node *where = dnn_node_child(n, CUDNN_ATTR_OPERATION_POINTWISE_TDESC);
  operand *t = where ? tensor(m, where) : NULL;
  const dnn_node *how = dnn_node_child(n, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR);
  const int64_t axis =
      mode == CUDNN_POINTWISE_GEN_INDEX ? dnn_node_integer(how, CUDNN_ATTR_POINTWISE_AXIS) : 0;
  if (m->lacking) return;
  FOR_ELEMENTS(y, i) {
    const float v = get_at(x, offset(x, i, y->dim[1]));
    const float w = b ? get_at(b, offset(b, i, y->dim[1])) : 0;
    const bool taken = t && get_at(t, offset(t, i, y->dim[1])) != 0;
    put_at(y, offset(y, i, y->dim[1]), pointwise(mode, v, w, taken, i[axis]));
  }
}

static void run_reduction(memory *m, const dnn_node *n) {
  operand *x = tensor(m, dnn_node_child(n, CUDNN_ATTR_OPERATION_REDUCTION_XDESC));
  operand *y = tensor(m, dnn_node_child(n, CUDNN_ATTR_OPERATION_REDUCTION_YDESC));
  const int op = dnn_node_enumerated(dnn_node_child(n, CUDNN_ATTR_OPERATION_REDUCTION_DESC),
                                     CUDNN_ATTR_REDUCTION_OPERATOR);
  if (m->lacking) return;
  float *of = malloc((size_t)span(y) * sizeof *of);
  for (int64_t i = 0; i < span(y); i++) of[i] = op == CUDNN_REDUCE_TENSOR_MAX ? -INFINITY : 0;
  FOR_ELEMENTS(x, i) {
    float *at = &of[offset(y, i, x->dim[1])];
    const float v = get_at(x, offset(x, i, x->dim[1]));
    *at = op == CUDNN_REDUCE_TENSOR_MAX ? fmaxf(*at, v) : *at + v;
  }
  FOR_ELEMENTS(y, i) {
    const int64_t at = offset(y, i, y->dim[1]);
    put_at(y, at, op == CUDNN_REDUCE_TENSOR_ADD || op == CUDNN_REDUCE_TENSOR_MAX ? of[at] : NAN);
  }
  free(of);
}

static void run_product(memory *m, const dnn_node *n) {
  operand *a = tensor(m, dnn_node_child(n, CUDNN_ATTR_OPERATION_MATMUL_ADESC));
  operand *b = tensor(m, dnn_node_child(n, CUDNN_ATTR_OPERATION_MATMUL_BDESC));
  operand *c = tensor(m, dnn_node_child(n, CUDNN_ATTR_OPERATION_MATMUL_CDESC));
  if (m->lacking) return;
  const bool fits = a->dim[2] == c->dim[2] && b->dim[3] == c->dim[3] && a->dim[3] == b->dim[2];
  FOR_ELEMENTS(c, i) {
    float sum = fits ? 0 : NAN;
    for (int64_t l = 0; l < a->dim[3]; l++)
      sum += get_at(a, offset(a, (int64_t[4]){i[0], i[1], i[2], l}, c->dim[1])) *
             get_at(b, offset(b, (int64_t[4]){i[0], i[1], l, i[3]}, c->dim[1]));
    put_at(c, offset(c, i, c->dim[1]), sum);
  }
}

// Another view of the same memory.
static void run_reshape(memory *m, const dnn_node *n) {
  operand *x = tensor(m, dnn_node_child(n, CUDNN_ATTR_OPERATION_RESHAPE_XDESC));
  operand *y = tensor(m, dnn_node_child(n, CUDNN_ATTR_OPERATION_RESHAPE_YDESC));
  if (m->lacking) return;
  const bool fits = span(x) == span(y) && y->is_virtual;
  FOR_ELEMENTS(y, i) {
    const int64_t at = offset(y, i, y->dim[1]);
    put_at(y, at, fits ? get_at(x, at) : NAN);
  }
}

static void run_forward(memory *m, const dnn_node *n) {
  operand *q = tensor(m, dnn_node_child(n, CUDNN_ATTR_OPERATION_SDPA_FWD_QDESC));
  operand *k = tensor(m, dnn_node_child(n, CUDNN_ATTR_OPERATION_SDPA_FWD_KDESC));
  operand *v = tensor(m, dnn_node_child(n, CUDNN_ATTR_OPERATION_SDPA_FWD_VDESC));
  operand *o = tensor(m, dnn_node_child(n, CUDNN_ATTR_OPERATION_SDPA_FWD_ODESC));
  operand *scale = tensor(m, dnn_node_child(n, CUDNN_ATTR_OPERATION_SDPA_FWD_SCALEDESC));
  const dnn_node *stats = dnn_node_child(n, CUDNN_ATTR_OPERATION_SDPA_FWD_STATSDESC);
  operand *lse = stats ? tensor(m, stats) : NULL;
  if (m->lacking) return;
  const int64_t L = q->dim[2], K = q->dim[3], H = q->dim[1];
  float *p = malloc((size_t)L * sizeof *p);
  for (int64_t b = 0; b < q->dim[0]; b++)
    for (int64_t h = 0; h < H; h++)
      for (int64_t i = 0; i < L; i++) {
        float largest = -INFINITY, total = 0;
        for (int64_t j = 0; j < L; j++) {
          float dot = 0;
          for (int64_t c = 0; c < K; c++)
            dot += get_at(q, offset(q, (int64_t[4]){b, h, i, c}, H)) *
                   get_at(k, offset(k, (int64_t[4]){b, h, j, c}, H));
          p[j] = dot * get_at(scale, 0);
          largest = fmaxf(largest, p[j]);
        }
        for (int64_t j = 0; j < L; j++) total += p[j] = expf(p[j] - largest);
        for (int64_t c = 0; c < K; c++) {
          float sum = 0;
          for (int64_t j = 0; j < L; j++)
            sum += p[j] * get_at(v, offset(v, (int64_t[4]){b, h, j, c}, H));
          put_at(o, offset(o, (int64_t[4]){b, h, i, c}, H), sum / total);
        }
        if (lse) put_at(lse, offset(lse, (int64_t[4]){b, h, i, 0}, H), largest + logf(total));
      }
  free(p);
}

static void run_op(memory *m, const dnn_node *n) {
  switch (n->type) {
  case CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR:
    return run_pointwise(m, n);
  case CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR:
    return run_reduction(m, n);
  case CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR:
    return run_product(m, n);
  case CUDNN_BACKEND_OPERATION_RESHAPE_DESCRIPTOR:
    return run_reshape(m, n);
  default:
    return run_forward(m, n);
  }
}

bool dnn_run(const dnn_node *graph, const dnn_node *pack) {
  memory m = {.pack = pack};
  void *workspace =
      *(void *const *)dnn_node_attribute(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE)->values;
  const dnn_attribute *ops = dnn_node_attribute(graph, CUDNN_ATTR_OPERATIONGRAPH_OPS);
  for (int64_t i = 0; i < ops->count; i++) {
    memset(workspace, 0xff, DNN_RUN_SCRATCH);
    run_op(&m, ((dnn_node *const *)ops->values)[i]);
  }
  for (int i = 0; i < m.count; i++)
    if (m.list[i].is_virtual) free(m.list[i].data);
  return !m.lacking;
}
