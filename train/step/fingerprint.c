#include "train/step/fingerprint.h"

#include <string.h>

#include "base/hash.h"

const char *train_fingerprint_part_name(train_fingerprint_part p) {
  static const char *const names[TRAIN_PRINTS] = {"batch", "local", "gradients",
                                                  "loss",  "norm",  "weights"};
  return names[p];
}

// Each array seeds the next one's hash.
static uint64_t add(uint64_t hash, const void *p, int64_t count, size_t size) {
  return p ? orr_hash64(p, (size_t)count * size, hash) : hash;
}

uint64_t train_fingerprint_batch(const data_clip_batch *b) {
  const int64_t frames = b->B * b->T;
  uint64_t hash = 0;
  hash = add(hash, b->frames, frames * b->height * b->width * 3, sizeof *b->frames);
  hash = add(hash, b->tokens, frames * b->S, sizeof *b->tokens);
  hash = add(hash, b->action, frames * b->A, sizeof *b->action);
  hash = add(hash, b->valid, frames * b->A, sizeof *b->valid);
  hash = add(hash, b->branch, b->B, sizeof *b->branch);
  return add(hash, b->sample, b->B, sizeof *b->sample);
}

static uint64_t bits_of(double x) {
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

train_fingerprint train_fingerprint_of(uint64_t batch, const train_step_result *x) {
  return (train_fingerprint){.v = {[TRAIN_PRINT_BATCH] = batch,
                                   [TRAIN_PRINT_LOCAL] = x->fingerprints.local,
                                   [TRAIN_PRINT_GRADIENTS] = x->fingerprints.gradients,
                                   [TRAIN_PRINT_LOSS] = bits_of(x->loss),
                                   [TRAIN_PRINT_NORM] = bits_of(x->grad_norm),
                                   [TRAIN_PRINT_WEIGHTS] = x->fingerprints.weights}};
}
