// A look at a run from outside, between two steps: who trains does not know who measures. The rooms
// above hand a table of these down (train/eval/held_out.h); a look touches nothing that a step
// reads.
#ifndef TRAIN_LOOK_H
#define TRAIN_LOOK_H

#include <stdint.h>

#include "base/fs.h"
#include "base/status.h"
#include "train/observe/metrics.h"

struct train_run;

// Of rank 0.
typedef struct {
  int n;
  train_scalar v[TRAIN_METRICS_FIGURES]; // under names that begin with eval_
  orr_path picture;                      // a PNG; "" = none
} train_look_figures;

typedef struct {
  void *ctx;
  int64_t every; // steps from one look to the next; the last step has one, too
  // All are collective over the world, and every rank returns the same code.
  // Before the first step of a run that is open: what cannot be looked at with ends the run here.
  orr_code (*open)(void *ctx, struct train_run *r);
  // After step number `step`.
  orr_code (*at)(void *ctx, struct train_run *r, int64_t step, train_look_figures *out);
  // Local, before the run is closed, once: also where open has failed or was not called.
  void (*close)(void *ctx);
} train_look;

enum { TRAIN_LOOKS = 2 }; // that a run may have

#endif
