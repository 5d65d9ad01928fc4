// The layouts of a configuration on so many ranks that fit a memory, each with its bytes, exact,
// and its predicted step (train/plan/estimate.h).
//
// tp x cp stays inside the fast link's domain and is a power of two. Of all choices that differ in
// nothing but time spent for memory, only the first that fits is worth having: the largest
// micro-batch, then the least that is computed again, then the least that is shared out.
#ifndef TRAIN_PLAN_LAYOUTS_H
#define TRAIN_PLAN_LAYOUTS_H

#include "configs/config.h"
#include "train/plan/estimate.h"

typedef struct {
  int tp, cp, dp, zero, shard, recompute; // as in the configuration's `dist` and train.recompute
  int64_t micro;                          // clips at once
} train_layout;

typedef struct {
  train_layout layout;
  uint64_t bytes; // of rank 0's device, what is reserved included
  train_estimate time;
  double mfu;
} train_plan_row;

typedef struct {
  train_plan_row *rows; // that fit, the fastest first
  int count, room;
  int planned;          // layouts that the planning pass was made for
  char refused[512];    // why the last one that could not be planned could not; "" = there was none
  train_plan_row least; // of those that do not fit, the smallest; bytes 0 = there were none
  double flops;         // of a step, by the convention of mfu
  double tokens, clips; // of a step
} train_plan;

typedef struct {
  const cfg *c;
  const train_machine *m;
  int ranks;
  double memory;    // bytes a rank
  int tp, cp, zero; // of layouts that are looked at; 0, 0 and -1 = all
} train_plan_request;

// Local. ORR_ECONFIG: no layout divides the model; ORR_ENOMEM. None that fits is a result.
orr_code train_plan_make(const train_plan_request *q, train_plan *out);
void train_plan_release(train_plan *p);
// Local. One layout, whether it fits or not. ORR_ECONFIG where it does not divide the model.
orr_code train_plan_one(const train_plan_request *q, const train_layout *l, train_plan_row *out,
                        train_plan *sizes);

#endif
