#include "tests/cuda_host/libraries/dnn_node.h"

#include <stdlib.h>
#include <string.h>

#include "tests/cuda_host/libraries/libraries.h"

static int64_t live;

int64_t library_dnn_descriptors(void) {
  return live;
}

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

const dnn_attribute *dnn_node_attribute(const dnn_node *n, cudnnBackendAttributeName_t name) {
  for (int i = 0; i < n->count; i++)
    if (n->list[i].name == name) return &n->list[i];
  return NULL;
}

dnn_node *dnn_node_child(const dnn_node *n, cudnnBackendAttributeName_t name) {
  const dnn_attribute *a = dnn_node_attribute(n, name);
  return a ? *(dnn_node *const *)a->values : NULL;
}

int64_t dnn_node_integer(const dnn_node *n, cudnnBackendAttributeName_t name) {
  return *(const int64_t *)dnn_node_attribute(n, name)->values;
}

int dnn_node_enumerated(const dnn_node *n, cudnnBackendAttributeName_t name) {
  return *(const int *)dnn_node_attribute(n, name)->values;
}

bool dnn_node_flag(const dnn_node *n, cudnnBackendAttributeName_t name) {
  const dnn_attribute *a = dnn_node_attribute(n, name);
  return a && *(const bool *)a->values;
}

cudnnStatus_t dnn_node_create(cudnnBackendDescriptorType_t type, cudnnBackendDescriptor_t *out) {
  dnn_node *n = calloc(1, sizeof *n);
  n->type = type;
  n->refs = 1;
  live++;
  *out = n;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t dnn_node_destroy(cudnnBackendDescriptor_t of) {
  dnn_node *n = of;
  if (--n->refs > 0) return CUDNN_STATUS_SUCCESS;
  for (int i = 0; i < n->count; i++) {
    const dnn_attribute *a = &n->list[i];
    for (int64_t c = 0; a->type == CUDNN_TYPE_BACKEND_DESCRIPTOR && c < a->count; c++)
      dnn_node_destroy(((dnn_node *const *)a->values)[c]);
    free(a->values);
  }
  free(n);
  live--;
  return CUDNN_STATUS_SUCCESS;
}

void dnn_node_keep(dnn_node *n, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                   int64_t count, const void *values) {
  dnn_attribute *a = &n->list[n->count++];
  *a = (dnn_attribute){name, type, count, malloc((size_t)count * element_size(type) + 1)};
  memcpy(a->values, values, (size_t)count * element_size(type));
  for (int64_t c = 0; type == CUDNN_TYPE_BACKEND_DESCRIPTOR && c < count; c++)
    ((dnn_node *const *)values)[c]->refs++;
}
