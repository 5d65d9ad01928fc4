// Numbers drawn from ranges, and the parts of worlds.
#include "data/sim/physics_stage.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"

// Positions of the counter: what is drawn by one number.
enum { DRAW_VIEW, DRAW_VARIANT, DRAW_COLOUR, DRAW_HEAVY = 8, DRAW_COVER = 12, DRAW_FACTORS = 16 };

typedef struct {
  double low[2], high[2]; // as trained, outside
} factor_range;
#define ROW(name, unit, low, high, low_outside, high_outside)                                      \
  {{low, low_outside}, {high, high_outside}},
static const factor_range ranges[] = {DATA_PHYSICS_FACTOR_ROWS(ROW)};
#undef ROW

// What is tested inside was not trained on, though its numbers are of the same kind.
static uint64_t seed_of(uint64_t seed, data_physics_range range) {
  return seed * DATA_PHYSICS_RANGES + (uint64_t)range;
}

typedef struct {
  uint64_t seed, group;
  bool outside;
} source;

static double uniform(const source *s, uint64_t position) {
  return orr_rng_uniform(s->seed, ORR_STREAM_SCENE, s->group, position);
}

static int below(const source *s, uint64_t position, int n) {
  return (int)orr_rng_below(s->seed, ORR_STREAM_SCENE, s->group, position, (uint64_t)n);
}

// A third of the pairs of colours is not trained on: those whose numbers' sum 3 divides.
static void draw_colours(const source *s, data_physics_draw *d) {
  const int N = DATA_PHYSICS_COLOURS;
  for (uint64_t i = DRAW_COLOUR; i < DRAW_HEAVY; i++) {
    d->colour[0] = below(s, i, N);
    d->colour[1] = (d->colour[0] + 1 + below(s, i + 1024, N - 1)) % N;
    if (((d->colour[0] + d->colour[1]) % 3 == 0) == s->outside) return;
  }
  d->colour[0] = s->outside ? 0 : 1;
  d->colour[1] = 3;
}

// Masses go with the marks; colours with the masses, where that is wanted.
static void link_colours(data_physics_link link, data_physics_draw *d) {
  const int half = DATA_PHYSICS_COLOURS / 2;
  for (int i = 0; i < 2 && link != DATA_PHYSICS_LINK_none; i++) {
    const bool warm = d->heavy[i] == (link == DATA_PHYSICS_LINK_agree);
    d->colour[i] = d->colour[i] % half + (warm ? 0 : half);
  }
  if (d->colour[0] == d->colour[1])
    d->colour[1] = d->colour[1] / half * half + (d->colour[1] + 1) % half;
}

// What is hidden for a moment, or in part, is a lesson for what is hidden whole: three of five
// screens to train on are narrower than those of the exam. A pair, whose pasts look alike at the
// event, needs all of a screen, and so does what differs in one thing alone.
static double draw_cover(const data_physics_choice *c, const source *s) {
  const bool lesson =
      c->range == DATA_PHYSICS_RANGE_training && !c->pairs && c->change == DATA_PHYSICS_CHANGE_none;
  return lesson ? fmin(1.0, 0.2 + 4.0 / 3.0 * uniform(s, DRAW_COVER)) : 1.0;
}

void data_physics_draw_group(const data_physics_choice *c, uint64_t seed, uint64_t group,
                             data_physics_draw *d) {
  const source s = {seed_of(seed, c->range), group, c->range == DATA_PHYSICS_RANGE_outside};
  const bool all = c->concept == DATA_PHYSICS_ALL;
  memset(d, 0, sizeof *d);
  d->concept = all ? (int)(group % DATA_PHYSICS_CONCEPTS) : (int)c->concept;
  const uint64_t turn = all ? group / DATA_PHYSICS_CONCEPTS : group;
  d->variant = (int)(turn % (uint64_t)data_physics_variants[d->concept]);
  d->oblique = below(&s, DRAW_VIEW, 2) == 1;
  for (int f = 0; f < DATA_PHYSICS_FACTORS; f++) {
    const factor_range *r = &ranges[f];
    d->of[f] = r->low[s.outside] +
               (r->high[s.outside] - r->low[s.outside]) * uniform(&s, DRAW_FACTORS + (uint64_t)f);
  }
  for (int i = 0; i < 2; i++) d->heavy[i] = below(&s, DRAW_HEAVY + (uint64_t)i, 2) == 1;
  if (d->concept == DATA_PHYSICS_CONCEPT_collision) data_physics_collision_masses(d);
  d->cover = draw_cover(c, &s);
  draw_colours(&s, d);
  link_colours(c->link, d);
}

void data_physics_stage_of(const data_physics_draw *d, int past, data_physics_stage *s) {
#define BUILD(name, ...) data_physics_stage_##name,
  static void (*const build[])(const data_physics_draw *, int,
                               data_physics_stage *) = {DATA_PHYSICS_CONCEPT_ROWS(BUILD)};
#undef BUILD
  memset(s, 0, sizeof *s);
  s->concept = d->concept;
  s->variant = d->variant;
  s->oblique = d->oblique;
  s->event_s = DATA_PHYSICS_EVENT_S;
  s->stops = -1;
  build[d->concept](d, past, s);
  s->screen_half *= d->cover;
}

static void remove_one(data_physics_stage *s) {
  if (s->removable >= 0) {
    s->things--;
    memmove(s->thing + s->removable, s->thing + s->removable + 1,
            (size_t)(s->things - s->removable) * sizeof *s->thing);
  } else {
    const int i = -1 - s->removable;
    s->props--;
    memmove(s->prop + i, s->prop + i + 1, (size_t)(s->props - i) * sizeof *s->prop);
  }
}

void data_physics_stage_change(data_physics_stage *s, data_physics_change change) {
  data_physics_thing *first = &s->thing[0];
  if (change == DATA_PHYSICS_CHANGE_removal) remove_one(s);
  if (change == DATA_PHYSICS_CHANGE_mass)
    first->mass = first->mass >= DATA_PHYSICS_HEAVY ? 1.0 : DATA_PHYSICS_HEAVY;
  if (change == DATA_PHYSICS_CHANGE_colour) {
    const int other = s->things > 1 ? s->thing[1].colour : -1;
    do first->colour = (first->colour + 1) % DATA_PHYSICS_COLOURS;
    while (first->colour == other);
  }
}

// -- parts ----------------------------------------------------------------------------------

static data_physics_thing *add_thing(data_physics_stage *s, int colour, bool heavy) {
  data_physics_thing *t = &s->thing[s->things++];
  t->colour = colour;
  t->mass = heavy ? DATA_PHYSICS_HEAVY : 1.0;
  return t;
}

data_physics_thing *data_physics_add_ball(data_physics_stage *s, double radius, int colour,
                                          bool heavy) {
  data_physics_thing *t = add_thing(s, colour, heavy);
  t->half[0] = t->half[1] = t->z = radius;
  return t;
}

data_physics_thing *data_physics_add_box(data_physics_stage *s, double half_x, double half_z,
                                         int colour, bool heavy) {
  data_physics_thing *t = add_thing(s, colour, heavy);
  t->box = true;
  t->half[0] = half_x;
  t->half[1] = t->z = half_z;
  return t;
}

data_physics_prop *data_physics_add_prop(data_physics_stage *s, data_physics_kind kind, double x,
                                         double z, double half_x, double half_z) {
  data_physics_prop *p = &s->prop[s->props++];
  *p = (data_physics_prop){.kind = kind, .x = x, .z = z, .half = {half_x, half_z}};
  return p;
}

void data_physics_add_screen(data_physics_stage *s, double x, double half, double top) {
  s->screen = true;
  s->screen_x = x;
  s->screen_half = half;
  s->screen_top = top;
}

double data_physics_place(const data_physics_draw *d, double most, double from, double half) {
  const double room = DATA_PHYSICS_VIEW - from - half;
  return d->of[DATA_PHYSICS_FACTOR_place] * fmax(0, fmin(most, room));
}

double data_physics_before(const data_physics_stage *s, double at, double v) {
  return at - v * s->event_s;
}

double data_physics_gone(double half) {
  return DATA_PHYSICS_VIEW + half + 0.01;
}
