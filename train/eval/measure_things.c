// Whether things in the rooms stay as many as they are: of those that a real frame shows, how many
// the predicted one shows near the same place, and of how many it shows another one elsewhere.
#include "train/eval/measure.h"

#include <math.h>
#include <stdlib.h>

#include "base/json.h"
#include "data/sim/rooms.h"
#include "train/eval/arithmetic.h"

#define SATURATED 0.55  // a thing is; walls, floors and what stands before it are not
#define ALIKE     0.966 // cosine of 15 degrees of hue
#define LEAST     12    // pixels of a thing in the real frame, for it to be asked about

static const char *lacks(const train_eval_set *s) {
  return s->rooms ? NULL : "the data set has no state of the rooms scene";
}

// A colour without its brightness: direction is hue, length saturation.
typedef struct {
  double a, b;
} chroma;

static chroma chroma_of(const uint8_t *p) {
  const int top = p[0] > p[1] ? (p[0] > p[2] ? p[0] : p[2]) : (p[1] > p[2] ? p[1] : p[2]);
  const double most = top > 0 ? top : 1;
  return (chroma){(p[0] - 0.5 * (p[1] + p[2])) / most, 0.5 * sqrt(3.0) * (p[1] - p[2]) / most};
}

static bool is_like(chroma x, chroma thing) {
  const double length = hypot(x.a, x.b), whole = hypot(thing.a, thing.b);
  return length > 0.6 * whole && x.a * thing.a + x.b * thing.b > ALIKE * length * whole;
}

// The colour at the middle of a thing.
static chroma colour_at(const train_eval_set *s, const uint8_t *rgb, const data_rooms_box *b) {
  chroma mean = {0};
  for (int y = -1; y <= 1; y++)
    for (int x = -1; x <= 1; x++) {
      const int64_t at = ((int64_t)b->row + y) * s->width + (int64_t)b->column + x;
      const chroma c = chroma_of(rgb + 3 * at);
      mean.a += c.a / 9;
      mean.b += c.b / 9;
    }
  return mean;
}

// Pixels of a colour near the place of a thing, and elsewhere.
typedef struct {
  int64_t here, elsewhere;
} area;

static area area_of(const train_eval_set *s, const uint8_t *rgb, const data_rooms_box *b,
                    chroma colour) {
  // half of its size and two pixels farther: nobody walks to a hair
  const double wide = 1.5 * b->half_width + 2, high = 1.5 * b->half_height + 2;
  area all = {0};
  for (int64_t y = 0; y < s->height; y++)
    for (int64_t x = 0; x < s->width; x++) {
      if (!is_like(chroma_of(rgb + 3 * (y * s->width + x)), colour)) continue;
      const bool here =
          fabs((double)x + 0.5 - b->column) < wide && fabs((double)y + 0.5 - b->row) < high;
      if (here)
        all.here++;
      else
        all.elsewhere++;
    }
  return all;
}

typedef struct {
  train_measure_mean kept, doubled;
} score;

// What a frame shows of the things that the real one of the same moment shows.
static void add(const train_eval_set *s, const float *state, const uint8_t *real,
                const uint8_t *shown, score *all) {
  for (int i = 0; i < DATA_ROOMS_THINGS; i++) {
    data_rooms_box b;
    if (!data_rooms_thing_at(state, i, s->height, s->width, &b)) continue;
    const chroma colour = colour_at(s, real, &b);
    const area truth = area_of(s, real, &b, colour);
    if (hypot(colour.a, colour.b) < SATURATED || truth.here < LEAST) continue;
    const area is = area_of(s, shown, &b, colour);
    train_measure_mean_add(&all->kept, 3 * is.here >= truth.here);
    train_measure_mean_add(&all->doubled, 2 * (is.elsewhere - truth.elsewhere) > truth.here);
  }
}

static orr_code take(const train_films *f, json_t *out) {
  const train_eval_set *s = f->set;
  score predicted = {0}, decoded = {0};
  for (int64_t i = 0; i < s->E; i++) {
    const int64_t first = i * s->T + s->prompt;
    add(s, s->state + (first - 1) * s->Q, train_films_real(f, i, s->prompt - 1),
        f->given + i * f->bytes, &decoded);
    for (int64_t k = 0; k < f->horizon; k++)
      add(s, s->state + (first + k) * s->Q, train_films_real(f, i, s->prompt + k),
          f->predicted + (i * f->horizon + k) * f->bytes, &predicted);
  }
  const bool any = predicted.kept.count > 0, some = decoded.kept.count > 0;
  json_object_set_new(out, "things_kept",
                      orr_json_number(any ? train_measure_mean_of(&predicted.kept) : NAN));
  json_object_set_new(out, "things_doubled",
                      orr_json_number(any ? train_measure_mean_of(&predicted.doubled) : NAN));
  json_object_set_new(out, "things_seen", json_integer((json_int_t)predicted.kept.count));
  json_object_set_new(out, "given_things_kept",
                      orr_json_number(some ? train_measure_mean_of(&decoded.kept) : NAN));
  json_object_set_new(out, "given_things_doubled",
                      orr_json_number(some ? train_measure_mean_of(&decoded.doubled) : NAN));
  return ORR_OK;
}

const train_measure train_measure_things = {.figures = "things_kept", .lacks = lacks, .take = take};
