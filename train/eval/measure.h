// The measures of `eval`. One is a file and a row here: measure_NAME.c with train_measure_NAME,
// which puts its figures into eval.json. Their arithmetic is in train/eval/arithmetic.h, and in
// files of its own where it is long (ssim.h). Local; thread safe.
#ifndef TRAIN_MEASURE_H
#define TRAIN_MEASURE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "train/eval/set.h"
#include "train/infer/loaded_model.h"

// What there is to measure: the clips of a set, and films of them beyond the prompt.
typedef struct {
  const train_loaded_model *dynamics;
  const train_eval_set *set;
  uint64_t seed;
  bool brief;                      // without what only some sets allow
  int64_t horizon;                 // frames of a film: T - prompt
  int64_t bytes;                   // of a frame
  const int64_t *own_actions;      // [E] i: clip i takes its own
  const int64_t *other_actions;    // [E] the clip whose actions clip i takes instead
  const uint8_t *predicted;        // [E,horizon,height,width,3] under its own actions
  const int32_t *predicted_tokens; // [E,horizon,S] of these
  const double *nats;              // [E,horizon] their surprise when they were drawn, a token
  const uint8_t *other;            // films under the actions of another clip
  const uint8_t *given;            // [E,height,width,3] the last prompt frame, decoded
  // [E,T] what the heads on registers say of the films under their own actions, and of the clips as
  // they were recorded; NULL without such a head.
  const double *said[TRAIN_OUTCOMES], *given_said[TRAIN_OUTCOMES];
} train_films;

// Frame t of a clip as it was recorded.
static inline const uint8_t *train_films_real(const train_films *f, int64_t clip, int64_t t) {
  return f->set->frames + (clip * f->set->T + t) * f->bytes;
}

typedef struct {
  const char *figures; // names in eval.json, for the log
  // What the set has not got that this needs, in words; NULL: nothing. lacks NULL: takes any set.
  const char *(*lacks)(const train_eval_set *s);
  // Adds the figures to `out`, in the order of the file. ORR_ENOMEM, errors of the model.
  orr_code (*take)(const train_films *f, json_t *out);
} train_measure;

#define TRAIN_MEASURES(X)                                                                          \
  X(horizons)                                                                                      \
  X(foresight)                                                                                     \
  X(sinking) X(shuffle) X(heads) X(actions) X(objects) X(walk) X(revisit) X(things) X(mouth) X(eyes)

#define TRAIN_MEASURE_DECLARE(name) extern const train_measure train_measure_##name;
TRAIN_MEASURES(TRAIN_MEASURE_DECLARE)
#undef TRAIN_MEASURE_DECLARE

// Local. All measures, in the order of the rows; the log says which ones the set does not allow.
orr_code train_measure_all(const train_films *f, json_t *out);

#endif
