// Who moves the puck when clips are made: a mix of going somewhere, chasing an object, driving one
// towards the middle of the table, and resting, so that contacts are frequent and objects don't
// all end up in corners. All draws are keyed by (seed, episode): no state but this struct.
#ifndef DATA_TABLETOP_DRIVER_H
#define DATA_TABLETOP_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

#include "data/sim/tabletop.h"

typedef enum {
  DATA_DRIVE_HEADING, // straight on
  DATA_DRIVE_CHASE,   // at an object, a little beside its middle
  DATA_DRIVE_HERD,    // round an object, then push it towards a goal
  DATA_DRIVE_REST
} data_drive_mode;

typedef struct {
  uint64_t seed, episode, draws;
  data_drive_mode mode;
  int64_t left;                // frames until the next choice
  int64_t stuck;               // frames in which the puck hardly moved although it should have
  bool insists;                // goes on even where a wall is in the way
  double angle, speed;         // speed as a share of the puck's
  data_tabletop_object object; // of a chase
  double goal[2];              // of herding, on the table
} data_tabletop_driver;

// Local. Starts an episode.
void data_tabletop_driver_start(data_tabletop_driver *d, uint64_t seed, uint64_t episode);
// Local. The next action [DATA_TABLETOP_ACTIONS] from the present state [DATA_TABLETOP_STATE].
void data_tabletop_driver_act(data_tabletop_driver *d, const float *state, float *action);
// Local. From here on the driver follows the draws of `episode` instead. Two copies of one driver
// that fork at one state, one of them `opposed`, set off in directions at least 120 degrees apart
// for at least four frames.
void data_tabletop_driver_fork(data_tabletop_driver *d, uint64_t episode, bool opposed,
                               const float *state);

#endif
