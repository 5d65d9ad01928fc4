// Who walks through the rooms: from place to place through the doors, turning to look about, and in
// half of the episodes back to where they were: by the same way backwards, step for step, or turned
// round. Needs no simulator. One thread at a time.
#ifndef DATA_ROOMS_DRIVER_H
#define DATA_ROOMS_DRIVER_H

#include "data/sim/rooms.h"

enum { DATA_ROOMS_BACK_LEAST = 16, DATA_ROOMS_BACK_MOST = 256 };

typedef enum { DATA_ROOMS_WANDER, DATA_ROOMS_RETRACE, DATA_ROOMS_RETURN } data_rooms_mode;

typedef struct {
  uint64_t seed, episode, draws;
  const data_rooms_plan *plan;
  data_rooms_mode mode;
  bool comes_back;                     // at all
  bool turned_round;                   // not backwards
  int64_t frame, turns_at;             // the frame at which the way back begins
  int64_t trail;                       // poses to go back through
  float pose[DATA_ROOMS_BACK_MOST][4]; // x, y, yaw, pitch of frame t at t
  double goal[2], gaze;
  int through;        // side of the room whose door is next, + 1; 0 = none
  int64_t left, rest; // frames until another goal, and without a step
} data_rooms_driver;

// Local. `plan` is borrowed.
void data_rooms_driver_start(data_rooms_driver *d, const data_rooms_plan *plan, uint64_t seed,
                             uint64_t episode);
// Local. From here on draws as `episode` does, and wanders.
void data_rooms_driver_fork(data_rooms_driver *d, uint64_t episode);
// Local. The next action [DATA_ROOMS_ACTIONS] in the state [DATA_ROOMS_STATE].
void data_rooms_driver_act(data_rooms_driver *d, const float *state, double dt_s, float *action);

#endif
