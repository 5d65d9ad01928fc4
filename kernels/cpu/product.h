// Matrix products on oneDNN: c[M,N] (= or +=) a[M,K] b[K,N] + bias[N] + add[M,N], one cached
// primitive a shape. Scratch memory is the caller's part of the workspace.
#ifndef KERNELS_CPU_PRODUCT_H
#define KERNELS_CPU_PRODUCT_H

#include "kernels/cpu/cpu.h"

// The shape: also the key of the cache, so zero it before filling it in (a designated
// initializer does).
typedef struct {
  kern_dtype type;   // of a and b
  kern_dtype c_type; // of c and add
  int64_t M, N, K;
  int64_t lda, ldb, ldc, ld_add; // row strides of the matrices as they are stored
  bool a_transposed;             // a is stored [K,M]
  bool b_transposed;             // b is stored [N,K]
  bool bias;                     // float32
  bool add;
  bool accumulate; // c (+=); not together with add
} cpu_product_shape;

typedef struct cpu_product cpu_product;

typedef struct {
  const void *a, *b, *bias, *add;
  void *c;
} cpu_product_operands;

// Local. The cached primitive of the shape, made (and counted as late unless k is planning) when
// it is new. k owns it. ORR_ENOMEM, ORR_EUNSUPPORTED.
orr_code cpu_product_find(kern *k, const cpu_product_shape *shape, const cpu_product **out);
// Bytes of scratch that running it needs, a multiple of 128.
size_t cpu_product_scratch(const cpu_product *product);
// Local. `scratch` is 64-byte aligned.
orr_code cpu_product_run(kern *k, const cpu_product *product, const cpu_product_operands *operands,
                         void *scratch);

// oneDNN's primitives use what the machine has, up to `level`. It takes that once a process, before
// the first cache is made; later calls change nothing.
void cpu_products_limit(cpu_level level);
// The cache of one kern.
orr_code cpu_products_create(cpu_products **out);
void cpu_products_destroy(cpu_products *products); // takes NULL

#endif
