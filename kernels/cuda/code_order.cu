// A radix sort of keys of up to 31 bits, 8 bits a pass, lowest first. A pass is three kernels:
//   count  every block counts its TILE keys by digit:          counts[digit][block]
//   scan   counts become beginnings: how many keys lie before  counts[digit][block]
//   place  every block counts again, now from its beginnings, and puts each key at its place
// Keys with one digit keep their order from pass to pass (stable): blocks are in order in `counts`,
// warps in order inside a block, rounds in order inside a warp, lanes in order inside a round.
#include "kernels/cuda/code_order.cuh"

#include "kernels/cuda/launch.cuh"

enum {
  DIGITS = 256, // of 8 bits
  WARPS = 8,
  ROUNDS = 8, // of 32 keys that a warp takes
  WARP_KEYS = ROUNDS * CUDA_WARP,
  TILE = WARPS * WARP_KEYS,
};

// One pass: keys and positions from `from` to `to`. In the first pass keys come from the tokens.
typedef struct {
  cuda_codes codes;
  const int32_t *from_key, *from_position; // NULL in the first pass
  int32_t *to_key, *to_position;
  int32_t *counts; // [DIGITS][tiles], then where each begins
  int shift, tiles;
} sort_pass;

__device__ __forceinline__ int32_t key_of(const sort_pass &p, int64_t i) {
  if (p.from_key) return p.from_key[i];
  const int64_t code = p.codes.tokens[i] - p.codes.v_first;
  return (int32_t)(code >= 0 && code < p.codes.count ? code : p.codes.count);
}

// Counts of a warp's digits in `counts` [DIGITS + 1]; keys beyond the end have the digit DIGITS.
// With visit: calls visit(key index, key, place), place counted from what `counts` held before.
template <typename V>
__device__ __forceinline__ void walk_keys(const sort_pass &p, int32_t *counts, V visit) {
  const int lane = (int)threadIdx.x;
  const int64_t first = ((int64_t)blockIdx.x * WARPS + threadIdx.y) * WARP_KEYS;
  for (int round = 0; round < ROUNDS; round++) {
    // load: 32 neighbouring keys, one a lane
    const int64_t i = first + round * CUDA_WARP + lane;
    const int32_t key = i < p.codes.n ? key_of(p, i) : 0;
    const int digit = i < p.codes.n ? key >> p.shift & (DIGITS - 1) : (int)DIGITS;
    // rank: the lanes with the same digit, and how many of them come before this one
    const unsigned same = __match_any_sync(CUDA_ALL_LANES, digit);
    const int before = __popc(same & ((1u << lane) - 1u)), base = counts[digit];
    if (i < p.codes.n) visit(i, key, base + before);
    // count: the first lane of each digit adds for all of them, once everyone has read `base`
    __syncwarp();
    if (before == 0) counts[digit] = base + __popc(same);
    __syncwarp();
  }
}

static __global__ void __launch_bounds__(WARPS *CUDA_WARP) count_kernel(const sort_pass p) {
  int32_t *counts = cuda_shared_as<int32_t>(); // [WARPS][DIGITS + 1]
  const int t = (int)(threadIdx.y * CUDA_WARP + threadIdx.x);
  for (int i = t; i < WARPS * (DIGITS + 1); i += WARPS * CUDA_WARP) counts[i] = 0;
  __syncthreads();
  walk_keys(p, counts + threadIdx.y * (DIGITS + 1), [](int64_t, int32_t, int32_t) {});
  __syncthreads();
  // thread t has digit t: the sum over the block's warps
  int32_t sum = 0;
  for (int w = 0; w < WARPS; w++) sum += counts[w * (DIGITS + 1) + t];
  p.counts[t * p.tiles + blockIdx.x] = sum;
}

// Counts become beginnings: a sum over all that lie before, in one block.
static __global__ void __launch_bounds__(DIGITS) scan_kernel(int32_t *counts, int n) {
  int32_t *sums = cuda_shared_as<int32_t>(); // [2][DIGITS], by turns
  const int t = (int)threadIdx.x, share = (n + DIGITS - 1) / DIGITS;
  const int first = t * share, end = first + share < n ? first + share : n;
  // each thread sums a share of neighbours
  int32_t own = 0;
  for (int i = first; i < end; i++) own += counts[i];
  // the shares' sums become sums up to and with each (Hillis & Steele 1986)
  int turn = 0;
  sums[t] = own;
  for (int step = 1; step < DIGITS; step *= 2) {
    __syncthreads();
    const int32_t *from = sums + turn * DIGITS;
    turn ^= 1;
    sums[turn * DIGITS + t] = from[t] + (t >= step ? from[t - step] : 0);
  }
  // and each share is walked again, from what lies before it
  int32_t sum = sums[turn * DIGITS + t] - own;
  for (int i = first; i < end; i++) {
    const int32_t count = counts[i];
    counts[i] = sum;
    sum += count;
  }
}

static __global__ void __launch_bounds__(WARPS *CUDA_WARP) place_kernel(const sort_pass p) {
  int32_t *counts = cuda_shared_as<int32_t>(); // [WARPS][DIGITS + 1]
  const int t = (int)(threadIdx.y * CUDA_WARP + threadIdx.x);
  for (int i = t; i < WARPS * (DIGITS + 1); i += WARPS * CUDA_WARP) counts[i] = 0;
  __syncthreads();
  // count, as above
  int32_t *own = counts + threadIdx.y * (DIGITS + 1);
  walk_keys(p, own, [](int64_t, int32_t, int32_t) {});
  __syncthreads();
  // beginnings: the block's from the scan, then each warp's after the warps before it
  int32_t begin = p.counts[t * p.tiles + blockIdx.x];
  for (int w = 0; w < WARPS; w++) {
    const int32_t count = counts[w * (DIGITS + 1) + t];
    counts[w * (DIGITS + 1) + t] = begin;
    begin += count;
  }
  __syncthreads();
  // place: counting on from there, the count of a key's digit is its place
  walk_keys(p, own, [&](int64_t i, int32_t key, int32_t place) {
    p.to_key[place] = key;
    p.to_position[place] = p.from_position ? p.from_position[i] : (int32_t)i;
  });
}

static int64_t tiles_of(const cuda_codes *c) {
  return cuda_ceil_div(c->n, TILE);
}
static int64_t padded(int64_t n) { // to 16 bytes
  return (n + 3) / 4 * 4;
}

size_t cuda_codes_scratch(const cuda_codes *c) {
  return (size_t)(4 * padded(c->n) + DIGITS * tiles_of(c)) * sizeof(int32_t);
}

orr_code cuda_codes_sort(kern *k, const cuda_codes *c, void *scratch, cuda_code_order *out) {
  int32_t *part = static_cast<int32_t *>(scratch);
  sort_pass p = {};
  p.codes = *c;
  p.tiles = (int)tiles_of(c);
  p.counts = part + 4 * padded(c->n);
  const dim3 grid((unsigned)p.tiles), block(CUDA_WARP, WARPS);
  const size_t shared = WARPS * (DIGITS + 1) * sizeof(int32_t);
  for (int turn = 0; p.shift == 0 || c->count >> p.shift != 0; turn ^= 1, p.shift += 8) {
    p.to_key = part + 2 * turn * padded(c->n);
    p.to_position = p.to_key + padded(c->n);
    ORR_TRY(cuda_start(k, "count codes", count_kernel, grid, block, shared, p));
    ORR_TRY(cuda_start(k, "count codes", scan_kernel, dim3(1), dim3(DIGITS),
                       2 * DIGITS * sizeof(int32_t), p.counts, DIGITS * p.tiles));
    ORR_TRY(cuda_start(k, "sort codes", place_kernel, grid, block, shared, p));
    p.from_key = p.to_key;
    p.from_position = p.to_position;
  }
  out->code = p.to_key;
  out->position = p.to_position;
  return ORR_OK;
}
