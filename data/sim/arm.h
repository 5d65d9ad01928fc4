// The arm scene: six joints and a gripper on a table, seen by a camera before the table (`base`)
// and one in the hand (`wrist`), side by side in one frame. Physics by MuJoCo, pictures by its
// renderer.
//
// Actions move the hand, not the joints: seven numbers in [-1,1], three shares of a highest speed
// (x, y, z), three of a highest turning speed (roll, pitch, yaw), and the grip. What such an action
// does to a picture is the same wherever the hand is, so a small model learns it from few frames; a
// joint's speed would mean another movement in every posture. The joints follow by inverse
// kinematics and their own servos.
//
// Units: metres, seconds, radians. The arm stands at the origin and reaches along x; y points to
// the right of the base view, z up from the table's surface. The constants, the way from the table
// to pixels and what is read from pictures need no simulator.
// Not thread safe: the renderer belongs to the thread that created it.
#ifndef DATA_ARM_H
#define DATA_ARM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "data/sim/goals.h"

// X(name, unit, what action 1 means): speeds at action 1, and the grip, 1 closed and -1 open
#define DATA_ARM_ACTION_ROWS(X)                                                                    \
  X(x, "m/s", 0.4)                                                                                 \
  X(y, "m/s", 0.4)                                                                                 \
  X(z, "m/s", 0.4)                                                                                 \
  X(roll, "rad/s", 1.5)                                                                            \
  X(pitch, "rad/s", 1.5)                                                                           \
  X(yaw, "rad/s", 1.5)                                                                             \
  X(grip, "closed", 1.0)

typedef enum {
  DATA_ARM_X,
  DATA_ARM_Y,
  DATA_ARM_Z,
  DATA_ARM_ROLL,
  DATA_ARM_PITCH,
  DATA_ARM_YAW,
  DATA_ARM_GRIP,
  DATA_ARM_ACTIONS
} data_arm_action;

// Of /state. The hand comes first, in the order of the actions: where its finger tips are.
typedef enum {
  DATA_ARM_OPENING = DATA_ARM_GRIP,        // of the gripper, 0..1
  DATA_ARM_BLOCK,                          // x, y, z of the block's middle
  DATA_ARM_BLOCK_YAW = DATA_ARM_BLOCK + 3, // in [-pi/4,pi/4): it is square
  DATA_ARM_DISC,                           // x, y of the disc's middle
  DATA_ARM_STATE = DATA_ARM_DISC + 2
} data_arm_state_row;

typedef enum { DATA_ARM_REACH, DATA_ARM_PUSH, DATA_ARM_LIFT, DATA_ARM_TASKS } data_arm_task;

#define DATA_ARM_BLOCK_HALF   0.03 // of its side
#define DATA_ARM_DISC_RADIUS  0.05
#define DATA_ARM_FINGER_MOST  0.05 // of a finger from the middle, when open
#define DATA_ARM_FINGER_LEAST 0.004

extern const char *const data_arm_action_names[DATA_ARM_ACTIONS];
extern const double data_arm_action_most[DATA_ARM_ACTIONS]; // of action 1, in its unit
extern const char *const data_arm_action_units[DATA_ARM_ACTIONS];
extern const char *const data_arm_state_names[DATA_ARM_STATE];
extern const data_goals data_arm_goals;
// Where the hand is at the start of every episode: the first seven of the state.
extern const float data_arm_home[DATA_ARM_ACTIONS];

// Local. The hand [7] after one action [7] for dt_s seconds: within the reach, x y z added, and the
// gripper on its way to what the grip asks for.
void data_arm_move(float *hand, const float *action, double dt_s);
// Local. The base view is square; its column and row where the point (x,y,z) shows.
void data_arm_to_pixel(int64_t side, double x, double y, double z, double *column, double *row);
// Local. `see` of the scene's goals (data/sim/goals.h).
void data_arm_see(const uint8_t *rgb, int64_t height, int64_t width, double fps,
                  const float *action, float *state);

// -- with a simulator -----------------------------------------------------------------------

typedef struct data_arm data_arm;

// Local. A scene that steps 1/fps seconds at a time. height = width = 0: physics without pictures,
// else width = 2 * height. ORR_EINVAL, ORR_ENOMEM, ORR_EUNSUPPORTED. The caller destroys it.
orr_code data_arm_create(int64_t height, int64_t width, double fps, data_arm **out);
void data_arm_destroy(data_arm *a); // takes NULL
// Local. A start: the hand at home, block and disc apart from each other: a function of (seed,
// episode) alone.
orr_code data_arm_reset(data_arm *a, uint64_t seed, uint64_t episode);
// Local. Applies one action (clamped to [-1,1]) for 1/fps seconds.
orr_code data_arm_step(data_arm *a, const float *action);
void data_arm_state(const data_arm *a, float *state); // Local. Writes [DATA_ARM_STATE].
// Local. Draws both views into rgb [height,width,3].
orr_code data_arm_render(data_arm *a, uint8_t *rgb);

#endif
