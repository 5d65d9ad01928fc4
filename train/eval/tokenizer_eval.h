// The measures of a tokenizer alone (docs/evaluation.md): single held-out frames, spread over all
// that a data set holds, encoded and decoded again.
#ifndef TRAIN_TOKENIZER_EVAL_H
#define TRAIN_TOKENIZER_EVAL_H

#include <jansson.h>
#include <stdint.h>

#include "base/status.h"
#include "train/infer/episodes.h"
#include "train/infer/loaded_model.h"

typedef struct {
  int64_t frames;    // fewer when the data set has fewer
  uint64_t seed;     // which
  const char *strip; // picture of originals over what became of them; NULL = none
} train_tokenizer_eval_options;

// Local. *out is a new object in the form of eval.json.
orr_code train_tokenizer_eval(const train_loaded_model *tokenizer, train_episodes *episodes,
                              const train_tokenizer_eval_options *o, json_t **out);

#endif
