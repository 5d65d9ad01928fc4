// What an optimizer takes of a step, by count: floating-point operations as `mfu` counts them, and
// bytes of memory where every op reads and writes each of its tensors once. Counts hold on any
// machine, and for any number of ranks that share a step and its update out.
#ifndef TRAIN_BENCH_OPTIMIZER_H
#define TRAIN_BENCH_OPTIMIZER_H

#include <jansson.h>

#include "base/status.h"

typedef struct {
  double flops, bytes;
} train_bench_count;

typedef struct {
  train_bench_count adamw, muon; // an update of the whole model with either
  train_bench_count clip;        // forward and backward of a clip
  train_bench_count step;        // what a step takes besides, however many clips it has
} train_bench_optimizer;

// Local. Of a model of `preset` (train/bench/preset.h), bfloat16 activations. ORR_ECONFIG,
// ORR_ENOMEM.
orr_code train_bench_optimizer_count(const char *preset, train_bench_optimizer *out);
// Local. The share of a step of `clips` clips that an update takes, of FLOP and of bytes.
train_bench_count train_bench_optimizer_share(const train_bench_optimizer *o,
                                              const train_bench_count *update, double clips);
// Local. Says on stderr what both optimizers take, at 64 clips a step and how many clips bring it
// to 3 %; the same as an object, NULL without memory.
json_t *train_bench_optimizer_report(const train_bench_optimizer *o);

#endif
