// Names of the physics scene, its colours, and things located by them.
#include "data/sim/physics.h"

#include <math.h>

#include "data/sim/colour.h"

#define NAME(name, ...) #name,
const char *const data_physics_concept_names[] = {DATA_PHYSICS_CONCEPT_ROWS(NAME)};
const char *const data_physics_range_names[] = {DATA_PHYSICS_RANGE_ROWS(NAME)};
const char *const data_physics_change_names[] = {DATA_PHYSICS_CHANGE_ROWS(NAME)};
const char *const data_physics_link_names[] = {DATA_PHYSICS_LINK_ROWS(NAME)};
#undef NAME
#define VARIANTS(name, variants, sentence) variants,
const int data_physics_variants[] = {DATA_PHYSICS_CONCEPT_ROWS(VARIANTS)};
#undef VARIANTS

const char *const data_physics_action_names[] = {"push.x", "push.z"};
#define THING(n)                                                                                   \
  "thing" #n ".x", "thing" #n ".z", "thing" #n ".vx", "thing" #n ".vz", "thing" #n ".angle",       \
      "thing" #n ".mass", "thing" #n ".size", "thing" #n ".colour",
const char *const data_physics_state_names[] = {THING(0) THING(1) THING(2) THING(3) "concept",
                                                "variant",
                                                "oblique",
                                                "event",
                                                "possible",
                                                "past",
                                                "change"};
#undef THING

// The warm ones first: red, yellow, magenta, green, cyan, blue.
const double data_physics_rgb[][3] = {{222, 58, 46}, {244, 186, 26}, {205, 62, 200},
                                      {36, 160, 70}, {32, 190, 205}, {44, 84, 220}};

int64_t data_physics_event(double fps) {
  return (int64_t)lround(DATA_PHYSICS_EVENT_S * fps);
}

int64_t data_physics_group(const data_physics_choice *c) {
  return c->pairs ? 4 : c->change != DATA_PHYSICS_CHANGE_none ? 2 : 1;
}

double data_physics_locate(const uint8_t *rgb, int64_t height, int64_t width, bool oblique,
                           int colour, double *x, double *z) {
  const data_colour_picture p = {rgb, height, width, 3 * width};
  double column = 0, row = 0;
  const double area =
      data_colour_find(&p, data_physics_rgb, DATA_PHYSICS_COLOURS, colour, &column, &row);
  if (area <= 0) return 0;
  const double scale = 0.5 * (double)(height < width ? height : width) / DATA_PHYSICS_VIEW;
  *x = (column - 0.5 * (double)width) / scale;
  *z = DATA_PHYSICS_LEVEL +
       (0.5 * (double)height - row) / (scale * (oblique ? cos(DATA_PHYSICS_TILT) : 1.0));
  return area;
}

static const char *word(int i, const char *const *words) {
  return i < 0 ? "all" : words[i];
}

json_t *data_physics_index(const data_physics_choice *c, double fps) {
  const int64_t event = data_physics_event(fps);
  json_t *all = json_pack(
      "{s:{s:s, s:s, s:s, s:s, s:b, s:I}}", "physics", "concept",
      word(c->concept, data_physics_concept_names), "range", data_physics_range_names[c->range],
      "change", word(c->change, data_physics_change_names), "confounded",
      data_physics_link_names[c->link], "pairs", c->pairs, "event", (json_int_t)event);
  return all;
}

double data_physics_area(int concept, double size, int64_t height, int64_t width) {
  const double scale = 0.5 * (double)(height < width ? height : width) / DATA_PHYSICS_VIEW,
               side = size * scale;
  switch (concept) {
  case DATA_PHYSICS_CONCEPT_support:
    return 0.9 * 22.0 * side * side; // a plank is 5.5 times as long as it is high
  case DATA_PHYSICS_CONCEPT_friction:
  case DATA_PHYSICS_CONCEPT_tool:
    return 0.75 * 4.0 * side * side; // the mark takes a quarter
  default:
    return 0.75 * 3.14159265358979323846 * side * side;
  }
}
