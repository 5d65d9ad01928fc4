// What the line of a step tells beside its results: how fast it was, and what was read for it.
#ifndef TRAIN_STEP_FIGURES_H
#define TRAIN_STEP_FIGURES_H

#include "train/observe/metrics.h"
#include "train/run/run.h"

// What the data's readers had counted at the end of the step before. Begins as zeros.
typedef struct {
  data_loader_counters read;
  data_remote_counters fetched;
} train_step_figures;

// Local. r->loader is another one: it counts from here.
void train_step_figures_restart(train_step_figures *f, const train_run *r);
// Local. Fills `s`, whose number and time (step_ms) are known. The run's best rate of matrix
// products may rise (train/step/peak.h): its errors.
orr_code train_step_figures_fill(train_step_figures *f, train_run *r, train_step_metrics *s);

#endif
