// Looking at all recordings of an import before anything is written. Private to data/.
#ifndef DATA_IMPORT_LOOK_H
#define DATA_IMPORT_LOOK_H

#include "data/import/plan.h"
#include "data/import/ranges.h"

// What is gathered while all episodes are looked at.
typedef struct {
  data_import_plan *p;
  uint64_t options;             // digest of what decides what becomes of a recording
  int64_t first;                // the episode that the others are compared with, -1 before it
  data_shard_format f;          // of that episode
  char **names;                 // of its actions, or NULL
  data_import_values *values;   // of the actions; borrowed
  double pixel_low, pixel_high; // in pictures of numbers; low > high before there are any
  int64_t slowest, fastest;     // episodes, by their rates; -1 before the first
  double slowest_fps, fastest_fps;
  int64_t reward, done, success; // episodes that recorded them
} data_import_looking;

// Local. Lists the recordings and looks at each: items, faults and what they have in common.
orr_code data_import_look(data_import_looking *l);
// Local. ORR_EINVAL names the recordings of the lowest and the highest rate where they differ.
orr_code data_import_look_rates(const data_import_looking *l);

#endif
