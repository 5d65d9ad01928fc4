// Held-out figures of a model while it is trained (`eval.every`): the measures of `orrery eval` on
// a few windows of `eval.data`, or those of a tokenizer, now and then between two steps.
//
// Rank 0 measures, with a kern and a copy of the weights of its own, while the other ranks wait;
// nothing that a step reads is touched, and every random number is the evaluation's own, so the
// training has the bits that it has without.
#ifndef TRAIN_HELD_OUT_H
#define TRAIN_HELD_OUT_H

#include "configs/config.h"
#include "train/run/look.h"

// Local. *look (=) what a run of `c` is handed. ORR_ENOMEM.
orr_code train_held_out_create(const cfg *c, train_look *look);
// Local. After the run; takes one of zeros.
void train_held_out_destroy(train_look *look);

#endif
