// What a model's own figures are worth as chances (temperature scaling, Guo et al. 2017; Platt
// 1999): how many nats of likelihood make a belief, and how unsure at its first frames a rollout is
// that goes wrong. Fitted on worlds of the training range under a seed of their own, so on none
// that it was trained on and on none that it is examined with. Local; thread safe.
#ifndef TRAIN_EXAM_CALIBRATION_H
#define TRAIN_EXAM_CALIBRATION_H

#include <jansson.h>
#include <stdint.h>

#include "base/status.h"
#include "data/sim/physics.h"

typedef struct {
  double scale[DATA_PHYSICS_CONCEPTS]; // belief = 1 / (1 + exp(-nats / scale)); 0: not fitted
  double at, slope;                    // chance to go wrong = 1 / (1 + exp(-(at + slope * nats)))
} train_exam_calibration;

// Local. The scale at which beliefs in the possible endings of nats [groups,4] fit what is so best:
// least cross-entropy, in which n pairs that are all told count as (n + 1) / (n + 2); 1 of none.
double train_exam_scale(const double *nats, int64_t groups);
// Local. at and slope that fit judged [n,2] best: nats, and 1 where it went wrong, else 0; smoothed
// likewise. *at = *slope = 0 of none.
void train_exam_fit_wrong(const double *judged, int64_t n, double *at, double *slope);

// Local. {"scale": {CONCEPT: ..}, "at", "slope"}, a new object, and back. ORR_EFORMAT names `what`.
json_t *train_exam_calibration_json(const train_exam_calibration *c);
orr_code train_exam_calibration_read(const char *what, const json_t *j,
                                     train_exam_calibration *out);

#endif
