// What a run takes and moves, in words: a rank's bytes by class, and the traffic of a step, of a
// checkpoint and of a comparison of replicas by axis and collective.
#ifndef TRAIN_ACCOUNTING_H
#define TRAIN_ACCOUNTING_H

#include "train/save/copies.h"
#include "train/save/saver.h"
#include "train/step/step.h"

typedef struct {
  const char *name;
  uint64_t bytes;
} train_account;

enum { TRAIN_ACCOUNTS = 9 };

// What is known before the first step: announced while planning, the same once it is there.
typedef struct {
  const train_step *step;
  uint64_t process_bytes; // of the process before any of it: program, libraries, MPI, the device's
  train_saver_needs save, copies;              // copies: all 0 where none are made
  train_moved compare[DIST_AXES][TRAIN_MOVES]; // all 0 where nothing is compared
} train_accounting;

// Local, after train_step_plan and before its commit.
orr_code train_accounting_plan(train_accounting *a, const train_step *s);
// Local. Bytes of this rank by class.
void train_accounting_memory(const train_accounting *a, train_account out[TRAIN_ACCOUNTS]);
// Local. Logs the tables.
void train_accounting_log(const train_accounting *a);

#endif
