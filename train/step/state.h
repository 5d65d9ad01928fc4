// What training carries from step to step: master weights, their bfloat16 working copy, gradients,
// the optimizer's moments and the moving average, each flat in the layout of the parameter list,
// each in an arena of its own. AdamW has two moments, Muon the first one alone.
#ifndef TRAIN_STATE_H
#define TRAIN_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "checkpoints/checkpoint.h"
#include "configs/config.h"
#include "kernels/kern.h"
#include "train/model/axes.h"
#include "train/model/params.h"
#include "train/model/products.h"
#include "train/step/matrices.h"
#include "train/step/partition.h"

typedef struct train_state {
  kern *k;               // borrowed
  train_params params;   // filled by the caller before train_state_place
  train_weights weights; // master, work, grad
  // What replicas may share out, each rank's in the order of `shard`.
  train_partition shard;
  float *own_master; // weights.master unless it is shared out: float32 reads that one in place
  train_products products; // what makes weights.grad, where weights.products says so
  float *own_grad;         // weights.grad where gradients are not shared out
  float *m, *v, *ema;      // NULL when absent
  int64_t plain;           // elements of weights.plain
  bool training, has_ema;
  bool frozen; // gradients are made, but nothing here is updated: no optimizer's states
  train_matrices *matrices; // that Muon updates; NULL where AdamW updates all
  orr_arena parameters, gradients, optimizer;
  ckpt_tensor *tensors; // the list for checkpoints/, made on demand
  ckpt_set sets[4];     // model, m, v, ema
} train_state;

// Local. Starts with empty arenas of `k` (borrowed) that count; add parameters to s->params, then
// place.
void train_state_init(train_state *s, kern *k, kern_dtype act, bool training, bool ema);
// Local. By `dist.zero` shares states out over the replicas: in the buckets that gradients are
// reduced in, or, for Muon, in buckets of whole matrices. By `optim` takes note of what updates
// which parameter. After the parameters are listed, before place. axes == NULL: one rank keeps
// everything; not called: and AdamW updates it. ORR_ENOMEM.
orr_code train_state_share(train_state *s, const cfg *c, train_axes *axes);
// Local. Lays out all arrays: once counting (placeholders), once after train_state_commit.
void train_state_place(train_state *s);
orr_code train_state_commit(train_state *s); // ORR_ENOMEM names the arena
void train_state_release(train_state *s);

// Local. Initial weights from the seed, moments zero, average = weights.
orr_code train_state_fill(train_state *s, uint64_t seed);
// Local. The flat array [total] that weights are set in from outside: the master weights, or, where
// these are shared out, the place of the gradients. Then refresh.
float *train_state_weights(train_state *s);
orr_code train_state_average_is_weights(train_state *s); // of the array above; before refresh
// Local. From that array: the working copy and what else is derived from it.
orr_code train_state_refresh(train_state *s);
// Called when this rank's part of a bucket is updated; buckets come in order.
typedef orr_code (*train_updated_fn)(void *ctx, int64_t bucket);
// Collective over tp. One step of the optimizer on everything, bucket by bucket; rates and verdict
// lie in device memory. Muon uses up the gradients of its matrices. `updated` may be NULL.
orr_code train_state_update(train_state *s, const cfg *c, const kern_adamw_rates *rates,
                            const kern_clip_result *verdict, train_updated_fn updated, void *ctx);

// Local. Where the gradients and the master weights of a piece of `shard` lie.
float *train_state_gradients_of(const train_state *s, const train_partition_piece *x);
float *train_state_master_of(const train_state *s, const train_partition_piece *x);
// Local. Whether replicas have parts of the reduced gradient alone.
bool train_state_shares_gradients(const train_state *s);

// Local. *sum (=), in device memory, squares of the gradients that this rank counts in the norm:
// its own part where gradients are shared out, and of what ranks of tp share the first one's alone.
orr_code train_state_sumsq(train_state *s, double *sum);
// Local. *sum (=), in device memory, the fingerprint of the gradients, or of the float32 weights,
// that this rank updates.
orr_code train_state_fingerprint_gradients(train_state *s, uint64_t *sum);
orr_code train_state_fingerprint_weights(train_state *s, uint64_t *sum);
// Local. weights.plain becomes this rank's updated part and zeros elsewhere: the sum over replicas
// is everything.
orr_code train_state_own_plain(train_state *s);

#endif
