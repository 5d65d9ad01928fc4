// A trained model taken from a checkpoint for use without training: evaluation, rollouts,
// tokenizing.
#ifndef TRAIN_LOADED_MODEL_H
#define TRAIN_LOADED_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "configs/config.h"
#include "data/set/index.h"
#include "kernels/kern.h"
#include "train/model/dynamics.h"
#include "train/save/token_maker.h"
#include "train/step/state.h"
#include "train/model/tokenizer.h"

typedef struct {
  cfg *c;        // as the checkpoint's run had it
  char *path;    // the checkpoint folder
  char *adapter; // file of the adapter on it; NULL: none
  int64_t step;
  bool ema;                 // the weights are the moving average
  train_token_maker taught; // of a dynamics checkpoint: whose tokens it was trained on
  kern *k;                  // borrowed
  train_state state;
  train_dynamics_dims dynamics; // of a dynamics checkpoint
  train_dynamics_params dynamics_p;
  train_tokenizer_dims tokenizer; // of a tokenizer checkpoint
  train_tokenizer_params tokenizer_p;
} train_loaded_model;

// Local. `path`: a step-* folder, a folder of them (its latest good one), or a run's folder.
// `stage` is what the caller needs: ORR_EINVAL when the checkpoint holds the other model. Runs in
// the checkpoint's precision.
orr_code train_loaded_model_open(const char *path, int stage, bool ema, kern *k,
                                 train_loaded_model **out);
// Local. The same with an adapter on it: `adapter` is a folder as `orrery ckpt export --adapter`
// writes it, or an adapter_model.safetensors; NULL: none. A run that trains an adapter is opened by
// itself: its base is the one that its configuration names. ORR_EINVAL names both when the adapter
// is of another base.
orr_code train_loaded_model_open_with(const char *path, const char *adapter, int stage, bool ema,
                                      kern *k, train_loaded_model **out);
// Local. The model of a run, whose configuration is `text` and whose folder `path`, without weights
// yet. Close it likewise.
orr_code train_loaded_model_of(const char *text, const char *path, kern *k,
                               train_loaded_model **out);
// Local. Its weights from host memory, in the flat layout of one rank alone; packed.
orr_code train_loaded_model_set(train_loaded_model *m, const float *flat);
void train_loaded_model_close(train_loaded_model *m); // takes NULL
// Local. The configuration of the checkpoint at `path` (as for open), without loading it; the
// caller destroys it.
orr_code train_loaded_model_config(const char *path, cfg **out);
// Local. Packs the weights (train/model/packed.h): worth it for sessions and rollouts, whose rows
// are few, and what makes a row's bits its own. ORR_ENOMEM.
orr_code train_loaded_model_pack(train_loaded_model *m);

// Local. ORR_EINVAL unless the frames of the data set have the size that tokenizer `m` takes.
orr_code train_loaded_model_fits(const train_loaded_model *m, const data_index *x);

// A tokenizer with its plan for up to B frames at once: encodes and decodes any number. With packed
// weights a portion of fewer frames costs less, else it costs as much as B.
typedef struct train_codec train_codec;
// Local. Borrows `m`, a tokenizer.
orr_code train_codec_create(const train_loaded_model *m, int64_t B, train_codec **out);
void train_codec_destroy(train_codec *c); // takes NULL
// frames u8 [n,height,width,3] -> index [n,S], and back.
orr_code train_codec_encode(train_codec *c, const uint8_t *frames, int64_t n, int32_t *index);
orr_code train_codec_decode(train_codec *c, const int32_t *index, int64_t n, uint8_t *frames);

// Local. The kern for a command that uses trained models: threads 0 = all cores.
orr_code train_kern_open(const char *device, int threads, kern **out);

#endif
