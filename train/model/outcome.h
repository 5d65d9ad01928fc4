// What heads read off a frame's registers: what the action that led to it earned, whether the
// episode is over, and how far it has come (data/shard/outcomes.h). Each head is a distribution
// over bins, and its target lies between two neighbouring bins (two-hot, Imani & White 2018;
// rewards in symlog, Hafner et al. 2023): a target of any size is a cross-entropy of size one, and
// a prediction is the mean of the bins.
#ifndef TRAIN_OUTCOME_H
#define TRAIN_OUTCOME_H

#include <stdint.h>

// X(NAME, word): heads.word.{weight,bias} in checkpoints, word_loss in metrics.
#define TRAIN_OUTCOME_LIST(X) X(REWARD, reward) X(DONE, done) X(PROGRESS, progress)

#define TRAIN_OUTCOME_CONSTANT(NAME, word) TRAIN_##NAME,
typedef enum { TRAIN_OUTCOME_LIST(TRAIN_OUTCOME_CONSTANT) TRAIN_OUTCOMES } train_outcome;
#undef TRAIN_OUTCOME_CONSTANT

enum { TRAIN_OUTCOME_MOST_BINS = 81 };

// Local. "reward", ...
const char *train_outcome_name(train_outcome o);
int64_t train_outcome_bins(train_outcome o);

// A target's place among the bins; -1 where it is not known, or where one bin alone has it.
typedef struct {
  int32_t bin[2];
  float share[2];
} train_two_hot;

// Local. NaN: not known. Values beyond the outermost bins count as those.
train_two_hot train_outcome_target(train_outcome o, float value);
// Local. The mean of the bins under softmax(logits), in the units of the target.
double train_outcome_mean(train_outcome o, const float *logits);
// Local. Cross-entropy of the target, one that is known.
double train_outcome_loss(train_outcome o, const float *logits, float value);

#endif
