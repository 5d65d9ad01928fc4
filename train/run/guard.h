// Bad steps: a loss or a gradient norm that is not finite, or that stands far above those of the
// last accepted steps, makes the update a step to skip. Loss counts as it is, the norm by its
// logarithm, both by their distance from the window's mean in standard deviations. The window is
// part of a checkpoint, so that a resumed run decides as the undisturbed one.
#ifndef TRAIN_GUARD_H
#define TRAIN_GUARD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "configs/config.h"

typedef struct {
  double z;             // standard deviations; 0 = only what is not finite
  int64_t room, n, at;  // of the window: size, values in it, place of the next one
  double *loss, *norm;  // [room]; norm holds logarithms
  int64_t skipped;      // steps in a row whose update was skipped
  int64_t rewind_after; // of them; 0 = never
} train_guard;

// What is accepted at most; infinite while the window is not full.
typedef struct {
  double loss, norm;
} train_guard_limits;

// Local. ORR_ENOMEM.
orr_code train_guard_init(train_guard *g, const cfg *c);
void train_guard_release(train_guard *g);
// Local. From the steps so far.
train_guard_limits train_guard_limits_of(const train_guard *g);
// Local. NULL when the step is accepted, else why not, for the log: "loss is not finite", ...
const char *train_guard_reason(const train_guard_limits *l, double loss, double norm);
// Local. Notes a step's outcome: accepted values enter the window.
void train_guard_note(train_guard *g, bool accepted, double loss, double norm);
// Local. True when so many steps in a row were skipped that the run should go back.
bool train_guard_lost(const train_guard *g);

// Local. The window for a manifest: a new object, or NULL without memory.
json_t *train_guard_save(const train_guard *g);
// Local. From a manifest; a window of another size, or none, starts empty.
void train_guard_load(train_guard *g, const json_t *j);

#endif
