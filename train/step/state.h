// What training carries from step to step: master weights, their bfloat16 working copy, gradients,
// the optimizer's moments and the moving average, each flat in the layout of the parameter list,
// each in an arena of its own. AdamW has two moments, Muon the first one alone.
//
// By `dist.zero` the replicas of a group share out, each more than the one before: 1 the
// optimizer's states and, with bfloat16, the master weights; 2 the gradients, of which two
// neighbouring segments of the flat layout (train/model/params.h) are there at a time while they
// are made; 3 the weights, likewise (train/step/fetch.h).
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
#include "train/step/digits.h"
#include "train/step/matrices.h"
#include "train/step/partition.h"
#include "train/step/upload.h"

typedef struct train_state {
  kern *k;               // borrowed
  train_params params;   // filled by the caller before train_state_place
  train_weights weights; // master, work, grad
  // What replicas may share out, each rank's in the order of `shard`.
  train_partition shard;
  int zero; // what is shared out; 0 also where a group is one rank
  train_window grad_window, operand_window;
  uint16_t *own_work; // bfloat16, where weights are shared out
  float *own_master;  // weights.master unless it is shared out: float32 reads that one in place
  train_products products; // what makes weights.grad, where weights.products says so
  // With run.exact (train/step/ordered.h): the gradients' own array, while weights.grad is that of
  // a pass, and arrays of passes before, [waiting,total], or, where gradients are shared out,
  // [waiting, as many as this rank keeps].
  float *whole_grad, *waiting_grad;
  int waiting;
  float *own_grad;    // weights.grad where reduced gradients are not shared out
  float *m, *v, *ema; // NULL when absent
  int64_t plain;      // elements of weights.plain
  bool training, has_ema;
  bool frozen;          // gradients are made, but nothing here is updated: no optimizer's states
  bool exact;           // run.exact: fingerprints do not know the layout
  bool first;           // of the replicas that keep the same
  train_digits *digits; // of the tables of codes; NULL without optim.digit_share
  train_matrices *matrices; // that Muon updates; NULL where AdamW updates all
  orr_arena parameters, gradients, optimizer;
  ckpt_tensor *tensors; // the list for checkpoints/, made on demand
  ckpt_set sets[4];     // model, m, v, ema
} train_state;

// Local. Starts with empty arenas of `k` (borrowed) that count; add parameters to s->params, then
// place.
void train_state_init(train_state *s, kern *k, kern_dtype act, bool training, bool ema);
// Local. Whether gradients are there segment by segment, for a rank that `axes` stand for.
bool train_state_windowed(const cfg *c, const train_axes *axes);
// Local. What train_params.segment_unit has to be for a rank that `axes` (NULL = one rank) stand
// for.
int64_t train_state_segment_unit(const cfg *c, const train_axes *axes);
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
// Local. Weights from outside: `give` (train/step/upload.h) writes elements of the flat layout,
// called with growing `first`. What is derived from them follows.
orr_code train_state_set(train_state *s, train_upload_fn give, void *ctx);
// Local. The average becomes the weights that have been set.
orr_code train_state_average_is_weights(train_state *s);
// Local. The flat array [total] of the master weights, or, where these are shared out, the place of
// the gradients: what is set there counts after refresh. NULL where gradients are shared out, too.
float *train_state_weights(train_state *s);
orr_code train_state_refresh(train_state *s);
// Called when this rank's part of a bucket is updated; buckets come in order.
typedef orr_code (*train_updated_fn)(void *ctx, int64_t bucket);
// Collective over tp, with optim.digit_share also over ranks that share states out. One step of the
// optimizer on everything, bucket by bucket; rates and verdict lie in device memory. Muon uses up
// the gradients of its matrices. `updated` may be NULL.
orr_code train_state_update(train_state *s, const cfg *c, const kern_adamw_rates *rates,
                            const kern_clip_result *verdict, train_updated_fn updated, void *ctx);

// Local. Calls `each` with the parts [from, to) of parameter p that lie in this rank's pieces.
typedef orr_code (*train_piece_fn)(train_state *s, const train_param *p,
                                   const train_partition_piece *x, int64_t from, int64_t to,
                                   void *ctx);
orr_code train_state_each_piece(train_state *s, const train_param *p, train_piece_fn each,
                                void *ctx);
// Local. Where the gradients and the master weights of a piece of `shard` lie.
float *train_state_gradients_of(const train_state *s, const train_partition_piece *x);
float *train_state_master_of(const train_state *s, const train_partition_piece *x);
// Local. Where its bfloat16 copy lies; NULL in float32.
uint16_t *train_state_work_of(const train_state *s, const train_partition_piece *x);
// Local. Elements of the flat layout that can be brought together at a time: [*at, *at+*count) of
// part i. One part, or the segments.
int train_state_parts(const train_state *s);
void train_state_part(const train_state *s, int i, int64_t *at, int64_t *count);
// Local. Where gradients are made, between two steps: room for a part that begins at `at`.
float *train_state_room(const train_state *s, int64_t at);
// Local. Whether replicas have parts of the reduced gradient alone.
bool train_state_shares_gradients(const train_state *s);

// Local. *sum (=), in device memory, squares of the gradients that this rank counts in the norm:
// its own part where gradients are shared out, and of what ranks of tp share the first one's alone.
orr_code train_state_sumsq(train_state *s, double *sum);
// Local. The same squares as integers (kernels/ops.h): bins (=).
orr_code train_state_squares(train_state *s, int64_t *bins);
// Local. *sum (=), in device memory, the fingerprint of the gradients, or of the float32 weights,
// that this rank updates. With run.exact every element has its place in the whole model and is
// counted by one rank, so that all ranks' sums add up to the same in every layout.
orr_code train_state_fingerprint_gradients(train_state *s, uint64_t *sum);
orr_code train_state_fingerprint_weights(train_state *s, uint64_t *sum);
// Local. weights.plain becomes this rank's updated part and zeros elsewhere: the sum over replicas
// is everything.
orr_code train_state_own_plain(train_state *s);

#endif
