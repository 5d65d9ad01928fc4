// Things go on as they last moved: straight and at one speed, whatever they meet. What a thing is,
// is seen by its colour; where it was, the picture shows again what was there before.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "train/exam/examinee.h"

#define REACH   0.24 // m about a thing's middle that belong to it
#define SEEN    12.0 // pixels of 64 x 64 that a thing needs to be seen
#define DIFFERS 20   // of 255, from what was there before

typedef struct {
  double column, row, right, down; // its middle in pixels, and how it moves in a frame
} moving;

static double scale_of(const train_exam_set *s) {
  return 0.5 * (double)(s->height < s->width ? s->height : s->width) / DATA_PHYSICS_VIEW;
}

// Colour `colour` in the last two frames; whether it is seen in both.
static bool look(const train_exam_clip *c, int colour, moving *m) {
  const train_exam_set *s = c->set;
  const double scale = scale_of(s), enough = SEEN * (double)(s->height * s->width) / (64.0 * 64.0);
  const bool oblique = train_exam_state(s, c->episode, 0)[DATA_PHYSICS_IS_OBLIQUE] > 0.5f;
  double x[2], z[2];
  if (c->given < 2) return false;
  for (int i = 0; i < 2; i++)
    if (data_physics_locate(train_exam_frame(s, c->episode, c->given - 2 + i), s->height, s->width,
                            oblique, colour, &x[i], &z[i]) < enough)
      return false;
  const double upright = oblique ? cos(DATA_PHYSICS_TILT) : 1.0;
  m->column = 0.5 * (double)s->width + x[1] * scale;
  m->row = 0.5 * (double)s->height - (z[1] - DATA_PHYSICS_LEVEL) * scale * upright;
  m->right = (x[1] - x[0]) * scale;
  m->down = -(z[1] - z[0]) * scale * upright;
  return true;
}

static int by_value(const void *a, const void *b) {
  return (int)*(const uint8_t *)a - (int)*(const uint8_t *)b;
}

// What stood at a byte of the frame most of the time.
static uint8_t usual(const train_exam_clip *c, int64_t at) {
  uint8_t v[TRAIN_EXAM_MOST];
  for (int64_t t = 0; t < c->given; t++) v[t] = train_exam_frame(c->set, c->episode, t)[at];
  qsort(v, (size_t)c->given, 1, by_value);
  return v[c->given / 2];
}

// Calls `each` for the pixels about a thing that are its own.
typedef void (*for_pixel)(void *ctx, int64_t row, int64_t column);
static void own_pixels(const train_exam_clip *c, const moving *m, for_pixel each, void *ctx) {
  const train_exam_set *s = c->set;
  const uint8_t *last = train_exam_frame(s, c->episode, c->given - 1);
  const double reach = REACH * scale_of(s);
  for (int64_t row = 0; row < s->height; row++)
    for (int64_t column = 0; column < s->width; column++) {
      const int64_t at = 3 * (row * s->width + column);
      int most = 0;
      if (hypot((double)row + 0.5 - m->row, (double)column + 0.5 - m->column) > reach) continue;
      for (int k = 0; k < 3; k++) {
        const int d = abs(last[at + k] - usual(c, at + k));
        if (d > most) most = d;
      }
      if (most > DIFFERS) each(ctx, row, column);
    }
}

typedef struct {
  const train_exam_clip *c;
  uint8_t *to;
  int64_t right, down;
} painter;

static void clear_one(void *ctx, int64_t row, int64_t column) {
  const painter *p = ctx;
  const int64_t at = 3 * (row * p->c->set->width + column);
  for (int k = 0; k < 3; k++) p->to[at + k] = usual(p->c, at + k);
}

static void paint_one(void *ctx, int64_t row, int64_t column) {
  const painter *p = ctx;
  const train_exam_set *s = p->c->set;
  const int64_t r = row + p->down, q = column + p->right;
  if (r < 0 || r >= s->height || q < 0 || q >= s->width) return;
  memcpy(p->to + 3 * (r * s->width + q),
         train_exam_frame(s, p->c->episode, p->c->given - 1) + 3 * (row * s->width + column), 3);
}

static void predict_one(const train_exam_clip *c, uint8_t *film) {
  const train_exam_set *s = c->set;
  const int64_t bytes = s->height * s->width * 3;
  moving m[DATA_PHYSICS_COLOURS];
  int n = 0;
  for (int k = 0; k < DATA_PHYSICS_COLOURS; k++) n += look(c, k, &m[n]);
  for (int64_t t = c->given; t < s->T; t++) {
    const double ahead = (double)(t - c->given + 1);
    painter p = {.c = c, .to = film + t * bytes};
    memcpy(p.to, train_exam_frame(s, c->episode, c->given - 1), (size_t)bytes);
    for (int i = 0; i < n; i++) own_pixels(c, &m[i], clear_one, &p);
    for (int i = 0; i < n; i++) {
      p.right = lround(m[i].right * ahead);
      p.down = lround(m[i].down * ahead);
      own_pixels(c, &m[i], paint_one, &p);
    }
  }
}

static orr_code predict(void *ctx, const train_exam_clip *clip, int64_t n, uint8_t *film,
                        double *nats) {
  if (nats) memset(nats, 0, (size_t)(n * TRAIN_EXAM_MOST) * sizeof *nats);
  for (int64_t i = 0; i < n; i++)
    predict_one(&clip[i], film + i * clip[i].set->T * clip[i].set->height * clip[i].set->width * 3);
  return ORR_OK;
}

static orr_code surprise(void *ctx, const train_exam_clip *clip, int64_t n, double *nats) {
  const train_exam_set *s = clip->set;
  const int64_t bytes = s->height * s->width * 3;
  uint8_t *film = orr_malloc((size_t)(s->T * bytes));
  ORR_CHECK(film, ORR_ENOMEM, "exam: out of memory for a film");
  memset(nats, 0, (size_t)(n * TRAIN_EXAM_MOST) * sizeof *nats);
  for (int64_t i = 0; i < n; i++) {
    predict_one(&clip[i], film);
    for (int64_t t = clip[i].given; t < s->T; t++) {
      const uint8_t *real = train_exam_frame(s, clip[i].episode, t);
      double *far = nats + i * TRAIN_EXAM_MOST + t;
      for (int64_t k = 0; k < bytes; k++)
        *far += (double)(film[t * bytes + k] - real[k]) * (film[t * bytes + k] - real[k]);
    }
  }
  orr_free(film);
  return ORR_OK;
}

orr_code train_examinee_linear(train_examinee *out) {
  *out = (train_examinee){.name = "linear", .predict = predict, .surprise = surprise};
  return ORR_OK;
}
