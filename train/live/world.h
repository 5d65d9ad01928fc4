// A world that sessions act in: a trained world model, its engine with a place for every session,
// and what a page wants to know of it.
#ifndef TRAIN_LIVE_WORLD_H
#define TRAIN_LIVE_WORLD_H

#include "base/args.h"
#include "base/hash.h"
#include "train/engine/engine.h"
#include "train/infer/world_model.h"

typedef struct {
  int64_t sessions;
  int64_t steps; // most passes a frame that a session may ask for
  int64_t ahead; // frames that are decoded before their action is known
} train_live_world_options;

typedef struct {
  train_world_model m;
  bool own_kern;
  train_engine *engine;
  train_codec *codec;
  int64_t height, width, S, A, window, sessions;
  size_t frame_bytes;
  orr_hash_hex checkpoint, tokenizer; // of their manifests, which hold the checksums of all weights
  uint8_t *pixels;                    // [sessions,height,width,3] of a batch
  int32_t *tokens;                    // [sessions,S]
} train_live_world;

// Local. Opens the model by the options of `a` that train_world_model_open uses. `k`: the kern to
// work on, NULL = one of its own. Released also where this fails.
orr_code train_live_world_open(const orr_args *a, const char *checkpoint, kern *k,
                               const train_live_world_options *o, train_live_world *w);
void train_live_world_close(train_live_world *w);
kern *train_live_world_kern(const train_live_world *w);

#endif
