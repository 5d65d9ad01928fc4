// The tabletop scene: a walled table seen by a tilted camera from a distance, a velocity-driven
// puck and three things that it pushes about. Physics by MuJoCo, pictures by MuJoCo's renderer on
// OSMesa. Units: metres, seconds, radians; the table is the square -1 <= x, y <= 1, z points up.
// The constants, the mapping from table to pixels and the location of objects by colour need no
// simulator: an evaluation uses them on predicted frames.
// Not thread safe: the renderer belongs to the thread that created it.
#ifndef DATA_TABLETOP_H
#define DATA_TABLETOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "base/version.h"
#include "data/sim/goals.h"

typedef enum {
  DATA_TABLETOP_PUCK,
  DATA_TABLETOP_BOX,
  DATA_TABLETOP_CYLINDER,
  DATA_TABLETOP_SPHERE,
  DATA_TABLETOP_OBJECTS
} data_tabletop_object;

// X(name, red, green, blue, radius, middle): the colour that its top shows, in bytes, far from the
// others' in hue; the radius of its outline on the table (the box's is half its side) and the
// height of its middle above the table, both in metres.
#define DATA_TABLETOP_OBJECT_ROWS(X)                                                               \
  X(puck, 222, 58, 46, 0.15, 0.07)                                                                 \
  X(box, 44, 98, 220, 0.16, 0.11)                                                                  \
  X(cylinder, 36, 160, 88, 0.17, 0.11)                                                             \
  X(sphere, 244, 186, 26, 0.17, 0.17)

#define DATA_TABLETOP_ACTIONS    2    // wanted velocity of the puck, each in [-1,1]
#define DATA_TABLETOP_PUCK_SPEED 1.5  // m/s at action 1
#define DATA_TABLETOP_VIEW       1.13 // m from the middle of the picture to its nearer edges
#define DATA_TABLETOP_TILT       0.35 // rad between the camera's axis and straight down

// Layout of a state: x, y, vx, vy of object o at 4*o, then the box's angle in [-pi,pi) and spin.
#define DATA_TABLETOP_STATE     18
#define DATA_TABLETOP_BOX_ANGLE 16
#define DATA_TABLETOP_BOX_SPIN  17

extern const char *const data_tabletop_action_names[DATA_TABLETOP_ACTIONS];
extern const char *const data_tabletop_action_units[DATA_TABLETOP_ACTIONS];
extern const double data_tabletop_action_most[DATA_TABLETOP_ACTIONS]; // of action 1, in its unit
extern const char *const data_tabletop_state_names[DATA_TABLETOP_STATE];
extern const data_goals data_tabletop_goals;

// Local. Where the middle of `object` at (x, y) appears in a picture: columns from the left and
// rows from the top, the first pixel covering [0,1). Linear in x and y; an object's outline is
// symmetric about this point. The view is square and fits the shorter side of the picture.
void data_tabletop_to_pixel(int64_t height, int64_t width, data_tabletop_object object, double x,
                            double y, double *column, double *row);
// Local. The inverse.
void data_tabletop_from_pixel(int64_t height, int64_t width, data_tabletop_object object,
                              double column, double row, double *x, double *y);
// Local. Finds an object by its colour in rgb [height,width,3], real or predicted. *area is the
// number of pixels that speak for it (fractions count); where it is 0 nothing was found and *x, *y
// are left alone.
void data_tabletop_locate(const uint8_t *rgb, int64_t height, int64_t width,
                          data_tabletop_object object, double *x, double *y, double *area);

typedef struct data_tabletop data_tabletop;

// Local. Whether this build has the simulator; without it create returns ORR_EUNSUPPORTED.
bool data_tabletop_available(void);
// Local. MuJoCo as it is here; nothing in a build without it.
void data_tabletop_versions(orr_version_told *told, void *to);
// Local. A scene that steps 1/fps seconds at a time. height = width = 0: physics without pictures.
// ORR_EINVAL, ORR_ENOMEM, ORR_EUNSUPPORTED. The caller destroys it.
orr_code data_tabletop_create(int64_t height, int64_t width, double fps, data_tabletop **out);
void data_tabletop_destroy(data_tabletop *t);
// Local. A start state free of overlap, at rest: a function of (seed, episode) alone.
orr_code data_tabletop_reset(data_tabletop *t, uint64_t seed, uint64_t episode);
// Local. Puts everything where `state` [DATA_TABLETOP_STATE] says, velocities included.
orr_code data_tabletop_place(data_tabletop *t, const float *state);
// Local. Applies one action [DATA_TABLETOP_ACTIONS] (clamped to [-1,1]) for 1/fps seconds.
orr_code data_tabletop_step(data_tabletop *t, const float *action);
// Local. Writes the present state [DATA_TABLETOP_STATE].
void data_tabletop_state(const data_tabletop *t, float *state);
// Local. Bit o is set when the puck touched object o during the last step.
unsigned data_tabletop_touched(const data_tabletop *t);
// Local. Draws the present state into rgb [height,width,3].
orr_code data_tabletop_render(data_tabletop *t, uint8_t *rgb);

#endif
