// The physics scene: small worlds in which one idea about things decides what comes next. They lie
// in a plane that the camera looks at: x goes right, z up, in metres; gravity is
// DATA_PHYSICS_GRAVITY. What is possible and what is not is fixed by construction:
//
// Every world has two pasts, `a` and `b`, that look alike at one frame, the event, to the byte:
// what tells them apart was seen before it (which way a thing moved, what a screen hid) and
// shows no more. Each past has its own true future. A past that is followed by the other's future
// is impossible, and as each future follows each past once, nothing that looks at the future alone,
// or at any single frame, can tell the possible from the impossible: whatever it prefers, it is
// right exactly as often as it is wrong. Four episodes make a group: a+a, a+b, b+b, b+a.
//
// This part needs no simulator: an examination uses it on predicted frames. Local; thread safe.
#ifndef DATA_PHYSICS_H
#define DATA_PHYSICS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "base/status.h"

// X(name, variants, sentence)
#define DATA_PHYSICS_CONCEPT_ROWS(X)                                                               \
  X(motion, 3, "a thing goes on as it went: level, up or down, along a parabola")                  \
  X(collision, 3, "two things meet, light or heavy as their marks say")                            \
  X(permanence, 2, "what went behind a screen is there, and is still the same thing")              \
  X(solidity, 2, "nothing passes through a wall")                                                  \
  X(support, 2, "a plank stays where it is held up, and tips where it is not")                     \
  X(friction, 1, "a block slides over ice and stops on felt")                                      \
  X(number, 1, "as many come out as went in")                                                      \
  X(tool, 1, "a rod moves what it reaches")

// X(name)
#define DATA_PHYSICS_RANGE_ROWS(X)  X(training) X(inside) X(outside)
#define DATA_PHYSICS_CHANGE_ROWS(X) X(none) X(action) X(removal) X(mass) X(colour)
#define DATA_PHYSICS_LINK_ROWS(X)   X(none) X(agree) X(flip)

#define DATA_PHYSICS_CONCEPT(name, ...) DATA_PHYSICS_CONCEPT_##name,
typedef enum {
  DATA_PHYSICS_CONCEPT_ROWS(DATA_PHYSICS_CONCEPT) DATA_PHYSICS_CONCEPTS,
  DATA_PHYSICS_ALL = -1, // all of them in turn
} data_physics_concept;
#define DATA_PHYSICS_RANGE(name) DATA_PHYSICS_RANGE_##name,
typedef enum { DATA_PHYSICS_RANGE_ROWS(DATA_PHYSICS_RANGE) DATA_PHYSICS_RANGES } data_physics_range;
// What tells two futures of one moment apart.
#define DATA_PHYSICS_CHANGE(name) DATA_PHYSICS_CHANGE_##name,
typedef enum {
  DATA_PHYSICS_CHANGE_ROWS(DATA_PHYSICS_CHANGE) DATA_PHYSICS_CHANGES,
  DATA_PHYSICS_CHANGE_ALL = -1, // all of them but none, in turn
} data_physics_change;
// Whether a thing's colour tells its mass: no; warm colours are heavy; warm colours are light.
#define DATA_PHYSICS_LINK(name) DATA_PHYSICS_LINK_##name,
typedef enum { DATA_PHYSICS_LINK_ROWS(DATA_PHYSICS_LINK) DATA_PHYSICS_LINKS } data_physics_link;

// Which worlds; data_sim_options.choice of the scene.
typedef struct {
  data_physics_concept concept;
  data_physics_range range;
  bool pairs;                 // groups of four, as above; no actions
  data_physics_change change; // groups of two: episodes 2k and 2k+1 differ in this alone
  data_physics_link link;
} data_physics_choice;

#define DATA_PHYSICS_GRAVITY 1.5  // m/s^2
#define DATA_PHYSICS_ACTIONS 2    // a push on thing 0, right and up, each in [-1,1]
#define DATA_PHYSICS_PUSH    8.0  // m/s^2 at action 1
#define DATA_PHYSICS_HEAVY   4.0  // kg; a light thing has 1
#define DATA_PHYSICS_EVENT_S 0.6  // s from the first frame to the event
#define DATA_PHYSICS_VIEW    1.13 // m from the middle of the picture to its nearer edges
#define DATA_PHYSICS_LEVEL   0.75 // m: z in the middle of the picture
#define DATA_PHYSICS_TILT    0.4  // rad by which the oblique view looks down
#define DATA_PHYSICS_THINGS  4
#define DATA_PHYSICS_COLOURS 6 // numbers of colours; the tool has none: -1

// A state: x, z, vx, vz, angle, mass, size, colour of thing i at DATA_PHYSICS_OF * i (of one that
// is not there mass is 0), then what the episode is.
enum {
  DATA_PHYSICS_X,
  DATA_PHYSICS_Z,
  DATA_PHYSICS_VX,
  DATA_PHYSICS_VZ,
  DATA_PHYSICS_ANGLE,
  DATA_PHYSICS_MASS,
  DATA_PHYSICS_SIZE, // half the height of a thing
  DATA_PHYSICS_COLOUR,
  DATA_PHYSICS_OF,
  DATA_PHYSICS_IS_CONCEPT = DATA_PHYSICS_OF * DATA_PHYSICS_THINGS,
  DATA_PHYSICS_IS_VARIANT,
  DATA_PHYSICS_IS_OBLIQUE,
  DATA_PHYSICS_IS_EVENT,    // the last frame that the futures share; of a change by action likewise
  DATA_PHYSICS_IS_POSSIBLE, // 0 from the event on where the future is not the past's own
  DATA_PHYSICS_IS_PAST,     // 0 = a, 1 = b
  DATA_PHYSICS_IS_CHANGE,   // data_physics_change
  DATA_PHYSICS_STATE
};

extern const char *const data_physics_concept_names[DATA_PHYSICS_CONCEPTS];
extern const char *const data_physics_range_names[DATA_PHYSICS_RANGES];
extern const char *const data_physics_change_names[DATA_PHYSICS_CHANGES];
extern const char *const data_physics_link_names[DATA_PHYSICS_LINKS];
extern const char *const data_physics_action_names[DATA_PHYSICS_ACTIONS];
extern const char *const data_physics_state_names[DATA_PHYSICS_STATE];
extern const double data_physics_rgb[DATA_PHYSICS_COLOURS][3];
extern const int data_physics_variants[DATA_PHYSICS_CONCEPTS];

// The number of the event's frame at `fps`.
int64_t data_physics_event(double fps);
// Episodes that belong together: 4 pairs, 2 with a change, else 1.
int64_t data_physics_group(const data_physics_choice *c);

// What index.json says of such a set, at `fps`; NULL: out of memory. The caller's.
json_t *data_physics_index(const data_physics_choice *c, double fps);
// Pixels that speak for thing 0 of such a concept and half height (m) where all of it shows, about.
double data_physics_area(int concept, double size, int64_t height, int64_t width);

// Finds what has colour `colour` in rgb [height,width,3], real or predicted: the middle of its
// pixels as a place in the plane of things. Returns how many pixels speak for it; at 0 nothing was
// found and *x, *z are left alone.
double data_physics_locate(const uint8_t *rgb, int64_t height, int64_t width, bool oblique,
                           int colour, double *x, double *z);

#endif
