// A small world before it runs: what stands where, what moves how, as plain data. Which one is a
// function of numbers drawn from named ranges; nothing here needs a simulator. Local; thread safe.
#ifndef DATA_PHYSICS_STAGE_H
#define DATA_PHYSICS_STAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "data/sim/physics.h"

// Moves in the plane.
typedef struct {
  bool box;        // else a ball
  double half[2];  // m, sideways and upwards; of a ball both are its radius
  double x, z;     // of its middle
  double vx, vz;   // m/s
  double mass;     // kg; DATA_PHYSICS_HEAVY and more has a dark mark, less a light one
  int colour;      // -1 = grey, without a mark
  bool turns;      // about the axis that the camera looks along
  double friction; // with boxes that hold it up
  int lane;        // things of one lane meet each other
} data_physics_thing;

typedef enum {
  DATA_PHYSICS_WALL,  // solid: stops things and lets them bounce
  DATA_PHYSICS_BLOCK, // solid: holds things up
  DATA_PHYSICS_ICE,   // a strip of the floor that only looks so
  DATA_PHYSICS_FELT,  // and one that brakes what slides over it
} data_physics_kind;

typedef struct {
  data_physics_kind kind;
  double x, z, half[2];
  double brake; // m/s^2
} data_physics_prop;

enum { DATA_PHYSICS_PROPS = 3 };

typedef struct {
  int concept, variant;
  bool oblique;
  int things, props;
  data_physics_thing thing[DATA_PHYSICS_THINGS];
  data_physics_prop prop[DATA_PHYSICS_PROPS];
  double event_s;
  bool held;    // thing 0 hangs on a hook until the event
  int stops;    // this thing halts at the event; -1 = none
  bool screen;  // rises before the event, from the floor to `screen_top` at the plane of things
  bool reveals; // and sinks after it
  double screen_x, screen_half, screen_top;
  int removable; // kind of thing that a removal takes: index of a thing, -1 - index of a prop
} data_physics_stage;

// The numbers that worlds differ in. X(name, unit, low and high as trained, low and high outside)
#define DATA_PHYSICS_FACTOR_ROWS(X)                                                                \
  X(speed, "m/s", 0.70, 1.10, 1.25, 1.48)                                                          \
  X(size, "m", 0.14, 0.18, 0.20, 0.24)                                                             \
  X(angle, "rad", -0.35, 0.35, 0.40, 0.50)                                                         \
  X(count, "", 2, 2, 3, 3)                                                                         \
  X(place, "", -1, 1, -1, 1)                                                                       \
  X(reach, "m", 0.18, 0.23, 0.25, 0.28)

#define DATA_PHYSICS_FACTOR(name, ...) DATA_PHYSICS_FACTOR_##name,
typedef enum {
  DATA_PHYSICS_FACTOR_ROWS(DATA_PHYSICS_FACTOR) DATA_PHYSICS_FACTORS
} data_physics_factor;

// What the group's own numbers decide.
typedef struct {
  int concept, variant;
  bool oblique;
  double of[DATA_PHYSICS_FACTORS];
  int colour[2];
  bool heavy[2];
  double cover; // width of the screen as a share of what hides all that it should
} data_physics_draw;

// Local. Of group number `group`: a function of (choice, seed, group) alone.
void data_physics_draw_group(const data_physics_choice *c, uint64_t seed, uint64_t group,
                             data_physics_draw *out);
// Local. The world of past a (0) or b (1).
void data_physics_stage_of(const data_physics_draw *d, int past, data_physics_stage *out);
// Local. The other future of a change; an action changes nothing here.
void data_physics_stage_change(data_physics_stage *s, data_physics_change change);

// The concepts' worlds (physics_open.c, physics_screen.c).
#define DATA_PHYSICS_STAGE(name, ...)                                                              \
  void data_physics_stage_##name(const data_physics_draw *d, int past, data_physics_stage *s);
DATA_PHYSICS_CONCEPT_ROWS(DATA_PHYSICS_STAGE)

// Local. Which of the two that meet are heavy, by the variant.
void data_physics_collision_masses(data_physics_draw *d);

// Parts that they share. s: the stage that takes one more of them.
data_physics_thing *data_physics_add_ball(data_physics_stage *s, double radius, int colour,
                                          bool heavy);
data_physics_thing *data_physics_add_box(data_physics_stage *s, double half_x, double half_z,
                                         int colour, bool heavy);
data_physics_prop *data_physics_add_prop(data_physics_stage *s, data_physics_kind kind, double x,
                                         double z, double half_x, double half_z);
void data_physics_add_screen(data_physics_stage *s, double x, double half, double top);
// A place for the event, at most `most` m from the middle and so that what comes from `from` m away
// is in the picture with all of its `half`, from either side.
double data_physics_place(const data_physics_draw *d, double most, double from, double half);
// Where a thing that is at `at` at the event and moves at `v` was in the beginning.
double data_physics_before(const data_physics_stage *s, double at, double v);
// Beyond the right edge of the picture, with room for half a thing.
double data_physics_gone(double half);

#endif
