// The measures of a world model on held-out episodes (docs/evaluation.md), without downloaded
// networks.
#ifndef TRAIN_EVAL_H
#define TRAIN_EVAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "train/infer/episodes.h"
#include "train/infer/loaded_model.h"

typedef struct {
  int64_t clips;   // windows, spread evenly; fewer when the data set has fewer
  int64_t prompt;  // frames given; a data set of forks decides itself
  int64_t horizon; // frames rolled out
  int64_t steps;   // passes a frame
  double temperature, choice_temperature, guidance;
  int64_t memory; // frames that stay when they leave the window
  bool carry;     // what the tokenizer misses, where codes stay (train/infer/carry.h)
  bool by_pose;   // likeness of poses decides, where the data set's actions say how one moves
  uint64_t seed;
  bool brief; // without what only some data sets have, and without a word on that
} train_eval_options;

typedef struct train_eval train_eval;

// Local. Reads and tokenizes the episodes. Borrows everything.
orr_code train_eval_create(const train_loaded_model *dynamics, const train_loaded_model *tokenizer,
                           train_episodes *episodes, const train_eval_options *o, train_eval **out);
void train_eval_destroy(train_eval *e); // takes NULL
// Local. Runs all measures; *out is a new object in the form of eval.json.
orr_code train_eval_run(train_eval *e, json_t **out);
// Local. After run: a picture of real over predicted frames of `rows` clips, spread evenly.
orr_code train_eval_strip(const train_eval *e, const char *path, int64_t rows);

#endif
