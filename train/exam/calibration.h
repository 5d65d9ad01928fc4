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
  // Belief = 1 / (1 + exp(-nats / scale)), of pairs and of groups; 0: not fitted.
  double pair[DATA_PHYSICS_CONCEPTS], group[DATA_PHYSICS_CONCEPTS];
  double at, slope; // chance to go wrong = 1 / (1 + exp(-(at + slope * nats)))
} train_exam_calibration;

// Local. The scale at which beliefs of log odds odds[n] in what is so fit best: least
// cross-entropy, in which n that are all right count as (n + 1) / (n + 2); 1 of none.
double train_exam_scale(const double *odds, int64_t n);
// Local. at and slope that fit judged [n,2] best: nats, and 1 where it went wrong, else 0; smoothed
// likewise. *at = *slope = 0 of none.
void train_exam_fit_wrong(const double *judged, int64_t n, double *at, double *slope);

// Local. {"pair": {CONCEPT: ..}, "group": .., "at", "slope"}, a new object, and back. ORR_EFORMAT
// names `what`.
json_t *train_exam_calibration_json(const train_exam_calibration *c);
orr_code train_exam_calibration_read(const char *what, const json_t *j,
                                     train_exam_calibration *out);

#endif
