// A face from ellipses: each sample of a picture takes the colour of the foremost shape that holds
// it. Coordinates: the picture's shorter side is -1..1, x to the right, y down.
#include <math.h>
#include <stdbool.h>

#include "data/sim/colour.h"
#include "data/sim/face.h"

#define NAME(row, name) name,
const char *const data_face_state_names[DATA_FACE_STATE] = {DATA_FACE_STATE_ROWS(NAME)};
const char *const data_face_action_names[DATA_MEL_BANDS] = {
    "mel00", "mel01", "mel02", "mel03", "mel04", "mel05", "mel06", "mel07", "mel08", "mel09",
    "mel10", "mel11", "mel12", "mel13", "mel14", "mel15", "mel16", "mel17", "mel18", "mel19"};

enum { SAMPLES = 3 }; // of a pixel, in each direction

typedef struct {
  double skin[3], hair[3], iris[3], lips[3], back[3], cloth[3];
  double wide, tall;  // half axes of the head
  double brow;        // thickness
  double fringe;      // how far hair comes down
  double eyes, mouth; // distance of the eyes from the middle, half width of the mouth
} looks;

// Lips and skin are near in hue and the inside of a mouth is not: what is found by colour is that.
static const looks people[DATA_FACE_IDENTITIES] = {
    {{232, 190, 160},
     {92, 62, 40},
     {70, 120, 170},
     {205, 124, 104},
     {150, 175, 195},
     {70, 90, 130},
     0.56,
     0.72,
     0.035,
     -0.42,
     0.22,
     0.20},
    {{141, 96, 66},
     {30, 24, 22},
     {60, 40, 25},
     {130, 78, 60},
     {205, 200, 180},
     {150, 60, 60},
     0.54,
     0.70,
     0.05,
     -0.50,
     0.22,
     0.22},
    {{244, 208, 182},
     {200, 150, 80},
     {90, 140, 110},
     {222, 140, 118},
     {120, 140, 120},
     {220, 220, 225},
     0.52,
     0.74,
     0.03,
     -0.36,
     0.21,
     0.19},
    {{198, 146, 108},
     {40, 32, 30},
     {70, 50, 30},
     {172, 104, 82},
     {180, 160, 190},
     {60, 110, 90},
     0.60,
     0.70,
     0.055,
     -0.46,
     0.24,
     0.22},
    {{236, 196, 170},
     {150, 150, 155},
     {80, 110, 150},
     {208, 132, 112},
     {90, 100, 120},
     {50, 50, 60},
     0.57,
     0.73,
     0.04,
     -0.52,
     0.22,
     0.20},
    {{112, 74, 52},
     {22, 18, 18},
     {50, 32, 20},
     {110, 64, 48},
     {210, 190, 150},
     {210, 160, 60},
     0.55,
     0.75,
     0.045,
     -0.44,
     0.22,
     0.23},
    {{240, 200, 172},
     {150, 60, 30},
     {80, 140, 90},
     {214, 128, 106},
     {160, 190, 170},
     {40, 80, 60},
     0.53,
     0.71,
     0.03,
     -0.34,
     0.21,
     0.20},
    {{214, 164, 128},
     {70, 44, 30},
     {90, 70, 40},
     {186, 112, 90},
     {200, 175, 165},
     {120, 120, 160},
     0.58,
     0.72,
     0.05,
     -0.48,
     0.23,
     0.21},
};
static const double inside_rgb[3] = {150, 10, 60}; // of a mouth
static const double white_rgb[3] = {245, 245, 245};
static const double pupil_rgb[3] = {20, 20, 20};

static bool in_ellipse(double x, double y, double cx, double cy, double rx, double ry) {
  const double u = (x - cx) / rx, v = (y - cy) / ry;
  return u * u + v * v < 1;
}

static const double *eye_at(const looks *p, const float *s, double x, double y, double cx) {
  const double ry = 0.075 * (1 - s[DATA_FACE_BLINK]), rx = 0.115;
  if (ry < 0.008 || !in_ellipse(x, y, cx, -0.12, rx, ry)) return NULL;
  const double px = cx + 0.045 * s[DATA_FACE_GAZE_X], py = -0.12 + 0.025 * s[DATA_FACE_GAZE_Y];
  if (in_ellipse(x, y, px, py, 0.025, 0.025)) return pupil_rgb;
  if (in_ellipse(x, y, px, py, 0.06, 0.06)) return p->iris;
  return white_rgb;
}

static const double *mouth_at(const looks *p, const float *s, double x, double y, double cx) {
  const double open = s[DATA_FACE_OPEN], wide = p->mouth * (1 + 0.3 * s[DATA_FACE_WIDE]);
  const double cy = 0.36 + 0.05 * s[DATA_FACE_JAW];
  const double in_y = 0.015 + 0.17 * open, lip = 0.05;
  if (in_ellipse(x, y, cx, cy, wide - 0.02, in_y) && open > 0.02) {
    const bool teeth = open > 0.2 && y < cy - 0.55 * in_y && fabs(x - cx) < 0.7 * wide;
    return teeth ? white_rgb : inside_rgb;
  }
  return in_ellipse(x, y, cx, cy, wide + 0.03, in_y + lip) ? p->lips : NULL;
}

// Features of the face move with a turn of the head, its outline hardly.
static const double *colour_at(const looks *p, const float *s, double x, double y) {
  const double tilt = s[DATA_FACE_TILT], c = cos(tilt), n = sin(tilt);
  const double dy = y - 0.5, hx = x * c + dy * n, hy = -x * n + dy * c + 0.5; // about the neck
  const double turn = s[DATA_FACE_TURN], cx = 0.2 * turn, head = 0.06 * turn;
  const double jaw = 0.06 * s[DATA_FACE_JAW];
  const double *eye;
  const double tall = hy > 0 ? p->tall + jaw : p->tall;
  if (in_ellipse(hx, hy, head, 0, p->wide, tall)) {
    if ((eye = eye_at(p, s, hx, hy, cx - p->eyes))) return eye;
    if ((eye = eye_at(p, s, hx, hy, cx + p->eyes))) return eye;
    for (int side = -1; side <= 1; side += 2)
      if (fabs(hx - cx - side * p->eyes) < 0.13 && fabs(hy + 0.27) < p->brow) return p->hair;
    if ((eye = mouth_at(p, s, hx, hy, cx))) return eye;
    if (hy < p->fringe + 0.1 * hx * hx) return p->hair;
    return p->skin;
  }
  if (in_ellipse(hx, hy, 0.7 * head, -0.1, p->wide + 0.09, p->tall + 0.06) && hy < 0.15)
    return p->hair;
  if (fabs(x) < 0.2 && y > 0.4 && y < 0.85) return p->skin;
  if (in_ellipse(x, y, 0, 1.25, 0.95, 0.5)) return p->cloth;
  return p->back;
}

// Skin and lips grow a little darker to the edge, so that a head looks round.
static double shade_at(const float *s, double x, double y) {
  const double d = x - 0.06 * s[DATA_FACE_TURN] + 0.12, e = y + 0.15;
  return fmax(0.8, 1.04 - 0.2 * (d * d + e * e));
}

void data_face_draw(const float *state, int64_t height, int64_t width, uint8_t *rgb) {
  const int who = (int)state[DATA_FACE_IDENTITY];
  const looks *p = &people[who >= 0 && who < DATA_FACE_IDENTITIES ? who : 0];
  const double side = (double)(height < width ? height : width);
  for (int64_t row = 0; row < height; row++)
    for (int64_t column = 0; column < width; column++) {
      double sum[3] = {0};
      for (int i = 0; i < SAMPLES * SAMPLES; i++) {
        const double u = (double)column + (i % SAMPLES + 0.5) / SAMPLES;
        const double v = (double)row + (i / SAMPLES + 0.5) / SAMPLES; // NOLINT: whole rows
        const double x = (2 * u - (double)width) / side, y = (2 * v - (double)height) / side;
        const double *c = colour_at(p, state, x, y);
        const double light = c == p->skin || c == p->lips ? shade_at(state, x, y) : 1;
        for (int k = 0; k < 3; k++) sum[k] += fmin(255, c[k] * light);
      }
      for (int k = 0; k < 3; k++)
        rgb[3 * (row * width + column) + k] = (uint8_t)(sum[k] / (SAMPLES * SAMPLES) + 0.5);
    }
}

// -- what pictures tell ---------------------------------------------------------------------

// Only where a mouth can be, so that a red cloth is none.
double data_face_opening(const uint8_t *rgb, int64_t height, int64_t width) {
  enum { INSIDE, SKIN, GREEN, BLUE, COLOURS };
  static const double colours[COLOURS][3] = {
      {150, 10, 60}, {200, 120, 90}, {80, 140, 90}, {80, 110, 160}};
  const int64_t side = height < width ? height : width, top = height / 2 + side / 20;
  const int64_t left = width / 2 - side * 3 / 10;
  const data_colour_picture lower = {rgb + 3 * (top * width + left), side * 7 / 20, side * 6 / 10,
                                     3 * width};
  double column, row;
  return data_colour_find(&lower, colours, COLOURS, INSIDE, &column, &row) / (double)(side * side);
}

static int whiteness(const uint8_t *pixel) {
  const int least = pixel[0] < pixel[1] ? pixel[0] : pixel[1];
  return least < pixel[2] ? least : pixel[2];
}

// White is what is clearly whiter than the skin, and skin is most of what lies round the eyes.
// Teeth are farther down.
double data_face_eyes(const uint8_t *rgb, int64_t height, int64_t width) {
  const int64_t side = height < width ? height : width, top = height / 2 - side * 12 / 100;
  const int64_t left = width / 2 - side / 4, rows = side * 13 / 100, columns = side / 2;
  int64_t count[256] = {0}, below = 0;
  int skin = 0;
  double sum = 0;
  for (int64_t y = top; y < top + rows; y++)
    for (int64_t x = left; x < left + columns; x++) count[whiteness(rgb + 3 * (y * width + x))]++;
  while (skin < 255 && (below += count[skin]) <= rows * columns / 2) skin++;
  for (int v = skin + 1; v < 256; v++) {
    const double share = fmin(1, (v - skin) / fmax(1, white_rgb[0] - skin));
    if (share > 0.3) sum += share * (double)count[v];
  }
  return sum / (double)(side * side);
}

static void mean_of(const uint8_t *rgb, int64_t width, int64_t top, int64_t left, int64_t rows,
                    int64_t columns, double *out) {
  double sum[3] = {0};
  for (int64_t y = top; y < top + rows; y++)
    for (int64_t x = left; x < left + columns; x++)
      for (int k = 0; k < 3; k++) sum[k] += rgb[3 * (y * width + x) + k];
  for (int k = 0; k < 3; k++) out[k] = sum[k] / (255.0 * (double)(rows * columns));
}

void data_face_likeness(const uint8_t *rgb, int64_t height, int64_t width, double *out) {
  const int64_t side = height < width ? height : width, n = side / 10 > 0 ? side / 10 : 1;
  const int64_t x = (width - side) / 2, y = (height - side) / 2;
  mean_of(rgb, width, y + side * 12 / 100, x + side / 2 - n, n, 2 * n, out);     // hair
  mean_of(rgb, width, y + side * 54 / 100, x + side / 2 - n / 2, n, n, out + 3); // nose
  mean_of(rgb, width, y + side * 3 / 100, x + side * 3 / 100, n, n, out + 6);    // background
}
