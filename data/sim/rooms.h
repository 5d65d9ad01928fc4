// The rooms scene: four rooms with doors, pictures on their walls and things that can be pushed
// about, seen by somebody who walks through them. Layout, colours and things are each episode's
// own. Physics by MuJoCo, pictures by its renderer.
//
// Units: metres, seconds, radians. The rooms fill the square -3 <= x, y <= 3; z points up, yaw 0
// looks along x and grows to the left, pitch grows upwards.
// Not thread safe: the renderer belongs to the thread that created it.
#ifndef DATA_ROOMS_H
#define DATA_ROOMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

// X(name, unit, what action 1 means)
#define DATA_ROOMS_ACTION_ROWS(X)                                                                  \
  X(forward, "m/s", 1.2)                                                                           \
  X(strafe, "m/s", 1.2) /* to the left */                                                          \
  X(turn, "rad/s", 1.5) /* to the left */                                                          \
  X(look, "rad/s", 1.0) /* up */

typedef enum {
  DATA_ROOMS_FORWARD,
  DATA_ROOMS_STRAFE,
  DATA_ROOMS_TURN,
  DATA_ROOMS_LOOK,
  DATA_ROOMS_ACTIONS
} data_rooms_action;

enum { DATA_ROOMS_SIDE = 2, DATA_ROOMS = DATA_ROOMS_SIDE * DATA_ROOMS_SIDE, DATA_ROOMS_DOORS = 4 };
enum { DATA_ROOMS_THINGS = 4, DATA_ROOMS_SIDES = 4 };

// Of /state: where somebody stands and looks, then x and y of each thing.
typedef enum {
  DATA_ROOMS_X,
  DATA_ROOMS_Y,
  DATA_ROOMS_YAW,   // in [-pi,pi)
  DATA_ROOMS_PITCH, //
  DATA_ROOMS_THING, // x, y of each
  DATA_ROOMS_STATE = DATA_ROOMS_THING + 2 * DATA_ROOMS_THINGS
} data_rooms_state_row;

#define DATA_ROOMS_SIZE     3.0  // of a room, from wall to wall
#define DATA_ROOMS_DOOR     0.9  // width of a door
#define DATA_ROOMS_EYE      1.0  // height of the eye
#define DATA_ROOMS_LENS     1.31 // vertical angle of view
#define DATA_ROOMS_PITCHED  0.45 // highest and lowest pitch
#define DATA_ROOMS_SHOULDER 0.22 // radius of whoever walks

extern const char *const data_rooms_action_names[DATA_ROOMS_ACTIONS];
extern const char *const data_rooms_action_units[DATA_ROOMS_ACTIONS];
extern const double data_rooms_action_most[DATA_ROOMS_ACTIONS];
extern const char *const data_rooms_state_names[DATA_ROOMS_STATE];

// -- an episode's rooms ---------------------------------------------------------------------

typedef struct {
  bool open[DATA_ROOMS_DOORS];   // all but one at most: every room can be reached
  double door[DATA_ROOMS_DOORS]; // middle of each along its wall, from the wall's middle
  double wall[DATA_ROOMS][3];    // colours, 0..1
  double floor[DATA_ROOMS][3];   //
  double picture[DATA_ROOMS][DATA_ROOMS_SIDES][2][3]; // frame and middle
  double thing[DATA_ROOMS_THINGS][3];
  double place[DATA_ROOMS_THINGS][2]; // of the things
  double start[3];                    // x, y, yaw
} data_rooms_plan;

// Local. A function of (seed, episode) alone. Thread safe.
void data_rooms_plan_draw(uint64_t seed, uint64_t episode, data_rooms_plan *out);
// Local. Middle of a room; side 0 is towards +x, then -x, +y, -y. Number of the door in a side of a
// room, -1 = none: it is an outer wall.
void data_rooms_middle(int room, double *x, double *y);
int data_rooms_door_of(int room, int side);
// Local. The room that (x,y) is in.
int data_rooms_room_at(double x, double y);

// -- what a picture shows -------------------------------------------------------------------

// In pixels from the upper left corner: a middle, and half of what surrounds it.
typedef struct {
  double column, row, half_width, half_height;
} data_rooms_box;
// Local. Where a thing of a state [DATA_ROOMS_STATE] is in a picture, as it stood at first. False
// where its middle is in another room, out of the picture or right before one's feet. What else
// stands before it is not looked at. Thread safe.
bool data_rooms_thing_at(const float *state, int thing, int64_t height, int64_t width,
                         data_rooms_box *out);

// -- with a simulator -----------------------------------------------------------------------

typedef struct data_rooms data_rooms;

// Local. A scene that steps 1/fps seconds at a time. height = width = 0: physics without pictures.
// ORR_EINVAL, ORR_ENOMEM, ORR_EUNSUPPORTED. The caller destroys it.
orr_code data_rooms_create(int64_t height, int64_t width, double fps, data_rooms **out);
void data_rooms_destroy(data_rooms *r); // takes NULL
// Local. Builds the rooms of an episode, as data_rooms_plan_draw has them.
orr_code data_rooms_reset(data_rooms *r, uint64_t seed, uint64_t episode);
const data_rooms_plan *data_rooms_plan_of(const data_rooms *r); // as built
// Local. Applies one action (clamped to [-1,1]) for 1/fps seconds.
orr_code data_rooms_step(data_rooms *r, const float *action);
void data_rooms_state(const data_rooms *r, float *state); // Local. Writes [DATA_ROOMS_STATE].
// Local. Draws what is seen into rgb [height,width,3].
orr_code data_rooms_render(data_rooms *r, uint8_t *rgb);

#endif
