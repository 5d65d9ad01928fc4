// What the kernels of our own attention share: where sequences lie, and who sees whom.
#ifndef KERNELS_CUDA_ATTENTION_CUH
#define KERNELS_CUDA_ATTENTION_CUH

#include "kernels/cuda/launch.cuh"

// The row of position 0 of sequence s; position l lies l * pos_stride rows after it.
template <typename A> __device__ __forceinline__ int64_t cuda_sequence(const A &a, int64_t s) {
  return s / a.seq.inner * a.seq.outer_stride + s % a.seq.inner * a.seq.inner_stride;
}

// Whether position i sees position j; both lie inside the sequence.
template <typename A> __device__ __forceinline__ bool cuda_sees(const A &a, int i, int j) {
  return !a.seq.causal || (j <= i && (a.seq.window == 0 || j > i - a.seq.window || j == 0));
}

// Bytes of delta[seqs, H, L] = the sum of do * o, which the first pass of a backward leaves to the
// second.
template <typename A> static inline size_t cuda_delta_bytes(const A &a) {
  return (size_t)(a.seq.seqs * a.H * a.seq.L) * sizeof(float);
}

// attention_tiles.cu: bfloat16 on tensor cores, for heads of 64 and 128. False: not for this call.
bool cuda_attention_tiles_fit(const kern_attention_fwd_args *a);
bool cuda_attention_tiles_fit(const kern_attention_bwd_args *a);
// Local. delta: workspace of cuda_delta_bytes.
orr_code cuda_attention_tiles_fwd(kern *k, const kern_attention_fwd_args *a);
orr_code cuda_attention_tiles_bwd(kern *k, const kern_attention_bwd_args *a, float *delta);

#endif
