// Loops over one flat range: thread i takes pack i, and the elements after the last whole pack
// (all of them where the addresses are not aligned) go one to a thread.
#ifndef KERNELS_CUDA_FLAT_CUH
#define KERNELS_CUDA_FLAT_CUH

#include "kernels/cuda/pack.cuh"

typedef struct {
  int64_t n, packs;
} cuda_flat;

static inline cuda_flat cuda_flat_of(int64_t n, int wide, bool aligned) {
  return cuda_flat{n, aligned ? n / wide : 0};
}
static inline dim3 cuda_flat_grid(const cuda_flat *f, int wide) {
  return dim3((unsigned)cuda_ceil_div(f->packs + (f->n - f->packs * wide), 256));
}

// Calls pack_step(i) for the thread's pack or element_step(i) for its element. WIDE elements a
// pack.
template <int WIDE, typename P, typename E>
__device__ __forceinline__ void cuda_flat_step(const cuda_flat &f, P pack_step, E element_step) {
  const int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
  const int64_t element = f.packs * WIDE + (i - f.packs);
  if (i < f.packs)
    pack_step(i);
  else if (element < f.n)
    element_step(element);
}

#endif
