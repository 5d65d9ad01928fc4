// What every session of a server begins from (train_live_house): data sets, the components of an
// action with their names and ranges, the settings of the run.
#ifndef TRAIN_LIVE_HOUSE_H
#define TRAIN_LIVE_HOUSE_H

#include "train/live/control.h"

enum { TRAIN_LIVE_SETS = 16 };

typedef struct {
  train_live_house house;
  train_live_set set[TRAIN_LIVE_SETS];
  char *name[TRAIN_LIVE_SETS];
  char **component; // [A_set]
  float *low, *high;
} train_live_furnished;

// Local. Opens the data sets `where` [count] for the world; `remote` reads those that are
// addresses. Components are named and ranged as the first of them has it; without one they are
// numbered. Released also where this fails. ORR_EINVAL where a set does not fit the world.
orr_code train_live_house_open(const train_live_world *w, const char *const *where, int count,
                               data_remote *remote, train_live_furnished *f);
// Local. Calls the components as a session does (train_record.start), which was recorded where a
// data set was open, and there are as many; all stays where a set is open here, or the session
// names none.
// ORR_ENOMEM.
orr_code train_live_house_name(train_live_furnished *f, const json_t *start);
void train_live_house_close(train_live_furnished *f);

#endif
