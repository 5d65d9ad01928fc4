// What a run takes its first weights from (train.init_from), where that knows less than the model
// here: fewer components of actions, other branches, no heads on registers. What it knows is kept
// in its place, what it does not know stays as the seed made it. Local; the same on all ranks.
#ifndef TRAIN_BASE_H
#define TRAIN_BASE_H

#include <stdbool.h>

#include "base/hash.h"
#include "base/status.h"
#include "checkpoints/checkpoint.h"
#include "configs/config.h"
#include "train/model/params.h"

typedef struct {
  uint64_t seed;             // of what is new
  int64_t actions, branches; // the base's
  int64_t here;              // components of actions of the model here
  int64_t *row;              // [model.branches]: the base's row of each branch; -1: it is new
  char words[1024];          // what is new and what is left out; "" = the base fits as it is
} train_base;

// Compares the base with the model of `c`. Branches are told apart by their names where the base
// says them, else by their order. ORR_ECONFIG when the base has more action components than
// model.actions, or unnamed branches than model.branches; ORR_ENOMEM.
orr_code train_base_compare(const cfg *c, const ckpt_reader *r, train_base *out);
void train_base_release(train_base *b); // takes an empty one

// The shapes that the base's tensors have, for ckpt_reader_match: changes the two that may differ.
void train_base_shapes(const train_base *b, ckpt_tensor *tensors, int count);
// Whether a model may have this parameter and its base not: then it is new. `file` and `name` are
// what the base would call it.
bool train_base_lacks(const ckpt_reader *r, const char *file, const char *name,
                      const char *parameter);
// Elements [global, global+count) of parameter p, which the base calls `name`; `to` holds zeros.
// `local`: the first one's place in the flat layout of `all`. Errors of ckpt_read.
orr_code train_base_read(const train_base *b, ckpt_reader *r, const char *file, const char *name,
                         const train_params *all, const train_param *p, int64_t global,
                         int64_t count, int64_t local, float *to);

// Local. What tells the weights of a base apart, wherever they lie: XXH3-128 over its tensors'
// names and float32 values, of the moving average with `ema`. Reads all of them.
orr_code train_base_hash(ckpt_reader *r, bool ema, orr_hash_hex *out);
// Local. ORR_EINVAL names both when the adapter in `adapter` is not of the base with weights `hash`
// at `path`; one that does not say is taken, with a warning.
orr_code train_base_is(const ckpt_reader *adapter, const orr_hash_hex *hash, const char *path);

// Local. The names of the branches, as the "branches" of an exported file's metadata says them;
// *out (free) is NULL where the checkpoint does not name them.
orr_code train_base_branches(const ckpt_reader *r, char **out);

#endif
