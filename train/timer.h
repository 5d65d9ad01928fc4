// Where the device's time of a step goes, told by marks between its ops: nothing waits for them
// inside the step, they are read when its results are. (train/profile.h has the host's side.)
#ifndef TRAIN_TIMER_H
#define TRAIN_TIMER_H

#include <stdbool.h>

#include "kernels/kern.h"

typedef enum {
  TRAIN_TIMED_INPUTS,        // the batch's way to the device
  TRAIN_TIMED_FORWARD,       // embedding and blocks
  TRAIN_TIMED_BACKWARD,      // head and loss, forward and backward, and the blocks' backward pass
  TRAIN_TIMED_COMMUNICATION, // waiting for gradients and weights of other ranks
  TRAIN_TIMED_OPTIMIZER,     // norm, clipping, update
  TRAIN_TIMED
} train_timed;
// Local. "inputs", ...
const char *train_timed_name(train_timed p);

typedef struct train_timer train_timer;

// Local. Borrows k. ORR_ENOMEM.
orr_code train_timer_create(kern *k, train_timer **out);
void train_timer_destroy(train_timer *p); // takes NULL

// Local. Begins a step, or, with timed = false, one whose phases are not told apart. Two steps may
// be under way.
orr_code train_timer_begin(train_timer *p, bool timed);
// Local. What was called since the mark before belongs to `phase`. Takes NULL. A step of more
// micro-batches than there are marks is told apart as far as they go; the rest counts with what
// follows.
orr_code train_timer_end(train_timer *p, train_timed phase);
// Local. ms [TRAIN_TIMED] (=) of the earliest step begun and not yet read, which has ended; zeros
// when it was not timed.
orr_code train_timer_read(train_timer *p, double *ms);

#endif
