// Attention as graphs that cuDNN knows, forward and backward, in a strided layout.
#ifndef KERNELS_CUDA_SDPA_GRAPH_H
#define KERNELS_CUDA_SDPA_GRAPH_H

#include "kernels/cuda/dnn_graph.h"

// Sizes and strides in elements: also the key of the cache, so it has no padding. Element
// (sequence s, head h, position l, c) of q lies at s*q.seq + h*K + l*q.pos + c.
typedef struct {
  int64_t seq, pos;
} cuda_sdpa_strides;

typedef struct {
  int64_t seqs, L, H, G, K;
  cuda_sdpa_strides q, k, v, o;  // o: also of do
  cuda_sdpa_strides dq, dk, dv;  // zero in a forward shape
  int64_t causal, backward, lse; // 0 or 1; lse: a forward shape keeps it
} cuda_sdpa_shape;

// The tensors of both graphs, by their numbers in them. CUDA_SDPA_DELTA is float32 scratch of
// seqs*H*L; the last three are floats of the host.
enum {
  CUDA_SDPA_Q = 1,
  CUDA_SDPA_K,
  CUDA_SDPA_V,
  CUDA_SDPA_O,
  CUDA_SDPA_LSE,
  CUDA_SDPA_DO,
  CUDA_SDPA_DQ,
  CUDA_SDPA_DK,
  CUDA_SDPA_DV,
  CUDA_SDPA_DELTA,
  CUDA_SDPA_SCALE,
  CUDA_SDPA_ONE,
  CUDA_SDPA_BELOW, // the score of what a causal sequence does not see
  CUDA_SDPA_INNER, // tensors from here on are virtual
};

// Local. Puts the shape's operations into the graph, which says whether that went well.
void cuda_sdpa_graph_fwd(cuda_dnn_graph *g, const cuda_sdpa_shape *s);
void cuda_sdpa_graph_bwd(cuda_dnn_graph *g, const cuda_sdpa_shape *s);
// Local. The engine to ask for where cuDNN's own first proposal for the backward graph is a kernel
// of older devices; false where its proposals serve. sm: 90 for 9.0; version: the library's.
bool cuda_sdpa_graph_bwd_choice(int sm, size_t version, cuda_dnn_choice *out);

#endif
