// Attention on cuDNN: one plan a shape, kept; own kernels serve what it does not take.
#ifndef KERNELS_CUDA_SDPA_H
#define KERNELS_CUDA_SDPA_H

#include "kernels/cuda/cuda.h"
#include "kernels/cuda/sdpa_graph.h"

typedef struct cuda_sdpa_plan cuda_sdpa_plan;

// Device addresses by the numbers of kernels/cuda/sdpa_graph.h, of those that the shape has. Delta
// and the two floats are filled in by the run.
typedef struct {
  const void *at[CUDA_SDPA_INNER];
} cuda_sdpa_operands;

// Local. The plan of the shape, made (and counted as late unless k is planning) when it is new;
// k owns it. *out is NULL when cuDNN has no reproducible engine for the shape, and stays so;
// kern_attention_by then says why. ORR_ENOMEM.
orr_code cuda_sdpa_find(kern *k, const cuda_sdpa_shape *shape, const cuda_sdpa_plan **out);
// Bytes of scratch that running it needs.
size_t cuda_sdpa_scratch(const cuda_sdpa_plan *plan);
// Local, in the order of the stream. `scratch` is 256-byte aligned.
orr_code cuda_sdpa_run(kern *k, const cuda_sdpa_plan *plan, const cuda_sdpa_operands *operands,
                       void *scratch);

enum { CUDA_SDPA_WHY = 160 };
// The plans of one kern on its stream. *out is NULL, without an error, where there is no cuDNN that
// serves, and `why` then says so: it does not open or start, is the build for another CUDA, or is
// older than 9.15.1, whose backward pass reads beyond its tensors when a graph replays it.
// ORR_ENOMEM.
orr_code cuda_sdpa_create(cudaStream_t stream, cuda_sdpa **out, char why[CUDA_SDPA_WHY]);
void cuda_sdpa_destroy(cuda_sdpa *sdpa); // takes NULL
// "cuDNN 9.19.0"
const char *cuda_sdpa_name(const cuda_sdpa *sdpa);

#endif
