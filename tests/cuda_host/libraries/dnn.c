// cuDNN's backend interface: descriptors keep every attribute (dnn_node.h); closing one asks for
// those that its kind must have. A plan runs its graph (dnn_run.h). Of two engines proposed the
// first says that it may give other bits each time, and is wrong, so that whoever takes it is seen.
// On B200 and B300 there is engine 5 besides, which is never proposed and takes backward graphs,
// set in one way alone.
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernels/cuda/library.h"
#include "tests/cuda_host/host.h"
#include "tests/cuda_host/libraries/dnn_node.h"
#include "tests/cuda_host/libraries/dnn_run.h"
#include "tests/cuda_host/libraries/libraries.h"

library_dnn_install library_dnn_here = {CUDNN_VERSION, 13000, true};

static struct {
  library_fault fault;
  library_calls calls;
  int64_t engine; // of the last run
} dnn;

void library_dnn_fail(library_fault fault) {
  dnn.fault = fault;
}

library_calls library_dnn_calls(void) {
  const library_calls calls = dnn.calls;
  dnn.calls = (library_calls){0};
  return calls;
}

int64_t library_dnn_engine(void) {
  return dnn.engine;
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

// -- descriptors ----------------------------------------------------------------------------

static cudnnStatus_t descriptor_set(cudnnBackendDescriptor_t of, cudnnBackendAttributeName_t name,
                                    cudnnBackendAttributeType_t type, int64_t count,
                                    const void *values) {
  dnn_node *n = of;
  if (n->closed) return refuse("an attribute is set on a closed descriptor");
  if (n->count == DNN_NODE_ATTRIBUTES) return refuse("more attributes than were thought of");
  if (type == CUDNN_TYPE_BACKEND_DESCRIPTOR)
    for (int64_t i = 0; i < count; i++) {
      const dnn_node *c = ((dnn_node *const *)values)[i];
      if (!c || !c->closed) return refuse("a descriptor is used before it is closed");
    }
  dnn_node_keep(n, name, type, count, values);
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
    {CUDNN_BACKEND_ENGINE_DESCRIPTOR,
     {CUDNN_ATTR_ENGINE_OPERATION_GRAPH, CUDNN_ATTR_ENGINE_GLOBAL_INDEX}},
    {CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR,
     {CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE}},
    {CUDNN_BACKEND_ENGINECFG_DESCRIPTOR,
     {CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES}},
    {CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR,
     {CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS,
      CUDNN_ATTR_VARIANT_PACK_WORKSPACE}},
};

static bool is_set(const dnn_node *config, cudnnBackendKnobType_t type, int64_t value) {
  const dnn_attribute *knobs = dnn_node_attribute(config, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES);
  for (int64_t i = 0; i < knobs->count; i++) {
    const dnn_node *k = ((dnn_node *const *)knobs->values)[i];
    if (dnn_node_enumerated(k, CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE) == (int)type)
      return dnn_node_integer(k, CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE) == value;
  }
  return false;
}

// Whether this device and version have the engine, so set.
static bool exists(const dnn_node *config) {
  const int sm = 10 * cuda_host_here.major + cuda_host_here.minor;
  const dnn_node *engine = dnn_node_child(config, CUDNN_ATTR_ENGINECFG_ENGINE);
  if (sm < 100 || sm > 103 || library_dnn_here.version < 91800 ||
      dnn_node_integer(engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX) != 5)
    return false;
  return is_set(config, CUDNN_KNOB_TYPE_STAGES, 2) &&
         (library_dnn_here.version < 92300 ? is_set(config, CUDNN_KNOB_TYPE_KERNEL_CFG, 31)
                                           : is_set(config, CUDNN_KNOB_TYPE_KERNEL_CFG, 2) &&
                                                 is_set(config, CUDNN_KNOB_TYPE_TILE_M, 3) &&
                                                 is_set(config, CUDNN_KNOB_TYPE_TILE_N, 2));
}

static cudnnStatus_t descriptor_close(cudnnBackendDescriptor_t of) {
  dnn_node *n = of;
  const kind *k = kinds, *end = kinds + sizeof kinds / sizeof *kinds;
  while (k < end && k->type != n->type) k++;
  if (k == end) return refuse("a kind of descriptor that was not thought of");
  // 0 ends the list, and is an attribute of pointwise descriptors, whose list begins with it
  for (int i = 0; i < 10 && (k->must[i] || i == 0); i++)
    if (!dnn_node_attribute(n, k->must[i])) return refuse("a descriptor lacks an attribute");
  if (n->type == CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR && fails(LIBRARY_NOT_SUPPORTED))
    return CUDNN_STATUS_NOT_SUPPORTED;
  if (n->type == CUDNN_BACKEND_ENGINECFG_DESCRIPTOR && !exists(n))
    return CUDNN_STATUS_NOT_SUPPORTED;
  n->closed = true;
  return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t proposals(const dnn_node *heuristic, int64_t asked, int64_t *count,
                               dnn_node **out) {
  dnn.calls.proposals++;
  *count = 0;
  if (fails(LIBRARY_NO_PROPOSAL) || !library_dnn_here.compiler) return CUDNN_STATUS_SUCCESS;
  if (fails(LIBRARY_NO_MEMORY)) return CUDNN_STATUS_ALLOC_FAILED;
  if (asked < 2) return refuse("fewer results are asked for than there are");
  for (int i = 0; i < 2; i++) {
    out[i]->closed = true;
    out[i]->wavers = i == 0;
    dnn_node *graph = dnn_node_child(heuristic, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH);
    dnn_node_keep(out[i], CUDNN_ATTR_ENGINE_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
                  &graph);
  }
  *count = 2;
  return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t descriptor_get(cudnnBackendDescriptor_t of, cudnnBackendAttributeName_t name,
                                    cudnnBackendAttributeType_t type, int64_t asked, int64_t *count,
                                    void *values) {
  const dnn_node *n = of;
  if (!n->closed) return refuse("an open descriptor is asked");
  if (name == CUDNN_ATTR_ENGINEHEUR_RESULTS) return proposals(n, asked, count, values);
  *count = 1;
  if (name == CUDNN_ATTR_ENGINECFG_ENGINE) {
    dnn_node *engine = *(dnn_node **)values;
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
    *(int64_t *)values = DNN_RUN_SCRATCH;
    return CUDNN_STATUS_SUCCESS;
  }
  return refuse("an attribute that was not thought of is asked for");
}

// A graph under way, which keeps what it needs of its descriptors.
typedef struct {
  dnn_node *graph, *pack;
} execution;

static int run(void *context) {
  const execution *e = context;
  return dnn_run(e->graph, e->pack) ? 0 : 1;
}

static void release(void *context) {
  const execution *e = context;
  dnn_node_destroy(e->graph);
  dnn_node_destroy(e->pack);
}

static cudnnStatus_t execute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan_,
                             cudnnBackendDescriptor_t pack_) {
  dnn_node *plan = plan_, *pack = pack_;
  dnn.calls.runs++;
  if (fails(LIBRARY_NO_RUN)) return CUDNN_STATUS_EXECUTION_FAILED;
  if (!plan->closed || !pack->closed) return refuse("a plan or its addresses are not closed");
  const dnn_node *config = dnn_node_child(plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
  const dnn_node *chosen = dnn_node_child(config, CUDNN_ATTR_ENGINECFG_ENGINE); // not proposed
  dnn_node *graph = dnn_node_child(chosen ? chosen : config, CUDNN_ATTR_ENGINE_OPERATION_GRAPH);
  dnn.engine = chosen ? dnn_node_integer(chosen, CUDNN_ATTR_ENGINE_GLOBAL_INDEX) : config->wavers;
  if (config->wavers) return CUDNN_STATUS_SUCCESS; // and leaves all results as they were
  const execution e = {graph, pack};
  graph->refs++;
  pack->refs++;
  return cuda_host_do(*(cudaStream_t *)handle, run, release, &e, sizeof e) == 0
             ? CUDNN_STATUS_SUCCESS
             : refuse("an address is missing, or less aligned than declared");
}

// -- the rest -------------------------------------------------------------------------------

static size_t version(void) {
  return library_dnn_here.version;
}
static size_t cudart(void) {
  return library_dnn_here.cudart;
}
static const char *words_of(cudnnStatus_t status) {
  return status == CUDNN_STATUS_SUCCESS ? "success" : "a refusal (a test)";
}
static void last_words(char *words, size_t size) {
  snprintf(words, size, "see the test");
}
static cudnnStatus_t create(cudnnHandle_t *handle) {
  if (fails(LIBRARY_NO_START)) return CUDNN_STATUS_NOT_INITIALIZED;
  *handle = calloc(1, sizeof(cudaStream_t));
  return CUDNN_STATUS_SUCCESS;
}
static cudnnStatus_t destroy(cudnnHandle_t handle) {
  free(handle);
  return CUDNN_STATUS_SUCCESS;
}
static cudnnStatus_t set_stream(cudnnHandle_t handle, cudaStream_t stream) {
  *(cudaStream_t *)handle = stream;
  return stream ? CUDNN_STATUS_SUCCESS : refuse("the default stream");
}

orr_code cuda_dnn_library_open(cuda_dnn_library *l) {
  if (fails(LIBRARY_ABSENT))
    return ORR_FAIL(ORR_EUNSUPPORTED, "libcudnn.so does not open (a test)");
  *l = (cuda_dnn_library){.handle = NULL,
                          .compiler = library_dnn_here.compiler ? &library_dnn_here : NULL,
                          .cudnnGetVersion = version,
                          .cudnnGetCudartVersion = cudart,
                          .cudnnGetErrorString = words_of,
                          .cudnnGetLastErrorString = last_words,
                          .cudnnCreate = create,
                          .cudnnDestroy = destroy,
                          .cudnnSetStream = set_stream,
                          .cudnnBackendCreateDescriptor = dnn_node_create,
                          .cudnnBackendDestroyDescriptor = dnn_node_destroy,
                          .cudnnBackendFinalize = descriptor_close,
                          .cudnnBackendSetAttribute = descriptor_set,
                          .cudnnBackendGetAttribute = descriptor_get,
                          .cudnnBackendExecute = execute};
  return ORR_OK;
}

void cuda_dnn_library_close(cuda_dnn_library *l) {}
