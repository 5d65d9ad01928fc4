// Steps that were refused in a row are the fault of their batches or of the weights. The
// experiment: a batch that was accepted before is tried again, on the weights as they are and
// without an update. It is read again, for the order of the data needs out of memory.
#ifndef TRAIN_PROBE_H
#define TRAIN_PROBE_H

#include "train/run/run.h"

typedef struct {
  int64_t batch; // its number
  train_guard_limits was,
      now;      // its loss and gradient norm when it was accepted, and on these weights
  bool weights; // they are at fault: the guard gives way
} train_probe;

// Collective over the world, between two steps, none of which is under way. Tries a batch if the
// guard has doubts, and tells it what came of that; *tried (=) whether it had any. The loader is
// another one afterwards. *unagreed (=) whether an error is this rank's alone.
orr_code train_probe_run(train_run *r, train_probe *out, bool *tried, bool *unagreed);

#endif
