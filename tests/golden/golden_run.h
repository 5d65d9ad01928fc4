// Runs the two models of a golden file, forward and backward, and reports their distances from it.
#ifndef TESTS_GOLDEN_GOLDEN_RUN_H
#define TESTS_GOLDEN_GOLDEN_RUN_H

#include "base/status.h"
#include "kernels/kern.h"
#include "tests/golden/golden_file.h"
#include "tests/golden/golden_report.h"
#include "train/model/dynamics.h"

typedef struct {
  kern_dtype precision;
  int threads; // 0 = all cores
  train_keep keep;
} golden_options;

// Local. Reports loss, code indices and every gradient.
orr_code golden_run_tokenizer(const golden_file *f, const golden_options *o, golden_report *r);
// Local. Reports loss, logits and every gradient.
orr_code golden_run_dynamics(const golden_file *f, const golden_options *o, golden_report *r);

#endif
