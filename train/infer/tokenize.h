// Shards of frames turned into shards of tokens, at the speed of the encoder: one thread reads
// ahead and one writes afterwards while the caller's encodes. Frames are encoded in portions of
// TRAIN_TOKENIZE_PORTION counted from the start of a shard, so a shard comes out the same whoever
// makes it.
#ifndef TRAIN_TOKENIZE_H
#define TRAIN_TOKENIZE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "data/set/index.h"
#include "train/infer/loaded_model.h"

enum { TRAIN_TOKENIZE_PORTION = 64 }; // frames

typedef struct {
  const data_index *index;             // of the frames
  const char *out;                     // folder of the new shards
  const train_loaded_model *tokenizer; //
  train_codec *codec;                  // for portions of TRAIN_TOKENIZE_PORTION
  const char *made_by;                 // what tells this tokenizer's weights from all others
  bool progress;                       // show a line
} train_tokenize_options;

typedef struct {
  int64_t frames;
  double encode_ms, total_ms; // total: from the first byte read to the last shard's sync
} train_tokenize_times;

// Local. Whether shard i was made before from the same frames by the same tokenizer: the sum of the
// old shard and `made_by` stand in the new one's source.
bool train_tokenize_done(const train_tokenize_options *o, int64_t i);
// Local. Makes shards[0..n) in turn; each appears whole or not at all. ORR_EIO, ORR_EFORMAT,
// ORR_ENOMEM.
orr_code train_tokenize(const train_tokenize_options *o, const int64_t *shards, int64_t n,
                        train_tokenize_times *times);

#endif
