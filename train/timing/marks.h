// Who sets which mark of a kern (kernels/kern.h).
#ifndef TRAIN_MARKS_H
#define TRAIN_MARKS_H

#include "kernels/kern.h"

enum {
  TRAIN_MARK_INPUTS,                       // 2: a staging buffer of a stage has been copied
  TRAIN_MARK_RESULTS = 2,                  // 2: the results of a step have been copied
  TRAIN_MARK_END = 4,                      // 2: all of a step is over
  TRAIN_MARK_UPLOAD = 6,                   // 2: a piece of an upload has been copied
  TRAIN_MARK_TIMER = 8,                    // 2 sets: the ends of a step's phases
  TRAIN_TIMER_MARKS = (KERN_MARKS - 8) / 2 // of a set
};

#endif
