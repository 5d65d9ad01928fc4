#include "data/set/windows.h"

#include "base/rng.h"

int64_t data_windows_clips(const data_index *x, int64_t T, int64_t stride) {
  int64_t clips = 0;
  for (int64_t i = 0; i < x->count; i++) clips += data_index_clips(x, i, T, stride);
  return clips;
}

// Where portion i of `count` begins; the product may be larger than 64 bits.
static int64_t portion(int64_t clips, int64_t count, int64_t i) {
  return clips / count * i + clips % count * i / count;
}

int64_t data_windows_clip(int64_t clips, int64_t count, uint64_t seed, int64_t i) {
  const int64_t first = portion(clips, count, i), next = portion(clips, count, i + 1);
  return first +
         (int64_t)orr_rng_below(seed, ORR_STREAM_WINDOWS, (uint64_t)i, 0, (uint64_t)(next - first));
}
