// Counter-based random numbers: Philox4x32-10 (Salmon et al. 2011, Random123). A draw is a pure
// function of (seed, stream, sample, position): it never depends on rank, layout or order.
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdint.h>

// Streams: one per purpose, so that no two purposes share a draw. Append only: the numbers are
// part of what makes a run reproducible.
typedef enum {
  ORR_STREAM_INIT = 1,  // initial weights: sample = index of the tensor's name hash
  ORR_STREAM_ORDER = 2, // keyed permutations of the data order
  ORR_STREAM_MASK_RATIO = 3,
  ORR_STREAM_MASK = 4,
  ORR_STREAM_CORRUPT = 5,
  ORR_STREAM_ACTION_DROP = 6,
  ORR_STREAM_DECODE = 7, // Gumbel noise of rollouts
  ORR_STREAM_SCENE = 8,  // generated clips
  ORR_STREAM_EVAL = 9,
  ORR_STREAM_CHOICE = 10,    // noise on the order in which a rollout keeps positions
  ORR_STREAM_INSPECT = 11,   // which groups of examples are drawn again
  ORR_STREAM_WINDOWS = 12,   // which clips of a data set are evaluated
  ORR_STREAM_OWN_CODES = 13, // which frames of a clip carry codes of the model's own
  ORR_STREAM_SKILL = 14,     // what tells an actor from the expert of a scene
  ORR_STREAM_BOOTSTRAP = 15, // which trials are drawn again
  ORR_STREAM_FAILURES = 16,  // when nodes fail in a simulated run
  ORR_STREAM_AUDIT = 17,     // which recorded steps an audit takes
  ORR_STREAM_BLIND = 18,     // which frames of a clip are hidden from training
  ORR_STREAM_TEST = 100,
} orr_stream;

typedef struct {
  uint32_t v[4];
} orr_u32x4;

// key = (seed, stream); counter = (sample, position).
orr_u32x4 orr_rng_draw(uint64_t seed, uint32_t stream, uint64_t sample, uint64_t position);
double orr_rng_uniform(uint64_t seed, uint32_t stream, uint64_t sample, uint64_t position); // [0,1)
float orr_rng_normal(uint64_t seed, uint32_t stream, uint64_t sample,
                     uint64_t position); // N(0,1), Box-Muller
uint64_t orr_rng_below(uint64_t seed, uint32_t stream, uint64_t sample, uint64_t position,
                       uint64_t n); // [0,n)
double orr_u32_to_unit(uint32_t u); // [0,1), 2^-32 steps

#endif
