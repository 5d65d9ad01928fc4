// A step's work captured (kernels/kern.h) once for each shape that it can have, and replayed from
// then on: one call on the host instead of thousands.
#ifndef TRAIN_CAPTURE_H
#define TRAIN_CAPTURE_H

#include <stdint.h>

#include "kernels/kern.h"
#include "train/model/axes.h"

typedef struct train_capture train_capture;
// Calls ops, with arguments that follow from the shape alone.
typedef orr_code (*train_work_fn)(void *ctx);

// Local. Borrows k and axes. ORR_ENOMEM.
orr_code train_capture_create(kern *k, train_axes *axes, int64_t shapes, train_capture **out);
void train_capture_destroy(train_capture *r); // takes NULL
// Collective over the world. As `work`. The first call of all runs it as it is, which loads what
// the device loads late; a later one of a new shape captures it, on all ranks in the same step.
// Where the device of a rank has no memory for a graph, all ranks run the shape as it is. 0 <=
// shape < shapes.
orr_code train_capture_run(train_capture *r, int64_t shape, train_work_fn work, void *ctx);
bool train_capture_has(const train_capture *r, int64_t shape); // whether it has been captured
int64_t train_capture_captured(const train_capture *r);        // shapes captured so far

#endif
