// Operation graphs of cuDNN's backend interface, put together and turned into plans.
//
// A graph collects descriptors; the first call that fails records why and makes the others do
// nothing, so a builder reads straight down and asks once, at the end.
#ifndef KERNELS_CUDA_DNN_GRAPH_H
#define KERNELS_CUDA_DNN_GRAPH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "kernels/cuda/library.h"

enum { CUDA_DNN_MOST = 128, CUDA_DNN_MOST_OPS = 24, CUDA_DNN_MOST_KNOBS = 6 };

typedef struct {
  const cuda_dnn_library *dnn;
  cudnnHandle_t handle;                // NULL: the plan is for `properties`
  cudnnBackendDescriptor_t properties; // of a device that need not be there; NULL: the handle's
  orr_code rc;
  cudnnBackendDescriptor_t kept[CUDA_DNN_MOST];
  int count;
  cudnnBackendDescriptor_t op[CUDA_DNN_MOST_OPS];
  int ops;
} cuda_dnn_graph;

typedef cudnnBackendDescriptor_t cuda_dnn_node;

// A tensor of four dimensions. Virtual ones exist inside the graph only; one by value is a single
// float of the host.
typedef struct {
  int64_t id;
  cudnnDataType_t type;
  int64_t dim[4], stride[4];
  bool is_virtual, by_value;
} cuda_dnn_tensor_spec;

// An attribute of an operation that is a descriptor.
typedef struct {
  cudnnBackendAttributeName_t name;
  cuda_dnn_node node;
} cuda_dnn_port;

// Local. Each returns NULL once the graph has failed; the graph owns what they return.
cuda_dnn_node cuda_dnn_tensor(cuda_dnn_graph *g, const cuda_dnn_tensor_spec *t);
// An operation: `ports` with a NULL node are left out.
cuda_dnn_node cuda_dnn_op(cuda_dnn_graph *g, cudnnBackendDescriptorType_t type,
                          const cuda_dnn_port *port, int ports);
// A descriptor of another kind, to be filled by cuda_dnn_set and closed by cuda_dnn_finish.
cuda_dnn_node cuda_dnn_make(cuda_dnn_graph *g, cudnnBackendDescriptorType_t type);
void cuda_dnn_set(cuda_dnn_graph *g, cuda_dnn_node node, cudnnBackendAttributeName_t name,
                  cudnnBackendAttributeType_t type, int64_t count, const void *values);
void cuda_dnn_finish(cuda_dnn_graph *g, cuda_dnn_node node);

// An engine of cuDNN by its number, and how it is set. What the numbers mean is the library's.
typedef struct {
  int64_t engine;
  int knobs;
  struct {
    cudnnBackendKnobType_t type;
    int64_t value;
  } knob[CUDA_DNN_MOST_KNOBS];
} cuda_dnn_choice;

// Local. The plan of the first engine that takes the graph: `choice`, which may be NULL, then those
// that cuDNN proposes, without those that say of themselves that they may give other bits each
// time. Not all that do say so: whether a result is reproducible must follow from the graph itself.
// The caller ends *plan with cudnnBackendDestroyDescriptor. *workspace (=) bytes. ORR_EUNSUPPORTED
// with cuDNN's words when there is none.
orr_code cuda_dnn_plan(cuda_dnn_graph *g, const cuda_dnn_choice *choice, cuda_dnn_node *plan,
                       int64_t *workspace);
// Local. Destroys what the graph owns.
void cuda_dnn_release(cuda_dnn_graph *g);

#endif
