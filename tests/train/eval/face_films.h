// What tests of measures of speaking faces share: films of drawn faces, and figures read off them.
#ifndef TESTS_TRAIN_EVAL_FACE_FILMS_H
#define TESTS_TRAIN_EVAL_FACE_FILMS_H

#include "tests/base/assert.h"

#include "data/sim/face.h"
#include "train/eval/measure.h"

// The figures, added to `out`, of a film [E,T-prompt] of square pictures against what was recorded.
static inline json_t *face_figures(const train_measure *m, const train_eval_set *recorded,
                                   const uint8_t *film, json_t *out) {
  train_eval_set set = *recorded;
  set.Q = DATA_FACE_STATE;
  set.width = set.height;
  set.face = true;
  const train_films films = {.set = &set,
                             .horizon = set.T - set.prompt,
                             .bytes = set.height * set.width * 3,
                             .predicted = film};
  assert_ok(m->take(&films, out));
  return out;
}

static inline double figure(const json_t *j, const char *name) {
  return json_number_value(json_object_get(j, name));
}

#endif
