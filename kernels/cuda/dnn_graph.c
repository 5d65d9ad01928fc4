#include "kernels/cuda/dnn_graph.h"

#include <string.h>

enum {
  MOST_ENGINES = 16,
  ALIGNMENT = 16, // of matrices; statistics may begin at any float
};

static bool failed(cuda_dnn_graph *g, cudnnStatus_t status, const char *what) {
  if (g->rc != ORR_OK) return true;
  if (status == CUDNN_STATUS_SUCCESS) return false;
  char words[512] = "";
  g->dnn->cudnnGetLastErrorString(words, sizeof words);
  g->rc = ORR_FAIL(status == CUDNN_STATUS_ALLOC_FAILED ? ORR_ENOMEM : ORR_EUNSUPPORTED,
                   "kernels: cuDNN cannot %s: %s%s%s", what, g->dnn->cudnnGetErrorString(status),
                   *words ? ", " : "", words);
  return true;
}

cuda_dnn_node cuda_dnn_make(cuda_dnn_graph *g, cudnnBackendDescriptorType_t type) {
  cuda_dnn_node node = NULL;
  if (g->rc != ORR_OK) return NULL;
  if (g->count == CUDA_DNN_MOST) {
    g->rc = ORR_FAIL(ORR_EINVAL, "kernels: a graph of more than %d descriptors", g->count);
    return NULL;
  }
  if (failed(g, g->dnn->cudnnBackendCreateDescriptor(type, &node), "create a descriptor"))
    return NULL;
  g->kept[g->count++] = node;
  return node;
}

void cuda_dnn_set(cuda_dnn_graph *g, cuda_dnn_node node, cudnnBackendAttributeName_t name,
                  cudnnBackendAttributeType_t type, int64_t count, const void *values) {
  if (g->rc != ORR_OK) return;
  (void)failed(g, g->dnn->cudnnBackendSetAttribute(node, name, type, count, values),
               "set an attribute");
}

void cuda_dnn_finish(cuda_dnn_graph *g, cuda_dnn_node node) {
  if (g->rc != ORR_OK) return;
  (void)failed(g, g->dnn->cudnnBackendFinalize(node), "close a descriptor");
}

cuda_dnn_node cuda_dnn_tensor(cuda_dnn_graph *g, const cuda_dnn_tensor_spec *t) {
  const int64_t alignment = t->type == CUDNN_DATA_FLOAT ? (int64_t)sizeof(float) : ALIGNMENT;
  cuda_dnn_node node = cuda_dnn_make(g, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  cuda_dnn_set(g, node, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &t->id);
  cuda_dnn_set(g, node, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &t->type);
  cuda_dnn_set(g, node, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment);
  cuda_dnn_set(g, node, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, t->dim);
  cuda_dnn_set(g, node, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, t->stride);
  cuda_dnn_set(g, node, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &t->is_virtual);
  if (t->by_value)
    cuda_dnn_set(g, node, CUDNN_ATTR_TENSOR_IS_BY_VALUE, CUDNN_TYPE_BOOLEAN, 1, &t->by_value);
  cuda_dnn_finish(g, node);
  return node;
}

cuda_dnn_node cuda_dnn_op(cuda_dnn_graph *g, cudnnBackendDescriptorType_t type,
                          const cuda_dnn_port *port, int ports) {
  if (g->rc == ORR_OK && g->ops == CUDA_DNN_MOST_OPS)
    g->rc = ORR_FAIL(ORR_EINVAL, "kernels: a graph of more than %d operations", g->ops);
  cuda_dnn_node node = cuda_dnn_make(g, type);
  for (int i = 0; i < ports; i++)
    if (port[i].node)
      cuda_dnn_set(g, node, port[i].name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &port[i].node);
  cuda_dnn_finish(g, node);
  if (g->rc == ORR_OK) g->op[g->ops++] = node;
  return node;
}

// -- plans ----------------------------------------------------------------------------------

static cuda_dnn_node close_graph(cuda_dnn_graph *g) {
  cuda_dnn_node graph = cuda_dnn_make(g, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  if (g->handle)
    cuda_dnn_set(g, graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &g->handle);
  cuda_dnn_set(g, graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, g->ops,
               g->op);
  cuda_dnn_finish(g, graph);
  return graph;
}

// Whether the engine of a configuration says that it may give other bits each time.
static bool wavers(cuda_dnn_graph *g, cuda_dnn_node config) {
  cudnnBackendNumericalNote_t note[CUDNN_NUMERICAL_NOTE_TYPE_COUNT];
  int64_t count = 0;
  cuda_dnn_node engine = cuda_dnn_make(g, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  if (g->rc != ORR_OK) return true;
  if (failed(g,
             g->dnn->cudnnBackendGetAttribute(config, CUDNN_ATTR_ENGINECFG_ENGINE,
                                              CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &count, &engine),
             "name an engine") ||
      failed(g,
             g->dnn->cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                                              CUDNN_TYPE_NUMERICAL_NOTE,
                                              CUDNN_NUMERICAL_NOTE_TYPE_COUNT, &count, note),
             "describe an engine"))
    return true;
  for (int64_t i = 0; i < count; i++)
    if (note[i] == CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC) return true;
  return false;
}

static cudnnStatus_t try_plan(cuda_dnn_graph *g, cuda_dnn_node config, cuda_dnn_node *plan,
                              int64_t *workspace) {
  const cuda_dnn_library *dnn = g->dnn;
  int64_t count = 0;
  cudnnStatus_t status =
      dnn->cudnnBackendCreateDescriptor(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, plan);
  if (status != CUDNN_STATUS_SUCCESS) return status;
  if (g->handle)
    status = dnn->cudnnBackendSetAttribute(*plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE,
                                           CUDNN_TYPE_HANDLE, 1, &g->handle);
  else
    status = dnn->cudnnBackendSetAttribute(*plan, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP,
                                           CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &g->properties);
  if (status == CUDNN_STATUS_SUCCESS)
    status = dnn->cudnnBackendSetAttribute(*plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG,
                                           CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &config);
  if (status == CUDNN_STATUS_SUCCESS) status = dnn->cudnnBackendFinalize(*plan);
  if (status == CUDNN_STATUS_SUCCESS)
    status = dnn->cudnnBackendGetAttribute(*plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                                           CUDNN_TYPE_INT64, 1, &count, workspace);
  if (status == CUDNN_STATUS_SUCCESS) return status;
  dnn->cudnnBackendDestroyDescriptor(*plan);
  *plan = NULL;
  return status;
}

// A step of putting the choice together; refusals are no error of the graph.
static bool set_one(const cuda_dnn_graph *g, cuda_dnn_node node, cudnnBackendAttributeName_t name,
                    cudnnBackendAttributeType_t type, int64_t count, const void *values) {
  return g->dnn->cudnnBackendSetAttribute(node, name, type, count, values) == CUDNN_STATUS_SUCCESS;
}

static bool close_one(const cuda_dnn_graph *g, cuda_dnn_node node) {
  return g->dnn->cudnnBackendFinalize(node) == CUDNN_STATUS_SUCCESS;
}

static bool set_engine(cuda_dnn_graph *g, cuda_dnn_node graph, int64_t number,
                       cuda_dnn_node engine) {
  return set_one(g, engine, CUDNN_ATTR_ENGINE_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
                 &graph) &&
         set_one(g, engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1, &number) &&
         (g->handle || set_one(g, engine, CUDNN_ATTR_ENGINE_DEVICEPROP,
                               CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &g->properties)) &&
         close_one(g, engine);
}

// *config (=) the choice as a configuration of an engine. False: this library has none such, or
// memory ran out, which g->rc tells.
static bool choose(cuda_dnn_graph *g, cuda_dnn_node graph, const cuda_dnn_choice *choice,
                   cuda_dnn_node *config) {
  cuda_dnn_node knob[CUDA_DNN_MOST_KNOBS];
  cuda_dnn_node engine = cuda_dnn_make(g, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  *config = cuda_dnn_make(g, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
  for (int i = 0; i < choice->knobs; i++)
    knob[i] = cuda_dnn_make(g, CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR);
  if (g->rc != ORR_OK || !set_engine(g, graph, choice->engine, engine)) return false;
  for (int i = 0; i < choice->knobs; i++)
    if (!set_one(g, knob[i], CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE, 1,
                 &choice->knob[i].type) ||
        !set_one(g, knob[i], CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, CUDNN_TYPE_INT64, 1,
                 &choice->knob[i].value) ||
        !close_one(g, knob[i]))
      return false;
  return set_one(g, *config, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
                 &engine) &&
         set_one(g, *config, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                 choice->knobs, knob) &&
         close_one(g, *config);
}

// config [MOST_ENGINES]: what cuDNN's heuristic proposes, best first.
static int64_t propose(cuda_dnn_graph *g, cuda_dnn_node graph, cuda_dnn_node *config) {
  static const cudnnBackendHeurMode_t mode = CUDNN_HEUR_MODE_A;
  int64_t count = 0;
  cuda_dnn_node heuristic = cuda_dnn_make(g, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  cuda_dnn_set(g, heuristic, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR,
               1, &graph);
  cuda_dnn_set(g, heuristic, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
  if (!g->handle)
    cuda_dnn_set(g, heuristic, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
                 &g->properties);
  cuda_dnn_finish(g, heuristic);
  for (int i = 0; i < MOST_ENGINES; i++)
    config[i] = cuda_dnn_make(g, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
  if (g->rc != ORR_OK || failed(g,
                                g->dnn->cudnnBackendGetAttribute(
                                    heuristic, CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                    CUDNN_TYPE_BACKEND_DESCRIPTOR, MOST_ENGINES, &count, config),
                                "propose engines"))
    return 0;
  return count;
}

orr_code cuda_dnn_plan(cuda_dnn_graph *g, const cuda_dnn_choice *choice, cuda_dnn_node *plan,
                       int64_t *workspace) {
  cuda_dnn_node chosen, config[MOST_ENGINES];
  cudnnStatus_t last = CUDNN_STATUS_NOT_SUPPORTED;
  *plan = NULL;
  *workspace = 0;
  cuda_dnn_node graph = close_graph(g);
  if (g->rc == ORR_OK && choice && choose(g, graph, choice, &chosen) &&
      try_plan(g, chosen, plan, workspace) == CUDNN_STATUS_SUCCESS)
    return ORR_OK;
  const int64_t count = propose(g, graph, config);
  for (int64_t i = 0; i < count; i++) {
    if (wavers(g, config[i])) continue;
    last = try_plan(g, config[i], plan, workspace);
    if (last == CUDNN_STATUS_SUCCESS) return ORR_OK;
  }
  ORR_TRY(g->rc);
  (void)failed(g, last, "plan an operation in a reproducible way");
  return g->rc;
}

void cuda_dnn_release(cuda_dnn_graph *g) {
  for (int i = g->count - 1; i >= 0; i--) g->dnn->cudnnBackendDestroyDescriptor(g->kept[i]);
  g->count = g->ops = 0;
}
