// The worlds that an examination asks about: sets of the physics scene (data/sim/physics.h), made
// where they are missing, and in memory.
#ifndef TRAIN_EXAM_SET_H
#define TRAIN_EXAM_SET_H

#include <stdint.h>

#include "base/fs.h"
#include "base/status.h"
#include "data/sim/physics.h"

// X(name): a set's kind. pairs: possible and impossible endings. changes: twos that differ in one
// thing. agree, flip: possible endings of worlds in which colour tells mass, rightly or wrongly.
// long: worlds as they are trained on, some with a push, and TRAIN_EXAM_AHEAD frames from the
// event.
#define TRAIN_EXAM_KINDS(X)   X(pairs) X(changes) X(agree) X(flip) X(long)
#define TRAIN_EXAM_KIND(name) TRAIN_EXAM_##name,
typedef enum { TRAIN_EXAM_KINDS(TRAIN_EXAM_KIND) TRAIN_EXAM_KIND_COUNT } train_exam_kind;

// Frames of an episode; those that a long one goes on from the event (DATA_PHYSICS_EVENT_S); the
// most of any.
enum { TRAIN_EXAM_FRAMES = 16, TRAIN_EXAM_AHEAD = 16, TRAIN_EXAM_MOST = 23 };

// Which set.
typedef struct {
  const char *root; // folder of the sets
  data_physics_concept concept;
  data_physics_range range; // inside or outside
  train_exam_kind kind;
  int64_t groups; // that it holds
  int64_t height, width;
  uint64_t seed;
  const char *branch;
  int processes; // that make it
} train_exam_wish;

typedef struct {
  data_physics_choice choice;
  uint64_t seed;
  int64_t E, T, height, width; // E episodes of T frames
  int64_t group, event;        // episodes of a group; the frame of the event
  uint8_t *frames;             // [E,T,height,width,3]
  float *actions;              // [E,T-1,DATA_PHYSICS_ACTIONS]
  float *state;                // [E,T,DATA_PHYSICS_STATE]
} train_exam_set;

static inline const uint8_t *train_exam_frame(const train_exam_set *s, int64_t episode, int64_t t) {
  return s->frames + (episode * s->T + t) * s->height * s->width * 3;
}
static inline const float *train_exam_state(const train_exam_set *s, int64_t episode, int64_t t) {
  return s->state + (episode * s->T + t) * DATA_PHYSICS_STATE;
}

// Local. What a set is drawn from.
data_physics_choice train_exam_choice(const train_exam_wish *w);
// Local. Makes the set where its folder does not hold it yet (worker processes: before threads and
// OpenGL). ORR_EUNSUPPORTED without a simulator, ORR_EIO.
orr_code train_exam_set_make(const train_exam_wish *w);
// Local. Reads it. ORR_EFORMAT where the folder holds something else. The caller releases it.
orr_code train_exam_set_load(const train_exam_wish *w, train_exam_set *out);
void train_exam_set_release(train_exam_set *s);

#endif
