// Bad steps: a loss or a gradient norm that is not finite, or that stands far above those of the
// last accepted steps, makes the update a step to skip. Loss counts as it is, the norm by its
// logarithm, both by their distance from the window's mean in standard deviations.
//
// Such a step is the fault of its batch or of the weights. Batches differ, so a few refused in a
// row are a reason to doubt the weights; and an experiment decides: a batch that was accepted
// before is tried again, without an update (train/run/probe.h). Masks follow from the samples, so
// nothing but the weights has changed. If it too stands more than half as far above the mean as is
// accepted, the weights are at fault, and no update is what would keep them so: steps are accepted
// further above, and less and less far as they come down (`over`). Their values stay out of the
// window unless they go on for as long as it is.
//
// All of it is part of a checkpoint, so that a resumed run decides as the undisturbed one.
#ifndef TRAIN_GUARD_H
#define TRAIN_GUARD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "configs/config.h"

// Batches in mind that can be tried again; steps refused in a row before one is.
enum { TRAIN_GUARD_KEPT = 4, TRAIN_GUARD_DOUBT = 3 };

// A step's loss and gradient norm, or what is accepted of them at most: infinite while the window
// is not full.
typedef struct {
  double loss, norm;
} train_guard_limits;

typedef struct {
  double z;                // standard deviations; 0 = only what is not finite
  int64_t room, n, at;     // of the window: size, values in it, place of the next one
  double *loss, *norm;     // [room]; norm holds logarithms
  int64_t skipped;         // steps in a row whose update was skipped
  int64_t finite;          // of them: those with numbers
  int64_t doubted;         // of these: those since a batch was tried again
  int64_t rewind_after;    // 0 = never
  train_guard_limits far;  // how far above the limits the skipped ones were, norms by logarithms
  train_guard_limits over; // how far above them steps are accepted for now, likewise
  int64_t above;           // steps accepted above them
  int64_t kept, batch[TRAIN_GUARD_KEPT]; // numbers of batches accepted last, newest first
} train_guard;

// Local. ORR_ENOMEM.
orr_code train_guard_init(train_guard *g, const cfg *c);
void train_guard_release(train_guard *g);
// Local. From the steps so far.
train_guard_limits train_guard_limits_of(const train_guard *g);
// Local. NULL when the step is accepted, else why not, for the log: "loss is not finite", ...
const char *train_guard_reason(const train_guard_limits *l, double loss, double norm);
// Local. Notes a step's outcome, of batch number `batch` in the order of the data: accepted values
// enter the window. A loss that is not finite stands for a step that no weights would make good.
void train_guard_note(train_guard *g, bool accepted, int64_t batch, double loss, double norm);

// Local. True when so many steps in a row were skipped that a batch is to be tried again; *batch
// (=) which one, and *was (=) what it had.
bool train_guard_doubts(const train_guard *g, int64_t *batch, train_guard_limits *was);
// Local. What came of that. True: the weights are at fault, and steps like the skipped ones are
// accepted from now on.
bool train_guard_tried(train_guard *g, double loss, double norm);
// Local. The run has gone back: nothing was skipped.
void train_guard_forget_skipped(train_guard *g);
// Local. True when so many steps in a row were skipped that the run should go back.
bool train_guard_lost(const train_guard *g);
// Local. Where the run cannot go back: accepts steps like the skipped ones from now on. False:
// there was one among them that was not finite.
bool train_guard_yield(train_guard *g);

// Local. All of it for a manifest: a new object, or NULL without memory.
json_t *train_guard_save(const train_guard *g);
// Local. From a manifest; a window of another size, or none, starts empty.
void train_guard_load(train_guard *g, const json_t *j);

#endif
