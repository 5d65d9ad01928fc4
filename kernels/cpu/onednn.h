// The one place that knows which oneDNN C API this build has: 2.x (op descriptors, memory
// descriptors by value) or 3.x (primitive descriptors at once, opaque memory descriptors).
// Every function returns oneDNN's status.
#ifndef KERNELS_CPU_ONEDNN_H
#define KERNELS_CPU_ONEDNN_H

#include <dnnl.h>

#if DNNL_VERSION_MAJOR >= 3
typedef const_dnnl_memory_desc_t onednn_desc_ref;
typedef dnnl_primitive_desc_t onednn_pd;
#define ONEDNN_REF(desc) (desc)
#else
typedef const dnnl_memory_desc_t *onednn_desc_ref;
typedef dnnl_primitive_desc_t onednn_pd;
#define ONEDNN_REF(desc) (&(desc))
#endif

// A matrix [rows, cols] with strides in elements.
static inline dnnl_status_t onednn_desc_strided(dnnl_memory_desc_t *out, dnnl_data_type_t type,
                                                int64_t rows, int64_t cols, int64_t row_stride,
                                                int64_t col_stride) {
  const dnnl_dims_t dims = {rows, cols}, strides = {row_stride, col_stride};
#if DNNL_VERSION_MAJOR >= 3
  return dnnl_memory_desc_create_with_strides(out, 2, dims, type, strides);
#else
  return dnnl_memory_desc_init_by_strides(out, 2, dims, type, strides);
#endif
}

// A matrix [rows, cols] in whatever layout the primitive likes best.
static inline dnnl_status_t onednn_desc_any(dnnl_memory_desc_t *out, dnnl_data_type_t type,
                                            int64_t rows, int64_t cols) {
  const dnnl_dims_t dims = {rows, cols};
#if DNNL_VERSION_MAJOR >= 3
  return dnnl_memory_desc_create_with_tag(out, 2, dims, type, dnnl_format_tag_any);
#else
  return dnnl_memory_desc_init_by_tag(out, 2, dims, type, dnnl_format_tag_any);
#endif
}

static inline void onednn_desc_destroy(dnnl_memory_desc_t desc) {
#if DNNL_VERSION_MAJOR >= 3
  if (desc) dnnl_memory_desc_destroy(desc);
#else
  (void)desc;
#endif
}

static inline dnnl_status_t onednn_append_sum(dnnl_post_ops_t ops) {
#if DNNL_VERSION_MAJOR >= 3
  return dnnl_post_ops_append_sum(ops, 1.0f, 0, dnnl_data_type_undef);
#else
  return dnnl_post_ops_append_sum(ops, 1.0f);
#endif
}

// bias may be NULL.
static inline dnnl_status_t onednn_matmul_pd(onednn_pd *out, dnnl_engine_t engine,
                                             onednn_desc_ref a, onednn_desc_ref b,
                                             onednn_desc_ref bias, onednn_desc_ref c,
                                             const_dnnl_primitive_attr_t attr) {
#if DNNL_VERSION_MAJOR >= 3
  return dnnl_matmul_primitive_desc_create(out, engine, a, b, bias, c, attr);
#else
  dnnl_matmul_desc_t op;
  dnnl_status_t status = dnnl_matmul_desc_init(&op, a, b, bias, c);
  return status ? status : dnnl_primitive_desc_create(out, &op, attr, engine, NULL);
#endif
}

#if DNNL_VERSION_MAJOR >= 3
#define ONEDNN_EVERY_ISA dnnl_cpu_isa_default
#else
#define ONEDNN_EVERY_ISA dnnl_cpu_isa_all
#endif

#endif
