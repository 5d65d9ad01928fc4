// Small exams of a model while it is trained (`eval.exam_every`): surprise and velocity errors of
// each concept, inside the range that it is trained on, now and then between two steps. Like
// train/eval/held_out.h: rank 0 examines, with a kern and a copy of the weights of its own, the
// other ranks wait, and the training has the bits that it has without.
#ifndef TRAIN_EXAM_WATCH_H
#define TRAIN_EXAM_WATCH_H

#include <stdbool.h>

#include "configs/config.h"
#include "train/run/look.h"

// Local, before the process has threads: makes the exam's sets in the run's folder where `first` (a
// rank is) and they are missing. *look (=) what a run of `c` is handed. ORR_ENOMEM,
// ORR_EUNSUPPORTED without a simulator, errors of the tokenizer's checkpoint.
orr_code train_exam_watch_create(const cfg *c, bool first, train_look *look);
// Local. After the run; takes one of zeros.
void train_exam_watch_destroy(train_look *look);

#endif
