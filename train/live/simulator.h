// The simulator beside a session: the scene that the clip of its beginning was made by, under the
// same actions, shows what would really have happened. It follows the session's record: a way back
// begins the episode anew. One thread at a time.
#ifndef TRAIN_LIVE_SIMULATOR_H
#define TRAIN_LIVE_SIMULATOR_H

#include <stdbool.h>

#include "data/sim/scene.h"
#include "train/live/record.h"

// Which scene made a data set (`orrery data generate`).
typedef struct {
  const data_scene *scene; // NULL = none, or this build cannot run it
  uint64_t seed;
  bool forks; // episodes 2k and 2k+1 begin as 2k does
} train_live_scenery;

typedef struct {
  train_live_scenery of; // scene NULL = it stands still
  void *scene;
  const data_scene *made; // what `scene` is one of
  uint64_t episode;
  int64_t height, width;
  double fps;
  int64_t frame;   // that the scene is at
  uint8_t *pixels; // [height,width,3] of it
} train_live_simulator;

// Local. From the index of a data set.
train_live_scenery train_live_scenery_of(const json_t *index);

// Local. For pictures of that size, one every 1/fps seconds. ORR_ENOMEM.
orr_code train_live_simulator_create(train_live_simulator *s, int64_t height, int64_t width,
                                     double fps);
void train_live_simulator_release(train_live_simulator *s);
// Local. Stands at frame 0 of an episode of `of`; it stands still where there is no scene.
orr_code train_live_simulator_begin(train_live_simulator *s, const train_live_scenery *of,
                                    uint64_t episode);
// Local. Goes towards frame `frame` of a session, prompt included, by a bounded number of steps,
// and draws it once it is there: *there. Errors end its show: it stands still from then on.
orr_code train_live_simulator_follow(train_live_simulator *s, const train_record *r, int64_t frame,
                                     bool *there);
static inline bool train_live_simulator_moves(const train_live_simulator *s) {
  return s->of.scene != NULL;
}

#endif
