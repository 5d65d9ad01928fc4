// The tensor cores' product of bfloat16 tiles with float32 sums: d[16,8] += a[16,16] b[16,8].
//
// Who holds what: lane 4 g + t has of a the rows g and g + 8, columns 2t, 2t+1 and 2t+8, 2t+9 (in
// the order row g, row g+8, then the second columns), of b the rows 2t, 2t+1 and 2t+8, 2t+9 of
// column g, of d the columns 2t, 2t+1 of rows g and g + 8. Two values share a register, the first
// below.
#ifndef KERNELS_CUDA_MMA_CUH
#define KERNELS_CUDA_MMA_CUH

#include "kernels/cuda/pack.cuh"

#ifdef __CUDACC__
__device__ __forceinline__ void cuda_mma(float (&d)[4], const uint32_t (&a)[4], uint32_t b0,
                                         uint32_t b1) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
               "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
#else // a host compiler: the lanes of a warp exchange their registers
inline void cuda_mma(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  const uint32_t mine[6] = {a[0], a[1], a[2], a[3], b0, b1};
  const cuda_host_words *all = cuda_host_exchange("mma", mine, 6);
  const int lane = cuda_host_lane(), g = lane / 4, t = lane % 4;
  for (int i = 0; i < 4; i++) {
    const int row = g + i / 2 * 8, column = 2 * t + i % 2;
    for (int k = 0; k < 16; k++) {
      const uint32_t x = all[row % 8 * 4 + k % 8 / 2][row / 8 + k / 8 * 2];
      const uint32_t y = all[column * 4 + k % 8 / 2][4 + k / 8];
      d[i] += __uint_as_float(k % 2 ? x & 0xffff0000u : x << 16) *
              __uint_as_float(k % 2 ? y & 0xffff0000u : y << 16);
    }
  }
}
#endif

// Two floats in one register, each rounded to bfloat16.
__device__ __forceinline__ uint32_t cuda_bf16_pair(float low, float high) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  return *reinterpret_cast<const uint32_t *>(&pair);
}

#endif
