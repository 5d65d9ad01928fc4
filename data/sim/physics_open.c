// Worlds without a screen: what the event hides is which way things moved, as pictures stand still.
#include "data/sim/physics_stage.h"

#include <math.h>

enum { LEVEL, UP, ARC }; // variants of motion

// A thing passes a place at the event in one direction (a) or the other (b).
void data_physics_stage_motion(const data_physics_draw *d, int past, data_physics_stage *s) {
  const double r = d->of[DATA_PHYSICS_FACTOR_size], speed = d->of[DATA_PHYSICS_FACTOR_speed],
               T = s->event_s, fall = 0.5 * DATA_PHYSICS_GRAVITY * T * T;
  data_physics_thing *t = data_physics_add_ball(s, r, d->colour[0], d->heavy[0]);
  double vx = 0, vz = 0; // at the event
  if (d->variant == LEVEL) vx = speed;
  if (d->variant == UP) vz = 0.4 * speed;
  if (d->variant == ARC) {
    vx = 0.8 * speed;
    vz = 0.5 * speed * tan(d->of[DATA_PHYSICS_FACTOR_angle]);
  }
  const double x = data_physics_place(d, 0.15, vx * T, r),
               z = d->variant == LEVEL ? r : r + 0.05 + fall + fmax(0, vz * T);
  // b is a little slower, so that its pictures are none of a's
  if (past) vx *= -0.94;
  if (past && d->variant == UP) vz *= -0.94;
  t->x = x - vx * T;
  t->vx = vx;
  t->z = z;
  if (d->variant != LEVEL) {
    t->z = z - vz * T - fall;
    t->vz = vz + DATA_PHYSICS_GRAVITY * T;
  }
  s->removable = 0;
}

enum { EQUAL, LEFT_HEAVY, RIGHT_HEAVY }; // variants of collision

void data_physics_collision_masses(data_physics_draw *d) {
  if (d->variant == EQUAL) d->heavy[1] = d->heavy[0];
  for (int i = 0; i < 2 && d->variant != EQUAL; i++)
    d->heavy[i] = (d->variant == LEFT_HEAVY) == (i == 0);
}

// Two balls touch at the event: the left one came (a), or the right one (b), and the other stood.
void data_physics_stage_collision(const data_physics_draw *d, int past, data_physics_stage *s) {
  const double r = 0.75 * d->of[DATA_PHYSICS_FACTOR_size],
               speed = 0.8 * d->of[DATA_PHYSICS_FACTOR_speed], v = past ? -speed : speed,
               place = data_physics_place(d, 0.15, r + speed * s->event_s, r);
  for (int i = 0; i < 2; i++) {
    data_physics_thing *t = data_physics_add_ball(s, r, d->colour[i], d->heavy[i]);
    t->x = place + (i ? r : -r);
    if (i != past) continue;
    t->x = data_physics_before(s, t->x, v);
    t->vx = v;
  }
  s->removable = 1;
}

enum { WAY, HOLD }; // variants of support

// A plank on a pillar hangs on a hook until the event. The pillar, hidden by a screen by then,
// stands left of the plank's middle (a) or right of it (b); or under it (a) or beside it (b).
void data_physics_stage_support(const data_physics_draw *d, int past, data_physics_stage *s) {
  const double size = d->of[DATA_PHYSICS_FACTOR_size], half = 2.2 * size,
               place = data_physics_place(d, 0.15, 0, half), off = d->of[DATA_PHYSICS_FACTOR_reach],
               height = 0.55, side = d->heavy[1] ? 1 : -1;
  double pillar = place;
  if (d->variant == WAY) pillar += past ? off : -off;
  if (d->variant == HOLD && past) pillar += side * off;
  data_physics_thing *t = data_physics_add_box(s, half, 0.4 * size, d->colour[0], d->heavy[0]);
  t->x = place;
  t->z = height + t->half[1];
  t->turns = true;
  t->friction = 0.6;
  s->held = true;
  data_physics_add_prop(s, DATA_PHYSICS_BLOCK, pillar, 0.5 * height, 0.06, 0.5 * height);
  data_physics_add_screen(s, place, off + 0.1, height);
  s->removable = -1;
}
