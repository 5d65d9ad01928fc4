// Which of several algorithms for one product is the fastest, by trial on made-up operands.
//
// A timing decides, and no result follows from it: only algorithms that give the bits of the first
// take part. What an algorithm adds up in which order does not depend on the numbers, so those that
// agree in every element of random operands agree on all operands.
#ifndef KERNELS_CUDA_TRIAL_H
#define KERNELS_CUDA_TRIAL_H

#include "kernels/cuda/product.h"

typedef struct {
  kern_dtype type;                     // of a and b
  size_t a_bytes, b_bytes, bias_bytes; // 0: no bias
  size_t c_bytes;                      // all of it is compared
  size_t scratch_bytes;                // the most that one of them asks for
  int candidates;                      // at least 1
  orr_code (*run)(kern *k, const void *ctx, int candidate, const cuda_product_operands *o,
                  void *scratch); // c (=), by that algorithm
  const void *ctx;
} cuda_trial;

// Local, waits for the device. *fastest (=) the candidate with the least median time among those
// with the bits of candidate 0; one that does not run is passed over. Where the operands do not fit
// into the free memory it is 0 without a trial. ORR_EIO: the device fails.
orr_code cuda_trial_fastest(kern *k, const cuda_trial *t, int *fastest);

#endif
