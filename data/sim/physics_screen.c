// Worlds in which a screen stands before what decides by the time of the event.
#include "data/sim/physics_stage.h"

enum { THERE, SAME }; // variants of permanence

// The screen hides a ball (a), or it was ahead and has left the picture (b); or one of two balls
// did the one and the other the other. By the event nothing is to be seen but the screen.
void data_physics_stage_permanence(const data_physics_draw *d, int past, data_physics_stage *s) {
  const double r = d->of[DATA_PHYSICS_FACTOR_size], v = d->of[DATA_PHYSICS_FACTOR_speed],
               half = r + 0.14;
  for (int i = 0; i < (d->variant == SAME ? 2 : 1); i++) {
    data_physics_thing *t = data_physics_add_ball(s, r, d->colour[i], d->heavy[0]);
    t->x = data_physics_before(s, i == past ? r + 0.01 - half : data_physics_gone(r), v);
    t->vx = v;
  }
  data_physics_add_screen(s, 0, half, 2 * r + 0.15);
  s->removable = 0;
}

enum { WALL, COMPARTMENT }; // variants of solidity

// A ball meets a wall from the left (a) or from the right (b), hidden by the screen; or it drops
// into the room left or right of the wall, and the screen sinks.
void data_physics_stage_solidity(const data_physics_draw *d, int past, data_physics_stage *s) {
  const double r = d->of[DATA_PHYSICS_FACTOR_size], v = d->of[DATA_PHYSICS_FACTOR_speed],
               way = past ? -1 : 1, thick = 0.03;
  const double at = d->variant == WALL ? 0 : data_physics_place(d, 0.15, 0.6, 0.2);
  data_physics_thing *t = data_physics_add_ball(s, r, d->colour[0], d->heavy[0]);
  if (d->variant == WALL) {
    t->vx = way * v;
    t->x = data_physics_before(s, -way * (thick + r + 0.05), t->vx);
  } else {
    t->x = at - way * 0.28;
    t->z = 1.6;
    t->vz = -2.2 - 0.3 * (v - 0.7);
    s->reveals = true;
    for (int side = -1; side <= 1; side += 2)
      data_physics_add_prop(s, DATA_PHYSICS_WALL, at + side * 0.56, 0.2, thick, 0.2);
  }
  data_physics_add_prop(s, DATA_PHYSICS_WALL, at, 0.6, thick, 0.6);
  data_physics_add_screen(s, at, d->variant == WALL ? thick + 2 * r + 0.06 : 0.62, 0.6);
  s->removable = -s->props;
}

// A block slides to where the screen hides it, over ice (a) or felt (b).
void data_physics_stage_friction(const data_physics_draw *d, int past, data_physics_stage *s) {
  const double size = d->of[DATA_PHYSICS_FACTOR_size], v = d->of[DATA_PHYSICS_FACTOR_speed],
               half = 0.38, strip = half - size;
  data_physics_thing *t = data_physics_add_box(s, size, size, d->colour[0], d->heavy[0]);
  t->vx = v;
  t->x = data_physics_before(s, 0.02 - strip, v);
  data_physics_prop *floor =
      data_physics_add_prop(s, past ? DATA_PHYSICS_FELT : DATA_PHYSICS_ICE, 0, -0.2, strip, 0.2);
  floor->brake = past ? 6.0 : 0;
  data_physics_add_screen(s, 0, half, 0.6);
  s->removable = -1;
}

// `count` balls go to where the screen hides them, in a row (a), or one less, as the first was gone
// before (b).
void data_physics_stage_number(const data_physics_draw *d, int past, data_physics_stage *s) {
  const double r = 0.12 + 0.4 * (d->of[DATA_PHYSICS_FACTOR_size] - 0.14),
               v = 1.3 * d->of[DATA_PHYSICS_FACTOR_speed], apart = 2 * r + 0.04;
  const int count = (int)d->of[DATA_PHYSICS_FACTOR_count], in = count - past;
  const double half = 0.5 * apart * (count - 1) + r + 0.03, last = r + 0.01 - half;
  // as long before the event as the screen hides the one that b has not
  const double gone = data_physics_gone(r) + apart * (count - 1);
  for (int i = 0; i < count; i++) {
    data_physics_thing *t = data_physics_add_ball(s, r, d->colour[0], d->heavy[0]);
    t->x = data_physics_before(s, i < in ? last + apart * i : gone, v);
    t->vx = v;
  }
  data_physics_add_screen(s, 0, half, 2 * r + 0.15);
  s->removable = 0;
}

// A rod strikes the block at the event (a), or is too short for it (b), with a head of as much
// wood; the screen hides its end.
void data_physics_stage_tool(const data_physics_draw *d, int past, data_physics_stage *s) {
  const double size = d->of[DATA_PHYSICS_FACTOR_size], v = 0.65 * d->of[DATA_PHYSICS_FACTOR_speed],
               left = -0.8, meets = 0.3, shorter = -0.05, thick = 0.06, level = 0.16,
               end = past ? shorter : meets;
  data_physics_thing *block = data_physics_add_box(s, size, size, d->colour[0], d->heavy[0]);
  block->x = meets + size;
  for (int i = 0; i < 1 + past; i++) {
    data_physics_thing *rod = i ? data_physics_add_box(s, 0.1, 0.12, -1, true)
                                : data_physics_add_box(s, 0.5 * (end - left), thick, -1, true);
    rod->x = data_physics_before(s, i ? end - 0.1 : 0.5 * (end + left), v);
    rod->z = level;
    rod->vx = v;
    rod->mass = 100;
    rod->lane = i;
  }
  s->stops = 1;
  data_physics_add_screen(s, 0, 0.36, 0.5);
  s->removable = 1;
}
