// What the tokenizer misses of a picture, carried on. A film that a model makes begins at a real
// frame, of which the codes say less than it shows. Where a code stays from one frame to the next
// nothing of note has changed there, and what it missed of the patch is still to be seen: the patch
// shows what its code decodes to plus that rest. Where a code changes its rest is forgotten. Host
// memory; local; one thread at a time.
#ifndef TRAIN_CARRY_H
#define TRAIN_CARRY_H

#include <stdint.h>

#include "base/status.h"
#include "train/infer/loaded_model.h"

typedef struct {
  int64_t S, cols, patch;
  train_codec *codec; // borrowed
  int32_t *index;     // [S] codes of the frame before
  int16_t *rest;      // [height,width,3] real minus decoded, 0 where a code has changed since
  uint8_t *decoded;   // [height,width,3]
} train_carry;

// Local. For films of tokenizer `m`, which `codec` is of. ORR_ENOMEM.
orr_code train_carry_create(const train_loaded_model *m, train_codec *codec, train_carry *out);
void train_carry_release(train_carry *c); // takes one of zeros
// Local. A film goes on from `real` u8 [height,width,3], whose codes are index [S].
orr_code train_carry_begin(train_carry *c, const uint8_t *real, const int32_t *index);
// Local. The n frames that follow, index [n,S], as they were decoded to frames u8
// [n,height,width,3] (in, out).
void train_carry_on(train_carry *c, const int32_t *index, int64_t n, uint8_t *frames);

#endif
