// The clips of an evaluation in memory: E clips of T frames with their tokens, the actions that led
// to each frame, and the simulator's state.
#ifndef TRAIN_EVAL_SET_H
#define TRAIN_EVAL_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "train/infer/episodes.h"
#include "train/infer/loaded_model.h"

typedef struct {
  int64_t episode, start; // the first frame of a clip
} train_eval_window;

typedef struct {
  int64_t E, T, prompt;
  int64_t S, A, Q, height, width, pixels; // pixels = height*width
  bool forks;                             // clips 2i and 2i+1 are two futures of one state
  bool tabletop;                          // state is the tabletop scene's
  bool rooms, face;                       // or that of the rooms scene, of the face scene
  double dt_s;                            // from a frame to the next
  int32_t branch;
  train_eval_window *window; // [E]
  uint8_t *frames;           // [E,T,height,width,3]
  int32_t *tokens;           // [E,T,S]
  float *action;             // [E,T,2A]: what led to the frame: action * valid, valid
  uint8_t *has;              // [E,T]
  float *state;              // [E,T,Q]
  // [E,T] what came of the actions that led to frames, NaN where it is not known.
  float *outcome[TRAIN_OUTCOMES];
} train_eval_set;

typedef struct {
  int64_t clips, prompt, horizon; // clips: wanted; the set may hold fewer
  uint64_t seed;                  // which windows
} train_eval_wish;

// Local. `clips` windows of T = prompt + horizon frames each, as far apart as in training
// (data.stride), evenly spread over all episodes (data/set/windows.h). Of forks: whole pairs, from
// their first frame to where they part and on, and the set decides the prompt. ORR_EINVAL when
// there are fewer than 2 (forks: 4), for a clip needs the actions of another.
orr_code train_eval_set_load(train_episodes *episodes, const train_loaded_model *dynamics,
                             train_codec *codec, const train_eval_wish *w, train_eval_set *out);
void train_eval_set_release(train_eval_set *s);

#endif
