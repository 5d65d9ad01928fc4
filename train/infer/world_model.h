// A whole world model for a command: the dynamics checkpoint and the tokenizer it was trained with.
#ifndef TRAIN_WORLD_MODEL_H
#define TRAIN_WORLD_MODEL_H

#include "base/status.h"
#include "data/set/index.h"
#include "base/args.h"
#include "train/infer/loaded_model.h"

typedef struct {
  kern *k; // of this model alone, else NULL
  train_loaded_model *dynamics, *tokenizer;
} train_world_model;

// Rows for a command's table of options: those that train_world_model_open uses.
// clang-format off
#define TRAIN_WORLD_MODEL_OPTIONS                                                                  \
  {"tokenizer", "CHECKPOINT", "tokenizer, when not the one that the run's configuration names", 0},\
  {"adapter", "DIR", "adapter on the checkpoint: a folder of orrery ckpt export --adapter", 0},     \
  {"any-tokenizer", NULL, "take a tokenizer that did not make the tokens of the training", 0},     \
  {"threads", "N", "CPU threads; 0 = all cores", 0},                                               \
  {"device", "auto|cpu|cuda", "where tensors live", 0},                                            \
  {"no-ema", NULL, "use the weights themselves, not their moving average", 0}
// clang-format on

// Local. Uses the options TRAIN_WORLD_MODEL_OPTIONS of `a`. On failure what was opened stays for
// close. ORR_EINVAL when codes or positions of the two differ, or the tokenizer did not make the
// tokens that the model was trained on.
orr_code train_world_model_open(const orr_args *a, const char *checkpoint, train_world_model *m);
// Local. The same on a committed kern of the caller, who keeps it and has read its options.
orr_code train_world_model_open_on(const orr_args *a, const char *checkpoint, kern *k,
                                   train_world_model *m);
// Local. ORR_EINVAL unless the data set's frames have the tokenizer's size and its actions fit into
// the model's: to be asked before anything is read into buffers of the model's sizes.
orr_code train_world_model_fits(const train_world_model *m, const data_index *x);
void train_world_model_close(train_world_model *m);

#endif
