// A repeated step held against its record: which ranks differ in what, and what that means.
#ifndef TRAIN_VERDICT_H
#define TRAIN_VERDICT_H

#include <jansson.h>
#include <stdbool.h>

#include "dist/comm.h"
#include "train/step/fingerprint.h"

typedef struct {
  bool differs;
  train_print first;                 // the earliest print that differs on any rank
  int ranks;                         // that differ in it
  const train_fingerprint *was, *is; // [world]
} train_verdict;

typedef struct {
  int64_t step;
  int64_t equal_until; // the last step before it that was compared
  const dist_world *world;
  const json_t *head; // the record's start line
} train_verdict_place;

// Local. Of the fingerprints of all ranks, both borrowed.
train_verdict train_verdict_of(const train_fingerprint *was, const train_fingerprint *is,
                               int ranks);
const char *train_verdict_name(const train_verdict *v); // "the batch differs", ...
// Local. A sentence in `out`: step, ranks, their hosts then and now, what differs, and why.
void train_verdict_tell(const train_verdict *v, const train_verdict_place *at, char *out,
                        size_t size);

#endif
