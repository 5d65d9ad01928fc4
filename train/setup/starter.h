// A configuration to start from: what fits a data set, a machine and the time that there is. A pure
// function of those facts, so that the same ones give the same text. Local.
#ifndef TRAIN_STARTER_H
#define TRAIN_STARTER_H

#include <stdint.h>

#include "base/status.h"
#include "configs/config.h"
#include "data/set/index.h"

typedef struct {
  int stage;              // CFG_STAGE_*
  const char *data;       // name of the data set, as it goes into data.train
  const data_index *set;  // with frames for a tokenizer, with tokens for a dynamics model
  const cfg *tokenizer;   // of a dynamics model: the configuration of the tokenizer that made them
  const char *checkpoint; // and where that lies
  double rate;            // FLOP/s of a large matrix product on the machine
  const char *machine;    // what it is, for a comment
  double minutes;
} train_starter;

// Local. Sets what the facts decide in `c`, which holds defaults. ORR_EINVAL for frames that no
// patch of 4 to 16 pixels divides, episodes too short, tokens that are not the tokenizer's, and for
// a time in which the smallest model has fewer than 100 steps.
orr_code train_starter_choose(const train_starter *s, cfg *c);
// Local. The rows that were set, and why, as commented YAML; malloc'ed.
orr_code train_starter_text(const train_starter *s, const cfg *c, char **yaml);

#endif
