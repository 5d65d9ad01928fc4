#include "train/step/fingerprint.h"

#include <string.h>

#include "base/hash.h"

const char *train_fingerprint_part_name(train_fingerprint_part p) {
  static const char *const names[TRAIN_FINGERPRINT_PARTS] = {
      [TRAIN_FINGERPRINT_BATCH] = "batch",         [TRAIN_FINGERPRINT_LOCAL] = "local",
      [TRAIN_FINGERPRINT_GRADIENTS] = "gradients", [TRAIN_FINGERPRINT_LOSS] = "loss",
      [TRAIN_FINGERPRINT_NORM] = "norm",           [TRAIN_FINGERPRINT_WEIGHTS] = "weights"};
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
  return (train_fingerprint){.v = {[TRAIN_FINGERPRINT_BATCH] = batch,
                                   [TRAIN_FINGERPRINT_LOCAL] = x->fingerprints.local,
                                   [TRAIN_FINGERPRINT_GRADIENTS] = x->fingerprints.gradients,
                                   [TRAIN_FINGERPRINT_LOSS] = bits_of(x->loss),
                                   [TRAIN_FINGERPRINT_NORM] = bits_of(x->grad_norm),
                                   [TRAIN_FINGERPRINT_WEIGHTS] = x->fingerprints.weights}};
}
