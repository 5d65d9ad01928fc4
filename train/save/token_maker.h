// Which tokenizer made a data set's tokens. A model that learned the codes of one cannot use
// another's, though all sizes fit: the same number stands for another picture. A tokenizer's name
// is the hash of its checkpoint's manifest, which holds the checksums of all weights, so it is the
// same wherever the folder lies. Shards made by `orrery data tokenize` have it in their source, and
// checkpoints of dynamics models in their manifest ("tokens_by").
#ifndef TRAIN_TOKEN_MAKER_H
#define TRAIN_TOKEN_MAKER_H

#include <stdbool.h>

#include "checkpoints/checkpoint.h"
#include "configs/config.h"
#include "data/remote/remote.h"

typedef struct {
  char s[33]; // "" = not said
} train_token_maker;

// Local. The name of the tokenizer in the checkpoint folder `path` (step-*). ORR_EIO,
// ORR_ENOTFOUND.
orr_code train_token_maker_of(const char *path, train_token_maker *out);
// Local. What the source of a shard of tokens ends with: free with orr_free; NULL without memory.
char *train_token_maker_mark(const char *maker, const char *shard_hash);
// Local. The tokenizer that a source names.
train_token_maker train_token_maker_in(const char *source);
// Local. The tokenizer whose tokens a dynamics checkpoint was trained on.
train_token_maker train_token_maker_taught(const ckpt_reader *r);

// Local. Which tokenizer made the tokens of data.train. ORR_ECONFIG names two data sets of
// different ones, or one that tokenizer.checkpoint did not make, or one of another maker than
// `taught`, what the weights of `from` learned (either may be NULL): with both hashes. With
// data.any_tokenizer these are warnings. A tokenizer.checkpoint that is not on this machine is not
// compared.
orr_code train_token_maker_check(const cfg *c, data_remote *remote, const char *from,
                                 const train_token_maker *taught, train_token_maker *out);
// Local. ORR_EINVAL, or with `any` a warning, unless the tokenizer in checkpoint folder `path` made
// the tokens that the model `model` was trained on; says if an earlier checkpoint beside it did.
orr_code train_token_maker_pair(const char *model, const train_token_maker *taught,
                                const char *path, bool any);

#endif
