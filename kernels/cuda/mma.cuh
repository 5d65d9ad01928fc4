// The tensor cores' product of bfloat16 tiles with float32 sums: d[16,8] += a[16,16] b[16,8].
//
// Every lane of a warp holds a part of each tile. With lane = 4 g + t (g 0..7, t 0..3), its own
// registers lie in the tiles as drawn; a and b have two neighbouring bfloat16 values in a register,
// the lower index in the lower half, d has one float32:
//
//                                                  column g
//                                              +--------------+
//                                   row 2t, +1 |      b0      |
//                                 row 2t+8, +9 |      b1      |   b [16,8]
//                                              +--------------+
//          columns   2t, +1     2t+8, +9        column 2t   2t+1
//                  +----------+----------+     +-------+-------+
//          row g   |   a[0]   |   a[2]   |     | d[0]  | d[1]  |
//          row g+8 |   a[1]   |   a[3]   |     | d[2]  | d[3]  |   d [16,8]
//                  +----------+----------+     +-------+-------+
//                        a [16,16]
//
// So the four lanes of one g ("a quad") share the rows g and g+8 of a and d, and what is summed or
// compared along a row of d is exchanged among them. Which of the 16 columns of a meets which row
// of b is only a matter of names: as long as both operands put the same term into the same place,
// any order gives the same sum of terms.
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
