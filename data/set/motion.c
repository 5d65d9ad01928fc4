// The movement in a region is Lucas and Kanade's (1981): the displacement that explains the
// difference of two pictures by their gradients best, in the sense of least squares.
#include "data/set/motion.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "data/pictures/resize.h"

#define SIDE    32 // pictures are looked at so small
#define REGIONS 4  // a side, for colours and movement
#define CELLS   8  // a side, for lightness
#define REGION  (SIDE / REGIONS)
#define CELL    (SIDE / CELLS)

struct data_motion {
  data_resizer *resizer;
  int64_t width;
  uint8_t small[SIDE * SIDE * 3];
  float last[SIDE * SIDE * 3], now[SIDE * SIDE * 3], grey_last[SIDE * SIDE], grey_now[SIDE * SIDE];
};

orr_code data_motion_create(int64_t height, int64_t width, data_motion **out) {
  data_motion *m = orr_calloc(1, sizeof *m);
  ORR_CHECK(m, ORR_ENOMEM, "out of memory to look at pictures");
  m->width = width;
  orr_code rc = data_resizer_create(height, width, SIDE, SIDE, &m->resizer);
  if (rc == ORR_OK)
    *out = m;
  else
    data_motion_destroy(m);
  return rc;
}

void data_motion_destroy(data_motion *m) {
  if (!m) return;
  data_resizer_destroy(m->resizer);
  orr_free(m);
}

static void look(data_motion *m, const uint8_t *rgb) {
  data_resizer_run(m->resizer, rgb, (size_t)m->width * 3, m->small, SIDE * 3);
  for (int i = 0; i < SIDE * SIDE * 3; i++) m->now[i] = (float)m->small[i] / 255;
  for (int i = 0; i < SIDE * SIDE; i++)
    m->grey_now[i] = (m->now[3 * i] + m->now[3 * i + 1] + m->now[3 * i + 2]) / 3;
}

static void keep(data_motion *m) {
  memcpy(m->last, m->now, sizeof m->last);
  memcpy(m->grey_last, m->grey_now, sizeof m->grey_last);
}

void data_motion_begin(data_motion *m, const uint8_t *rgb) {
  look(m, rgb);
  keep(m);
}

// Mean change of each colour in a region, and the mean size of the changes.
static void put_colours(const data_motion *m, int top, int left, float *colours, float *size) {
  *size = 0;
  for (int c = 0; c < 3; c++) colours[c] = 0;
  for (int y = top; y < top + REGION; y++) {
    for (int x = left; x < left + REGION; x++) {
      for (int c = 0; c < 3; c++) {
        float change = m->now[(y * SIDE + x) * 3 + c] - m->last[(y * SIDE + x) * 3 + c];
        colours[c] += change / (REGION * REGION);
        *size += fabsf(change) / (REGION * REGION * 3);
      }
    }
  }
}

static void put_movement(const data_motion *m, int top, int left, float out[2]) {
  const float *f = m->grey_last, *g = m->grey_now;
  double xx = 1e-4, xy = 0, yy = 1e-4, xt = 0, yt = 0; // the first: flat regions do not move
  for (int y = top; y < top + REGION; y++) {
    for (int x = left; x < left + REGION; x++) {
      if (y == 0 || x == 0 || y == SIDE - 1 || x == SIDE - 1) continue;
      const int i = y * SIDE + x;
      double dx = (double)(f[i + 1] - f[i - 1] + g[i + 1] - g[i - 1]) / 4;
      double dy = (double)(f[i + SIDE] - f[i - SIDE] + g[i + SIDE] - g[i - SIDE]) / 4;
      double dt = (double)(g[i] - f[i]);
      xx += dx * dx;
      xy += dx * dy;
      yy += dy * dy;
      xt += dx * dt;
      yt += dy * dt;
    }
  }
  double determinant = xx * yy - xy * xy;
  out[0] = (float)((xy * yt - yy * xt) / determinant);
  out[1] = (float)((xy * xt - xx * yt) / determinant);
  for (int k = 0; k < 2; k++) out[k] = fminf(fmaxf(out[k], -REGION), REGION);
}

static float cell_change(const data_motion *m, int top, int left) {
  float sum = 0;
  for (int y = top; y < top + CELL; y++)
    for (int x = left; x < left + CELL; x++)
      sum += m->grey_now[y * SIDE + x] - m->grey_last[y * SIDE + x];
  return sum / (CELL * CELL);
}

void data_motion_next(data_motion *m, const uint8_t *rgb, float out[DATA_MOTION_FEATURES]) {
  float *at = out;
  look(m, rgb);
  for (int r = 0; r < REGIONS * REGIONS; r++, at += 6) {
    const int top = r / REGIONS * REGION, left = r % REGIONS * REGION;
    put_colours(m, top, left, at, at + 3);
    put_movement(m, top, left, at + 4);
  }
  for (int c = 0; c < CELLS * CELLS; c++)
    *at++ = cell_change(m, c / CELLS * CELL, c % CELLS * CELL);
  keep(m);
}
