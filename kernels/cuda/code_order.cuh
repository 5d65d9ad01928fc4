// Positions sorted by their code, stable: a radix sort (least digit first) of integers, so the
// order and all that is summed along it is the same in every run.
#ifndef KERNELS_CUDA_CODE_ORDER_CUH
#define KERNELS_CUDA_CODE_ORDER_CUH

#include "kernels/cuda/cuda.h"

typedef struct {
  int64_t n;              // positions
  const int32_t *tokens;  // [n]
  int64_t v_first, count; // codes v_first .. v_first+count-1 count as 0 .. count-1, others as count
} cuda_codes;

typedef struct {
  const int32_t *code;     // [n] ascending
  const int32_t *position; // [n]
} cuda_code_order;

// Local. Bytes of scratch that cuda_codes_sort needs, a multiple of 16; the order lies in it.
size_t cuda_codes_scratch(const cuda_codes *c);
// Local.
orr_code cuda_codes_sort(kern *k, const cuda_codes *c, void *scratch, cuda_code_order *out);

#endif
