// How the rooms of an episode are, without a simulator.
#include <math.h>

#include "base/rng.h"
#include "data/sim/rooms.h"

#define NAME(name, unit, most) #name,
const char *const data_rooms_action_names[DATA_ROOMS_ACTIONS] = {DATA_ROOMS_ACTION_ROWS(NAME)};
#define UNIT(name, unit, most) unit,
const char *const data_rooms_action_units[DATA_ROOMS_ACTIONS] = {DATA_ROOMS_ACTION_ROWS(UNIT)};
#define MOST(name, unit, most) most,
const double data_rooms_action_most[DATA_ROOMS_ACTIONS] = {DATA_ROOMS_ACTION_ROWS(MOST)};
const char *const data_rooms_state_names[DATA_ROOMS_STATE] = {
    "x",        "y",        "yaw",      "pitch",    "thing0.x", "thing0.y",
    "thing1.x", "thing1.y", "thing2.x", "thing2.y", "thing3.x", "thing3.y"};

void data_rooms_middle(int room, double *x, double *y) {
  *x = (room % DATA_ROOMS_SIDE - 0.5) * DATA_ROOMS_SIZE;
  *y = (room / DATA_ROOMS_SIDE - 0.5) * DATA_ROOMS_SIZE; // NOLINT: rows of rooms are whole
}

int data_rooms_door_of(int room, int side) {
  static const int doors[DATA_ROOMS][DATA_ROOMS_SIDES] = {
      {0, -1, 2, -1}, {-1, 0, 3, -1}, {1, -1, -1, 2}, {-1, 1, -1, 3}};
  return doors[room][side];
}

int data_rooms_room_at(double x, double y) {
  return (x > 0) + DATA_ROOMS_SIDE * (y > 0);
}

// -- drawing --------------------------------------------------------------------------------

typedef struct {
  uint64_t seed, episode, position;
} dice;

static double draw(dice *d, double lowest, double highest) {
  return lowest +
         (highest - lowest) * orr_rng_uniform(d->seed, ORR_STREAM_SCENE, d->episode, d->position++);
}

// Hue in turns, saturation and value 0..1.
static void colour(double hue, double saturation, double value, double *rgb) {
  for (int i = 0; i < 3; i++) {
    const double k = fmod(5 - 2 * i + 6 * (hue - floor(hue)), 6);
    const double off = fmax(0, fmin(1, fmin(k, 4 - k)));
    rgb[i] = value - value * saturation * off;
  }
}

static void draw_colours(dice *d, data_rooms_plan *p) {
  const double first = draw(d, 0, 1);
  for (int r = 0; r < DATA_ROOMS; r++) {
    const double hue = first + 0.25 * r + draw(d, -0.06, 0.06);
    colour(hue, draw(d, 0.2, 0.45), draw(d, 0.75, 0.95), p->wall[r]);
    colour(hue + draw(d, 0.3, 0.7), draw(d, 0.15, 0.4), draw(d, 0.45, 0.65), p->floor[r]);
    for (int s = 0; s < DATA_ROOMS_SIDES; s++) {
      const double own = draw(d, 0, 1);
      colour(own, draw(d, 0.6, 1), draw(d, 0.15, 0.5), p->picture[r][s][0]);
      colour(own + draw(d, 0.3, 0.7), draw(d, 0.6, 1), draw(d, 0.7, 1), p->picture[r][s][1]);
    }
  }
  for (int i = 0; i < DATA_ROOMS_THINGS; i++)
    colour(draw(d, 0, 1), draw(d, 0.8, 1), draw(d, 0.6, 1), p->thing[i]);
}

// Somewhere in a room, away from its walls.
static void draw_place(dice *d, double margin, double *x, double *y) {
  const double within = DATA_ROOMS_SIZE / 2 - margin;
  data_rooms_middle((int)draw(d, 0, DATA_ROOMS), x, y);
  *x += draw(d, -within, within);
  *y += draw(d, -within, within);
}

static bool is_free(const data_rooms_plan *p, int thing) {
  const double *at = p->place[thing];
  if (hypot(at[0] - p->start[0], at[1] - p->start[1]) < 0.8) return false;
  for (int i = 0; i < thing; i++)
    if (hypot(at[0] - p->place[i][0], at[1] - p->place[i][1]) < 0.6) return false;
  return true;
}

void data_rooms_plan_draw(uint64_t seed, uint64_t episode, data_rooms_plan *p) {
  dice d = {seed, episode, 0};
  const int shut = (int)draw(&d, 0, 2 * DATA_ROOMS_DOORS); // half of the time none
  for (int i = 0; i < DATA_ROOMS_DOORS; i++) {
    p->open[i] = i != shut;
    p->door[i] = draw(&d, -0.8, 0.8);
  }
  draw_colours(&d, p);
  draw_place(&d, 0.6, &p->start[0], &p->start[1]);
  p->start[2] = draw(&d, -M_PI, M_PI);
  for (int i = 0; i < DATA_ROOMS_THINGS; i++) do
      draw_place(&d, 0.5, &p->place[i][0], &p->place[i][1]);
    while (!is_free(p, i)); // there is room for more: this ends
}
