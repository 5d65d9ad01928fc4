#include "train/step/fingerprint.h"

#include <string.h>

#include "train/model/exact.h"

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

// Clip i alone.
static uint64_t clip_hash(const data_clip_batch *b, int64_t i) {
  const int64_t pixels = b->T * b->height * b->width * 3, tokens = b->T * b->S,
                actions = b->T * b->A;
  uint64_t hash = 0;
  hash = add(hash, b->frames ? b->frames + i * pixels : NULL, pixels, sizeof *b->frames);
  hash = add(hash, b->tokens ? b->tokens + i * tokens : NULL, tokens, sizeof *b->tokens);
  hash = add(hash, b->action ? b->action + i * actions : NULL, actions, sizeof *b->action);
  hash = add(hash, b->valid ? b->valid + i * actions : NULL, actions, sizeof *b->valid);
  hash = add(hash, b->branch ? b->branch + i : NULL, 1, sizeof *b->branch);
  return add(hash, b->sample ? b->sample + i : NULL, 1, sizeof *b->sample);
}

uint64_t train_fingerprint_batch(const data_clip_batch *b, const train_axes *ax) {
  const int64_t frames = b->B * b->T;
  if (train_exact(ax)) {
    uint64_t sum = 0;
    for (int64_t i = 0; ax->grid.tp_i + ax->grid.cp_i == 0 && i < b->B; i++) sum += clip_hash(b, i);
    return sum;
  }
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

train_fingerprint train_fingerprint_whole(const train_fingerprint *ranks, int count) {
  train_fingerprint whole = {.v = {[TRAIN_FINGERPRINT_LOSS] = ranks->v[TRAIN_FINGERPRINT_LOSS],
                                   [TRAIN_FINGERPRINT_NORM] = ranks->v[TRAIN_FINGERPRINT_NORM]}};
  for (int i = 0; i < count; i++) {
    whole.v[TRAIN_FINGERPRINT_BATCH] += ranks[i].v[TRAIN_FINGERPRINT_BATCH];
    whole.v[TRAIN_FINGERPRINT_GRADIENTS] += ranks[i].v[TRAIN_FINGERPRINT_GRADIENTS];
    whole.v[TRAIN_FINGERPRINT_WEIGHTS] += ranks[i].v[TRAIN_FINGERPRINT_WEIGHTS];
  }
  return whole;
}

orr_hash128 train_fingerprint_chain(orr_hash128 before, int64_t step,
                                    const train_fingerprint *whole) {
  uint64_t link[3 + TRAIN_FINGERPRINT_PARTS] = {before.hi, before.lo, (uint64_t)step};
  memcpy(link + 3, whole->v, sizeof whole->v);
  return orr_hash_bytes(link, sizeof link);
}
