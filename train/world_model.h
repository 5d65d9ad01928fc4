// A whole world model for a command: the dynamics checkpoint and the tokenizer it was trained with.
#ifndef TRAIN_WORLD_MODEL_H
#define TRAIN_WORLD_MODEL_H

#include "base/status.h"
#include "train/args.h"
#include "train/trained.h"

typedef struct {
  kern *k;
  train_trained *dynamics, *tokenizer;
} train_world_model;

// Local. Uses the options --tokenizer, --threads, --device and --no-ema of `a`. On failure what was
// opened stays for close.
orr_code train_world_model_open(const train_args *a, const char *checkpoint, train_world_model *m);
void train_world_model_close(train_world_model *m);

#endif
