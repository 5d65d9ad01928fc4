// cuDNN's backend interface: descriptors keep every attribute; closing one asks for those that its
// kind must have. A plan runs its graph operation by operation on the tensors' dimensions and
// strides, virtual tensors in memory of its own, rounded to their types. Of two engines proposed
// the first says that it may give other bits each time, and is wrong, so that whoever takes it is
// seen.
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/bf16.h"
#include "kernels/cuda/library.h"
#include "tests/cuda_host/libraries/libraries.h"

enum { MOST_ATTRIBUTES = 12, MOST_TENSORS = 64, SCRATCH = 512, MOST_WORDS = 96 };

typedef struct {
  cudnnBackendAttributeName_t name;
  cudnnBackendAttributeType_t type;
  int64_t count;
  void *values;
} attribute;

typedef struct {
  cudnnBackendDescriptorType_t type;
  bool closed, wavers; // wavers: an engine's
  int refs;            // who created it, and the descriptors that it is an attribute of
  int count;
  attribute list[MOST_ATTRIBUTES];
} node;

static struct {
  library_fault fault;
  library_calls calls;
  int64_t descriptors; // that live
} dnn;

void library_dnn_fail(library_fault fault) {
  dnn.fault = fault;
}

library_calls library_dnn_calls(void) {
  const library_calls calls = dnn.calls;
  dnn.calls = (library_calls){0};
  return calls;
}

static bool fails(library_fault fault) {
  if (dnn.fault != fault) return false;
  dnn.fault = LIBRARY_SOUND;
  return true;
}

static cudnnStatus_t refuse(const char *why) {
  fprintf(stderr, "cuDNN (played by the host): %s\n", why);
  return CUDNN_STATUS_BAD_PARAM;
}

// --- descriptors ----------------------------------------------------------------------------

static size_t element_size(cudnnBackendAttributeType_t type) {
  switch (type) {
  case CUDNN_TYPE_HANDLE:
  case CUDNN_TYPE_VOID_PTR:
  case CUDNN_TYPE_BACKEND_DESCRIPTOR:
    return sizeof(void *);
  case CUDNN_TYPE_INT64:
    return sizeof(int64_t);
  case CUDNN_TYPE_BOOLEAN:
    return sizeof(bool);
  default:
    return sizeof(int); // enumerations
  }
}

static const attribute *attribute_of(const node *n, cudnnBackendAttributeName_t name) {
  for (int i = 0; i < n->count; i++)
    if (n->list[i].name == name) return &n->list[i];
  return NULL;
}

static node *child(const node *n, cudnnBackendAttributeName_t name) {
  const attribute *a = attribute_of(n, name);
  return a ? *(node *const *)a->values : NULL;
}

static int64_t integer(const node *n, cudnnBackendAttributeName_t name) {
  return *(const int64_t *)attribute_of(n, name)->values;
}

static int enumerated(const node *n, cudnnBackendAttributeName_t name) {
  return *(const int *)attribute_of(n, name)->values;
}

static bool flag(const node *n, cudnnBackendAttributeName_t name) {
  const attribute *a = attribute_of(n, name);
  return a && *(const bool *)a->values;
}

static cudnnStatus_t node_create(cudnnBackendDescriptorType_t type, cudnnBackendDescriptor_t *out) {
  node *n = calloc(1, sizeof *n);
  n->type = type;
  n->refs = 1;
  dnn.descriptors++;
  *out = n;
  return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t node_destroy(cudnnBackendDescriptor_t of) {
  node *n = of;
  if (--n->refs > 0) return CUDNN_STATUS_SUCCESS;
  for (int i = 0; i < n->count; i++) {
    const attribute *a = &n->list[i];
    for (int64_t c = 0; a->type == CUDNN_TYPE_BACKEND_DESCRIPTOR && c < a->count; c++)
      node_destroy(((node *const *)a->values)[c]);
    free(a->values);
  }
  free(n);
  dnn.descriptors--;
  return CUDNN_STATUS_SUCCESS;
}

static void keep(node *n, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                 int64_t count, const void *values) {
  attribute *a = &n->list[n->count++];
  *a = (attribute){name, type, count, malloc((size_t)count * element_size(type) + 1)};
  memcpy(a->values, values, (size_t)count * element_size(type));
  for (int64_t c = 0; type == CUDNN_TYPE_BACKEND_DESCRIPTOR && c < count; c++)
    ((node *const *)values)[c]->refs++;
}

static cudnnStatus_t node_set(cudnnBackendDescriptor_t of, cudnnBackendAttributeName_t name,
                              cudnnBackendAttributeType_t type, int64_t count, const void *values) {
  node *n = of;
  if (n->closed) return refuse("an attribute is set on a closed descriptor");
  if (n->count == MOST_ATTRIBUTES) return refuse("more attributes than were thought of");
  if (type == CUDNN_TYPE_BACKEND_DESCRIPTOR)
    for (int64_t i = 0; i < count; i++) {
      const node *c = ((node *const *)values)[i];
      if (!c || !c->closed) return refuse("a descriptor is used before it is closed");
    }
  keep(n, name, type, count, values);
  return CUDNN_STATUS_SUCCESS;
}

typedef struct {
  cudnnBackendDescriptorType_t type;
  cudnnBackendAttributeName_t must[10];
} kind;

static const kind kinds[] = {
    {CUDNN_BACKEND_TENSOR_DESCRIPTOR,
     {CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT,
      CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_ATTR_TENSOR_STRIDES}},
    {CUDNN_BACKEND_POINTWISE_DESCRIPTOR,
     {CUDNN_ATTR_POINTWISE_MODE, CUDNN_ATTR_POINTWISE_MATH_PREC}},
    {CUDNN_BACKEND_REDUCTION_DESCRIPTOR,
     {CUDNN_ATTR_REDUCTION_OPERATOR, CUDNN_ATTR_REDUCTION_COMP_TYPE}},
    {CUDNN_BACKEND_MATMUL_DESCRIPTOR, {CUDNN_ATTR_MATMUL_COMP_TYPE}},
    {CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR,
     {CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, CUDNN_ATTR_OPERATION_POINTWISE_XDESC,
      CUDNN_ATTR_OPERATION_POINTWISE_YDESC}},
    {CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR,
     {CUDNN_ATTR_OPERATION_REDUCTION_DESC, CUDNN_ATTR_OPERATION_REDUCTION_XDESC,
      CUDNN_ATTR_OPERATION_REDUCTION_YDESC}},
    {CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR,
     {CUDNN_ATTR_OPERATION_MATMUL_DESC, CUDNN_ATTR_OPERATION_MATMUL_ADESC,
      CUDNN_ATTR_OPERATION_MATMUL_BDESC, CUDNN_ATTR_OPERATION_MATMUL_CDESC}},
    {CUDNN_BACKEND_OPERATION_RESHAPE_DESCRIPTOR,
     {CUDNN_ATTR_OPERATION_RESHAPE_XDESC, CUDNN_ATTR_OPERATION_RESHAPE_YDESC}},
    {CUDNN_BACKEND_OPERATION_SDPA_FWD_DESCRIPTOR,
     {CUDNN_ATTR_OPERATION_SDPA_FWD_QDESC, CUDNN_ATTR_OPERATION_SDPA_FWD_KDESC,
      CUDNN_ATTR_OPERATION_SDPA_FWD_VDESC, CUDNN_ATTR_OPERATION_SDPA_FWD_ODESC,
      CUDNN_ATTR_OPERATION_SDPA_FWD_SCALEDESC}},
    {CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR,
     {CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_ATTR_OPERATIONGRAPH_HANDLE}},
    {CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR,
     {CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, CUDNN_ATTR_ENGINEHEUR_MODE}},
    {CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR,
     {CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG}},
    {CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR,
     {CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS,
      CUDNN_ATTR_VARIANT_PACK_WORKSPACE}},
};

static cudnnStatus_t node_finalize(cudnnBackendDescriptor_t of) {
  node *n = of;
  const kind *k = kinds, *end = kinds + sizeof kinds / sizeof *kinds;
  while (k < end && k->type != n->type) k++;
  if (k == end) return refuse("a kind of descriptor that was not thought of");
  // 0 ends the list, and is an attribute of pointwise descriptors, whose list begins with it
  for (int i = 0; i < 10 && (k->must[i] || i == 0); i++)
    if (!attribute_of(n, k->must[i])) return refuse("a descriptor lacks an attribute");
  if (n->type == CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR && fails(LIBRARY_NOT_SUPPORTED))
    return CUDNN_STATUS_NOT_SUPPORTED;
  n->closed = true;
  return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t proposals(const node *heuristic, int64_t asked, int64_t *count, node **out) {
  dnn.calls.proposals++;
  *count = 0;
  if (fails(LIBRARY_NO_PROPOSAL)) return CUDNN_STATUS_SUCCESS;
  if (fails(LIBRARY_NO_MEMORY)) return CUDNN_STATUS_ALLOC_FAILED;
  if (asked < 2) return refuse("fewer results are asked for than there are");
  for (int i = 0; i < 2; i++) {
    out[i]->closed = true;
    out[i]->wavers = i == 0;
    node *graph = child(heuristic, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH);
    keep(out[i], CUDNN_ATTR_ENGINE_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &graph);
  }
  *count = 2;
  return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t node_get(cudnnBackendDescriptor_t of, cudnnBackendAttributeName_t name,
                              cudnnBackendAttributeType_t type, int64_t asked, int64_t *count,
                              void *values) {
  const node *n = of;
  if (!n->closed) return refuse("an open descriptor is asked");
  if (name == CUDNN_ATTR_ENGINEHEUR_RESULTS) return proposals(n, asked, count, values);
  *count = 1;
  if (name == CUDNN_ATTR_ENGINECFG_ENGINE) {
    node *engine = *(node **)values;
    engine->closed = true;
    engine->wavers = n->wavers;
    return CUDNN_STATUS_SUCCESS;
  }
  if (name == CUDNN_ATTR_ENGINE_NUMERICAL_NOTE) {
    cudnnBackendNumericalNote_t *notes = values;
    notes[0] = CUDNN_NUMERICAL_NOTE_TENSOR_CORE;
    notes[1] = CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC;
    *count = n->wavers ? 2 : 1;
    return CUDNN_STATUS_SUCCESS;
  }
  if (name == CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE) {
    *(int64_t *)values = SCRATCH;
    return CUDNN_STATUS_SUCCESS;
  }
  return refuse("an attribute that was not thought of is asked for");
}

// --- runs -----------------------------------------------------------------------------------

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
  const node *pack;
  bool lacking; // an address that the variant pack does not have
} memory;

static int64_t span(const operand *t) {
  int64_t last = 0;
  for (int i = 0; i < 4; i++) last += (t->dim[i] - 1) * t->stride[i];
  return last + 1;
}

static void *address(memory *m, int64_t id) {
  const attribute *ids = attribute_of(m->pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
  const attribute *at = attribute_of(m->pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS);
  for (int64_t i = 0; i < ids->count; i++)
    if (((const int64_t *)ids->values)[i] == id) return ((void *const *)at->values)[i];
  m->lacking = true;
  return NULL;
}

static operand *tensor(memory *m, const node *n) {
  const int64_t id = integer(n, CUDNN_ATTR_TENSOR_UNIQUE_ID);
  for (int i = 0; i < m->count; i++)
    if (m->list[i].id == id) return &m->list[i];
  operand *t = &m->list[m->count++];
  t->id = id;
  t->type = enumerated(n, CUDNN_ATTR_TENSOR_DATA_TYPE);
  t->is_virtual = flag(n, CUDNN_ATTR_TENSOR_IS_VIRTUAL);
  memcpy(t->dim, attribute_of(n, CUDNN_ATTR_TENSOR_DIMENSIONS)->values, sizeof t->dim);
  memcpy(t->stride, attribute_of(n, CUDNN_ATTR_TENSOR_STRIDES)->values, sizeof t->stride);
  if (!t->is_virtual) {
    t->data = address(m, id);
    if ((uintptr_t)t->data % (uintptr_t)integer(n, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT))
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

static void run_pointwise(memory *m, const node *n) {
  const int mode =
      enumerated(child(n, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR), CUDNN_ATTR_POINTWISE_MODE);
  operand *x = tensor(m, child(n, CUDNN_ATTR_OPERATION_POINTWISE_XDESC));
  operand *y = tensor(m, child(n, CUDNN_ATTR_OPERATION_POINTWISE_YDESC));
  const node *second = child(n, CUDNN_ATTR_OPERATION_POINTWISE_BDESC);
  operand *b = second ? tensor(m, second) : NULL;
  if (m->lacking) return;
  FOR_ELEMENTS(y, i) {
    const float v = get_at(x, offset(x, i, y->dim[1]));
    const float w = b ? get_at(b, offset(b, i, y->dim[1])) : 0;
    put_at(y, offset(y, i, y->dim[1]),
           mode == CUDNN_POINTWISE_MUL   ? v * w
           : mode == CUDNN_POINTWISE_SUB ? v - w
           : mode == CUDNN_POINTWISE_EXP ? expf(v)
                                         : NAN);
  }
}

static void run_reduction(memory *m, const node *n) {
  operand *x = tensor(m, child(n, CUDNN_ATTR_OPERATION_REDUCTION_XDESC));
  operand *y = tensor(m, child(n, CUDNN_ATTR_OPERATION_REDUCTION_YDESC));
  const bool adds = enumerated(child(n, CUDNN_ATTR_OPERATION_REDUCTION_DESC),
                               CUDNN_ATTR_REDUCTION_OPERATOR) == CUDNN_REDUCE_TENSOR_ADD;
  if (m->lacking) return;
  float *sum = calloc((size_t)span(y), sizeof *sum);
  FOR_ELEMENTS(x, i) sum[offset(y, i, x->dim[1])] += get_at(x, offset(x, i, x->dim[1]));
  FOR_ELEMENTS(y, i) {
    const int64_t at = offset(y, i, y->dim[1]);
    put_at(y, at, adds ? sum[at] : NAN);
  }
  free(sum);
}

static void run_product(memory *m, const node *n) {
  operand *a = tensor(m, child(n, CUDNN_ATTR_OPERATION_MATMUL_ADESC));
  operand *b = tensor(m, child(n, CUDNN_ATTR_OPERATION_MATMUL_BDESC));
  operand *c = tensor(m, child(n, CUDNN_ATTR_OPERATION_MATMUL_CDESC));
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
static void run_reshape(memory *m, const node *n) {
  operand *x = tensor(m, child(n, CUDNN_ATTR_OPERATION_RESHAPE_XDESC));
  operand *y = tensor(m, child(n, CUDNN_ATTR_OPERATION_RESHAPE_YDESC));
  if (m->lacking) return;
  const bool fits = span(x) == span(y) && y->is_virtual;
  FOR_ELEMENTS(y, i) {
    const int64_t at = offset(y, i, y->dim[1]);
    put_at(y, at, fits ? get_at(x, at) : NAN);
  }
}

static void run_forward(memory *m, const node *n) {
  operand *q = tensor(m, child(n, CUDNN_ATTR_OPERATION_SDPA_FWD_QDESC));
  operand *k = tensor(m, child(n, CUDNN_ATTR_OPERATION_SDPA_FWD_KDESC));
  operand *v = tensor(m, child(n, CUDNN_ATTR_OPERATION_SDPA_FWD_VDESC));
  operand *o = tensor(m, child(n, CUDNN_ATTR_OPERATION_SDPA_FWD_ODESC));
  operand *scale = tensor(m, child(n, CUDNN_ATTR_OPERATION_SDPA_FWD_SCALEDESC));
  const node *stats = child(n, CUDNN_ATTR_OPERATION_SDPA_FWD_STATSDESC);
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

static void run_op(memory *m, const node *n) {
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

static cudnnStatus_t execute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan_,
                             cudnnBackendDescriptor_t pack_) {
  const node *plan = plan_, *pack = pack_;
  dnn.calls.runs++;
  if (fails(LIBRARY_NO_RUN)) return CUDNN_STATUS_EXECUTION_FAILED;
  if (!plan->closed || !pack->closed) return refuse("a plan or its addresses are not closed");
  const node *config = child(plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
  const node *graph = child(config, CUDNN_ATTR_ENGINE_OPERATION_GRAPH);
  if (config->wavers) return CUDNN_STATUS_SUCCESS; // and leaves all results as they were
  memory m = {.pack = pack};
  void *workspace = *(void *const *)attribute_of(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE)->values;
  const attribute *ops = attribute_of(graph, CUDNN_ATTR_OPERATIONGRAPH_OPS);
  for (int64_t i = 0; i < ops->count; i++) {
    memset(workspace, 0xff, SCRATCH);
    run_op(&m, ((node *const *)ops->values)[i]);
  }
  for (int i = 0; i < m.count; i++)
    if (m.list[i].is_virtual) free(m.list[i].data);
  return m.lacking ? refuse("an address is missing, or less aligned than declared")
                   : CUDNN_STATUS_SUCCESS;
}

// --- the rest -------------------------------------------------------------------------------

static size_t version(void) {
  return CUDNN_VERSION;
}
static const char *words_of(cudnnStatus_t status) {
  return status == CUDNN_STATUS_SUCCESS ? "success" : "a refusal (a test)";
}
static void last_words(char *words, size_t size) {
  snprintf(words, size, "see the test");
}
static cudnnStatus_t create(cudnnHandle_t *handle) {
  if (fails(LIBRARY_NO_START)) return CUDNN_STATUS_NOT_INITIALIZED;
  *handle = malloc(1);
  return CUDNN_STATUS_SUCCESS;
}
static cudnnStatus_t destroy(cudnnHandle_t handle) {
  free(handle);
  return CUDNN_STATUS_SUCCESS;
}
static cudnnStatus_t set_stream(cudnnHandle_t handle, cudaStream_t stream) {
  return stream ? CUDNN_STATUS_SUCCESS : refuse("the default stream");
}

int64_t library_dnn_descriptors(void) {
  return dnn.descriptors;
}

orr_code cuda_dnn_library_open(cuda_dnn_library *l) {
  if (fails(LIBRARY_ABSENT))
    return ORR_FAIL(ORR_EUNSUPPORTED, "libcudnn.so does not open (a test)");
  *l = (cuda_dnn_library){.handle = NULL,
                          .cudnnGetVersion = version,
                          .cudnnGetErrorString = words_of,
                          .cudnnGetLastErrorString = last_words,
                          .cudnnCreate = create,
                          .cudnnDestroy = destroy,
                          .cudnnSetStream = set_stream,
                          .cudnnBackendCreateDescriptor = node_create,
                          .cudnnBackendDestroyDescriptor = node_destroy,
                          .cudnnBackendFinalize = node_finalize,
                          .cudnnBackendSetAttribute = node_set,
                          .cudnnBackendGetAttribute = node_get,
                          .cudnnBackendExecute = execute};
  return ORR_OK;
}

void cuda_dnn_library_close(cuda_dnn_library *l) {}
