// What a predicted film of a small world is worth: where things are, how they move, which of them
// show, against the simulator's film. Both are looked at by the same eye (data_physics_locate), so
// that what it misses is missed in both. Local; thread safe.
#ifndef TRAIN_EXAM_FIGURES_H
#define TRAIN_EXAM_FIGURES_H

#include <stdbool.h>
#include <stdint.h>

#include "train/exam/set.h"

// X(name, of baselines too, in words). Of one episode, means over its frames from `given` on.
//   position_error   m, of things that show in the simulator's film; one not found counts as 1 m
//   off velocity_error   m/s, from one frame to the next; of one not found its own speed, at least
//   1 permanence       share of (frame, colour) in which what shows and what does not are as they
//   should number           1 where at the end as much of every colour shows as should, to half a
//   thing momentum_error   of two things that met: |sum m v| at the end against the simulator's,
//   relative
#define TRAIN_EXAM_FILM_FIGURES(X)                                                                 \
  X(position_error) X(velocity_error) X(permanence) X(number) X(momentum_error)
#define TRAIN_EXAM_FILM_FIGURE(name) TRAIN_EXAM_FILM_##name,
typedef enum {
  TRAIN_EXAM_FILM_FIGURES(TRAIN_EXAM_FILM_FIGURE) TRAIN_EXAM_FILM_COUNT
} train_exam_film_figure;

extern const char *const train_exam_film_names[TRAIN_EXAM_FILM_COUNT];

// Local. film [T,height,width,3] of the episode, whose frames from `given` on are predicted; out
// (=) NaN for what the concept has not.
void train_exam_film_figures(const train_exam_set *s, int64_t episode, int64_t given,
                             const uint8_t *film, double out[TRAIN_EXAM_FILM_COUNT]);

// Local. Whether frame t of the film is wrong: of some colour half a thing more or less shows than
// in the simulator's, or what shows in both is more than 0.3 m from its place.
bool train_exam_film_wrong(const train_exam_set *s, int64_t episode, int64_t given,
                           const uint8_t *film, int64_t t);

#endif
