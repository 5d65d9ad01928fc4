// A descriptor of cuDNN's played backend: the attributes that it was given, each a copy.
// Descriptors that are attributes of others live as long as those do.
#ifndef TESTS_CUDA_HOST_LIBRARIES_DNN_NODE_H
#define TESTS_CUDA_HOST_LIBRARIES_DNN_NODE_H

#include <stdbool.h>
#include <stdint.h>

#include <cudnn.h>

enum { DNN_NODE_ATTRIBUTES = 12 }; // at most

typedef struct {
  cudnnBackendAttributeName_t name;
  cudnnBackendAttributeType_t type;
  int64_t count;
  void *values;
} dnn_attribute;

typedef struct {
  cudnnBackendDescriptorType_t type;
  bool closed, wavers; // wavers: an engine's
  int refs;            // who created it, and the descriptors that it is an attribute of
  int count;
  dnn_attribute list[DNN_NODE_ATTRIBUTES];
} dnn_node;

// The backend's own two calls. library_dnn_descriptors (libraries.h) counts what they leave alive.
cudnnStatus_t dnn_node_create(cudnnBackendDescriptorType_t type, cudnnBackendDescriptor_t *out);
cudnnStatus_t dnn_node_destroy(cudnnBackendDescriptor_t of);

// Adds an attribute; there must be room for it.
void dnn_node_keep(dnn_node *n, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                   int64_t count, const void *values);

// The attribute of that name; NULL: n has none.
const dnn_attribute *dnn_node_attribute(const dnn_node *n, cudnnBackendAttributeName_t name);

// The value of the attribute of that name. Without one a child is NULL, a flag false; the other two
// must be there.
dnn_node *dnn_node_child(const dnn_node *n, cudnnBackendAttributeName_t name);
bool dnn_node_flag(const dnn_node *n, cudnnBackendAttributeName_t name);
int64_t dnn_node_integer(const dnn_node *n, cudnnBackendAttributeName_t name);
int dnn_node_enumerated(const dnn_node *n, cudnnBackendAttributeName_t name);

#endif
