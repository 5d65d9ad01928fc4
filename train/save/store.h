// The training state in checkpoints. Tensors in files are whole and in one order, whatever layout
// wrote them; which rank writes which bytes follows from the files alone. So before a save, ranks
// of tp exchange rows and columns until each has the bytes that it will write, after shared-out
// states have been put together. A load reads just the bytes that lie on this rank.
#ifndef TRAIN_STORE_H
#define TRAIN_STORE_H

#include "checkpoints/checkpoint.h"
#include "train/model/axes.h"
#include "train/save/base.h"
#include "train/step/state.h"

// Local. The plan for checkpoints/, borrowed from s.
orr_code train_store_plan(train_state *s, int64_t file_bytes, ckpt_plan *out);

typedef struct train_store train_store;

// Local. What `writer` of this rank and its neighbours will write, each for the rank that is
// `shift` before it (0 = its own); takes all memory that collecting needs, or, while axes plan,
// only counts it. Borrows the last three; axes == NULL: one rank, which needs no configuration.
orr_code train_store_create(const cfg *c, train_state *s, train_axes *axes,
                            const ckpt_writer *writer, int shift, train_store **out);
void train_store_destroy(train_store *st); // takes NULL
uint64_t train_store_bytes(const train_store *st);
// Collective over tp and replicas. Brings together what this rank will write. The gradients are
// used up where states are shared out. Nothing moves where a rank has everything. While axes plan
// it only counts.
orr_code train_store_collect(train_store *st);
// Local. A ckpt_copy_fn and its ckpt_arrived_fn; ctx is the store, after collect.
orr_code train_store_get(void *store, int set, int tensor, uint64_t first, size_t bytes,
                         void *host);
orr_code train_store_arrived(void *store);

// Elements [at, at+count) of the flat layout, in device memory.
typedef struct {
  int64_t at, count;
  const float *values;
} train_store_part;
// Collective over replicas. *part (=) part i (train_state_parts) of set number `set` of the plan,
// until the next call: where it lies, or, where replicas share it out, put together where the
// gradients were.
orr_code train_store_bring(train_state *s, train_axes *axes, int set, int i,
                           train_store_part *part);

// Local. Everything from a checkpoint: weights, moments, average. ORR_EINVAL names the tensor that
// does not fit the configuration.
orr_code train_store_load(train_state *s, ckpt_reader *r);
// Local. Only the weights; from the moving average when `ema` and the checkpoint has one. `base`:
// what it lacks is made up as that says; NULL: its shapes are those of this model. *took_ema (may
// be NULL) says which.
orr_code train_store_load_weights(train_state *s, ckpt_reader *r, bool ema, const train_base *base,
                                  bool *took_ema);

// Local. The same of tensors that the files call prefix + name: "" or what an adapter's file has.
orr_code train_store_load_named(train_state *s, ckpt_reader *r, const char *prefix, bool ema,
                                bool *took_ema);

#endif
