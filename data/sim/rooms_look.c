// Where things are in a picture of the rooms: the lens of data/sim/rooms.c as a formula.
#include <math.h>

#include "data/sim/rooms.h"

// Half of a thing's width and of its height as it stands, in metres (data/sim/rooms_model.c).
static const double half[DATA_ROOMS_THINGS][2] = {
    {0.2, 0.2}, {0.18, 0.25}, {0.22, 0.22}, {0.16, 0.35}};
#define NEAREST 0.6 // m, nearer it fills the picture

bool data_rooms_thing_at(const float *state, int thing, int64_t height, int64_t width,
                         data_rooms_box *out) {
  const float *at = state + DATA_ROOMS_THING + 2 * thing;
  const double yaw = state[DATA_ROOMS_YAW], pitch = state[DATA_ROOMS_PITCH];
  const double dx = at[0] - state[DATA_ROOMS_X], dy = at[1] - state[DATA_ROOMS_Y];
  const double dz = half[thing][1] - DATA_ROOMS_EYE;
  const double ahead = dx * cos(yaw) + dy * sin(yaw), left = dy * cos(yaw) - dx * sin(yaw);
  const double depth = ahead * cos(pitch) + dz * sin(pitch);
  const double up = dz * cos(pitch) - ahead * sin(pitch);
  if (data_rooms_room_at(at[0], at[1]) != data_rooms_room_at(state[0], state[1])) return false;
  if (depth < NEAREST) return false;
  const double pixels = 0.5 * (double)height / tan(DATA_ROOMS_LENS / 2) / depth;
  *out = (data_rooms_box){.column = 0.5 * (double)width - pixels * left,
                          .row = 0.5 * (double)height - pixels * up,
                          .half_width = pixels * half[thing][0],
                          .half_height = pixels * half[thing][1]};
  return out->column >= 2 && out->column < (double)width - 2 && out->row >= 2 &&
         out->row < (double)height - 2;
}
