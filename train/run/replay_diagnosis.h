// A repeated step held against its record: which ranks differ in what, and what that means.
#ifndef TRAIN_REPLAY_DIAGNOSIS_H
#define TRAIN_REPLAY_DIAGNOSIS_H

#include <jansson.h>
#include <stdbool.h>

#include "dist/world.h"
#include "train/step/fingerprint.h"

typedef struct {
  bool differs;
  train_fingerprint_part first;      // the earliest fingerprint that differs on any rank
  int ranks;                         // that differ in it
  const train_fingerprint *was, *is; // [world]
} train_replay_diagnosis;

typedef struct {
  int64_t step;
  int64_t equal_until; // the last step before it that was compared
  const dist_world *world;
  const json_t *head; // the record's start line
} train_replay_diagnosis_place;

// Local. Of the fingerprints of all ranks, both borrowed.
train_replay_diagnosis train_replay_diagnosis_of(const train_fingerprint *was,
                                                 const train_fingerprint *is, int ranks);
const char *
train_replay_diagnosis_name(const train_replay_diagnosis *v); // "the batch differs", ...
// Local. A sentence in `out`: step, ranks, their hosts then and now, what differs, and why.
void train_replay_diagnosis_tell(const train_replay_diagnosis *v,
                                 const train_replay_diagnosis_place *at, char *out, size_t size);

#endif
