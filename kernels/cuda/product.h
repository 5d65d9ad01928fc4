// Matrix products on cuBLASLt: c[M,N] (=) a[M,K] b[K,N] (+ bias[N]) (+ add[M,N]), one plan a shape:
// descriptors, layouts and the algorithm, found once and kept. Sums are float32; float32 operands
// are not rounded to TF32. Scratch memory is the caller's part of the workspace.
#ifndef KERNELS_CUDA_PRODUCT_H
#define KERNELS_CUDA_PRODUCT_H

#include "kernels/cuda/cuda.h"

// What the addresses and row strides of each matrix are multiples of, in bytes: a power of two, at
// most 16 and at least the size of its elements. Each is a promise of its own: the library leaves
// out what needs more, so the width of one operand must not speak for another.
typedef struct {
  int32_t a, b;
  int32_t c;    // of c and add
  int32_t bias; // 0: there is none
} cuda_product_alignment;

// The shape: also the key of the cache, so it has no padding. Whether something is added is no part
// of it: that is a factor of the run.
typedef struct {
  int64_t M, N, K;
  int64_t lda, ldb, ldc;            // row strides of the matrices as they are stored; add has ldc
  int32_t type;                     // kern_dtype of a and b
  int32_t c_type;                   // of c and add
  int32_t a_transposed;             // a is stored [K,M]
  int32_t b_transposed;             // b is stored [N,K]
  cuda_product_alignment alignment; // a bias is float32, and only where c_type is
} cuda_product_shape;

typedef struct {
  const void *a, *b, *bias;
  const void *add; // of c's type and stride, may be c itself; NULL: c (=)
  void *c;
} cuda_product_operands;

typedef struct cuda_product cuda_product;

// The largest alignments that the operands allow, with the strides of the shape.
cuda_product_alignment cuda_product_aligned(const cuda_product_shape *shape,
                                            const cuda_product_operands *o);
// Local. The plan kept for the shape, made (and counted as late unless k is planning) when it is
// new. k owns it. ORR_ENOMEM; ORR_EUNSUPPORTED names the product.
orr_code cuda_product_find(kern *k, const cuda_product_shape *shape, const cuda_product **out);
// Bytes of scratch that running it needs.
size_t cuda_product_scratch(const cuda_product *product);
// Local, in the order of the stream. `scratch` is 256-byte aligned.
orr_code cuda_product_run(kern *k, const cuda_product *product, const cuda_product_operands *o,
                          void *scratch);

// The plans of one kern. ORR_EUNSUPPORTED where cuBLASLt does not open.
orr_code cuda_products_create(cuda_products **out);
void cuda_products_destroy(cuda_products *products); // takes NULL

#endif
