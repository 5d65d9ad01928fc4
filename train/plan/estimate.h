// How long a step will take on a machine, before it is there: the planning pass of that step
// (train/step/step.h) with every op and every collective in its order, each as long as the machine
// file says. Ops run one after the other; what is started over replicas moves beside them where the
// machine can do so, one collective of an axis at a time, and what is left of it when its result is
// needed is exposed.
#ifndef TRAIN_PLAN_ESTIMATE_H
#define TRAIN_PLAN_ESTIMATE_H

#include "train/plan/machine.h"
#include "train/step/step.h"

typedef struct {
  double step_s;
  double phase_s[TRAIN_TIMED]; // of it
  double exposed_s[DIST_AXES]; // waiting for collectives
  double moving_s[DIST_AXES];  // all that moves, hidden or not
  int64_t ops;                 // calls of a step
} train_estimate;

// Local, after train_step_plan and before its commit. ORR_ENOMEM.
orr_code train_estimate_step(train_step *s, const train_machine *m, train_estimate *out);

#endif
