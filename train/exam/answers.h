// What an examinee made of one concept or of several, as numbers that figures are made of. Local.
#ifndef TRAIN_EXAM_ANSWERS_H
#define TRAIN_EXAM_ANSWERS_H

#include <jansson.h>
#include <stdint.h>

#include "base/status.h"
#include "train/exam/paper.h"

// Zeros: none yet.
typedef struct {
  double *nats; // [groups,4] surprise at whole endings
  // Log odds of pairs [groups,2] and of groups [groups], and both over the scales that were fitted.
  double *pair, *group, *pair_scaled, *group_scaled;
  double *wrong;  // [longs,2] how unsure at the first frames; 1 where it was wrong at the last
  double *chance; // [longs,2] the chance for that which was fitted, and whether it was
  double *effect; // [changes,TRAIN_EXAM_EFFECTS]
  int64_t groups, longs, changes;
  bool calibrated; // what is scaled, and chance, say something
} train_exam_answers;

// Local. Adds those of a paper. ORR_ENOMEM.
orr_code train_exam_answers_add(train_exam_answers *a, const train_exam_paper *p);
void train_exam_answers_release(train_exam_answers *a);
// Local. Figures with their intervals, into `out`. ORR_ENOMEM.
orr_code train_exam_answers_mark(const train_exam_answers *a, uint64_t seed, json_t *out);

#endif
