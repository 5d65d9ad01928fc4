// Where the time of a step goes, told by marks between its ops: nothing waits for them inside the
// step, they are read when its results are.
#ifndef TRAIN_PHASES_H
#define TRAIN_PHASES_H

#include <stdbool.h>

#include "kernels/kern.h"

typedef enum {
  TRAIN_PHASE_INPUTS,        // the batch's way to the device
  TRAIN_PHASE_FORWARD,       // embedding and blocks
  TRAIN_PHASE_BACKWARD,      // head and loss, forward and backward, and the blocks' backward pass
  TRAIN_PHASE_COMMUNICATION, // waiting for gradients and weights of other ranks
  TRAIN_PHASE_OPTIMIZER,     // norm, clipping, update
  TRAIN_PHASES
} train_phase;
// Local. "inputs", ...
const char *train_phase_name(train_phase p);

typedef struct train_phases train_phases;

// Local. Borrows k. ORR_ENOMEM.
orr_code train_phases_create(kern *k, train_phases **out);
void train_phases_destroy(train_phases *p); // takes NULL

// Local. Begins a step, or, with timed = false, one whose phases are not told apart. Two steps may
// be under way.
orr_code train_phases_begin(train_phases *p, bool timed);
// Local. What was called since the mark before belongs to `phase`. Takes NULL. A step of more
// micro-batches than there are marks is told apart as far as they go; the rest counts with what
// follows.
orr_code train_phases_end(train_phases *p, train_phase phase);
// Local. ms [TRAIN_PHASES] (=) of the earliest step begun and not yet read, which has ended; zeros
// when it was not timed.
orr_code train_phases_read(train_phases *p, double *ms);

#endif
