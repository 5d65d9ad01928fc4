// Where the device's time of a step goes, told by marks between its ops: nothing waits for them
// inside the step, they are read when its results are. (train/timing/profile.h has the host's
// side.)
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

// Local. While k plans, `told` is called where a phase ends; NULL: nobody.
void train_timer_watch(train_timer *p, void (*told)(void *ctx, train_timed phase), void *ctx);
// Local. Begins a step. Two steps may be under way; they take turns at two sets of marks.
orr_code train_timer_begin(train_timer *p);
// Local. The set of marks of the step begun last, 0 or 1: a capture holds the marks of one set.
int train_timer_set(const train_timer *p);
// Local. The rest of the step was replayed: its phases ended as those of the step before in its
// set.
void train_timer_replayed(train_timer *p);
// Local. What was called since the mark before belongs to `phase`. Takes NULL. A step of more
// micro-batches than there are marks is told apart as far as they go; the rest counts with what
// follows.
orr_code train_timer_end(train_timer *p, train_timed phase);
// Local. ms [TRAIN_TIMED] (=) of the earliest step begun and not yet read, which has ended.
orr_code train_timer_read(train_timer *p, double *ms);

#endif
