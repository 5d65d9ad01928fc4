// What a step takes and moves, in words: a rank's bytes by class, and its traffic by axis and
// collective.
#ifndef TRAIN_ACCOUNTING_H
#define TRAIN_ACCOUNTING_H

#include "train/step.h"

typedef struct {
  const char *name;
  uint64_t bytes;
} train_account;

enum { TRAIN_ACCOUNTS = 8 };

// Local. Bytes of this rank by class, after train_step_plan; the same after train_step_commit.
void train_accounting_memory(const train_step *s, train_account out[TRAIN_ACCOUNTS]);
// Local. Logs both tables.
void train_accounting_log(const train_step *s);

#endif
