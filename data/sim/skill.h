// How well somebody acts: an expert's actions made worse in graded ways, so that data and trials
// have failures of every kind. Random numbers are keyed by (seed, trial, frame) alone: people of
// other skill who act in the same trial meet the same chances. Local; one thread at a time.
#ifndef DATA_SIM_SKILL_H
#define DATA_SIM_SKILL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

enum { DATA_SKILL_DELAY_MAX = 16, DATA_SKILL_ACTIONS_MAX = 16 };

// All 0: the expert himself. X(name, highest)
typedef struct {
  double noise; // standard deviation of what is added to each component, correlated over frames
  double delay; // frames, whole: acts on what he would have done so long ago
  double bias;  // length of what is added for a whole trial, in a direction of its own
  double lazy;  // share of the frames in which he does nothing
} data_skill;

// Local. Reads "noise=0.3,delay=2,bias=0.1,lazy=0.2", any of them, or "expert". ORR_ECONFIG names
// what was got and what is taken.
orr_code data_skill_read(const char *text, data_skill *out);
// Local. Who acts in an episode of a data set of all kinds: a third are good, the others bad in
// ways and by amounts of their own.
data_skill data_skill_of_episode(uint64_t seed, uint64_t episode);

// Of one trial; starts by data_skill_begin.
typedef struct {
  data_skill skill;
  uint64_t seed, trial;
  int64_t frame;
  int A;
  float past[DATA_SKILL_DELAY_MAX + 1][DATA_SKILL_ACTIONS_MAX]; // what the expert wanted
  float drift[DATA_SKILL_ACTIONS_MAX];                          // of the noise
} data_skill_actor;

// Local. A <= DATA_SKILL_ACTIONS_MAX.
void data_skill_begin(data_skill_actor *a, const data_skill *skill, int64_t A, uint64_t seed,
                      uint64_t trial);
// Local. What he does in place of the expert's `action` [A] (=), each component in [-1,1].
void data_skill_act(data_skill_actor *a, float *action);

#endif
