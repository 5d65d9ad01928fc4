// The arm scene without a simulator: how the hand moves, where things show, and what pictures tell.
#include <math.h>
#include <string.h>

#include "data/sim/arm.h"
#include "data/sim/arm_view.h"
#include "data/sim/colour.h"

#define NAME(name, unit, most) #name,
const char *const data_arm_action_names[DATA_ARM_ACTIONS] = {DATA_ARM_ACTION_ROWS(NAME)};
#define UNIT(name, unit, most) unit,
const char *const data_arm_action_units[DATA_ARM_ACTIONS] = {DATA_ARM_ACTION_ROWS(UNIT)};
#define MOST(name, unit, most) most,
const double data_arm_action_most[DATA_ARM_ACTIONS] = {DATA_ARM_ACTION_ROWS(MOST)};
const char *const data_arm_state_names[DATA_ARM_STATE] = {
    "tips.x",  "tips.y",  "tips.z",  "hand.roll", "hand.pitch", "hand.yaw", "hand.opening",
    "block.x", "block.y", "block.z", "block.yaw", "disc.x",     "disc.y"};

const float data_arm_home[DATA_ARM_ACTIONS] = {0.42F, 0, 0.18F, 0, 0, 0, 1};
// the reach of the hand: what a command cannot leave
static const float lowest[] = {0.27F, -0.26F, 0.008F, -0.5F, -0.5F, -1.2F};
static const float highest[] = {0.64F, 0.26F, 0.28F, 0.5F, 0.5F, 1.2F};
#define GRIP_S 0.3 // from open to closed

void data_arm_move(float *hand, const float *action, double dt_s) {
  for (int i = 0; i < DATA_ARM_GRIP; i++) {
    const double a = fmax(-1, fmin(1, action[i]));
    const float to = hand[i] + (float)(a * data_arm_action_most[i] * dt_s);
    hand[i] = fmaxf(lowest[i], fminf(highest[i], to));
  }
  const float wanted = (1 - fmaxf(-1, fminf(1, action[DATA_ARM_GRIP]))) / 2;
  const float most = (float)(dt_s / GRIP_S);
  const float change = wanted - hand[DATA_ARM_OPENING];
  hand[DATA_ARM_OPENING] += fmaxf(-most, fminf(most, change));
}

// -- the base view --------------------------------------------------------------------------

// Pixels a metre across the camera's axis.
static double scale_of(int64_t side) {
  return 0.5 * (double)side / DATA_ARM_SEEN_HALF;
}

void data_arm_to_pixel(int64_t side, double x, double y, double z, double *column, double *row) {
  const double up =
      -(x - DATA_ARM_SEEN_X) * sin(DATA_ARM_TILT) + (z - DATA_ARM_SEEN_Z) * cos(DATA_ARM_TILT);
  *column = 0.5 * (double)side + scale_of(side) * y;
  *row = 0.5 * (double)side - scale_of(side) * up;
}

// The point of the picture at height z.
static void at_height(int64_t side, double column, double row, double z, double *x, double *y) {
  const double up = (0.5 * (double)side - row) / scale_of(side);
  *x = DATA_ARM_SEEN_X + ((z - DATA_ARM_SEEN_Z) * cos(DATA_ARM_TILT) - up) / sin(DATA_ARM_TILT);
  *y = (column - 0.5 * (double)side) / scale_of(side);
}

// The height at which a thing is that shows in that row and stands at x.
static double height_at(int64_t side, double row, double x) {
  const double up = (0.5 * (double)side - row) / scale_of(side);
  return DATA_ARM_SEEN_Z + (up + (x - DATA_ARM_SEEN_X) * sin(DATA_ARM_TILT)) / cos(DATA_ARM_TILT);
}

// -- what pictures tell ---------------------------------------------------------------------

#define GRIPPED_COLUMN 32  // in the wrist view, of 64: the middle of what shows of a block there
#define GRIPPED_AREA   220 // pixels; measured 310
#define GRIPPED_ROW    37.5

enum { SEE_TIPS, SEE_BLOCK, SEE_DISC, SEE_COLOURS };
static const double colours[SEE_COLOURS][3] = {{222, 58, 46}, {44, 98, 220}, {36, 160, 88}};

// Area in square metres of the table that speaks for a colour, and where it is.
static double find(const data_colour_picture *p, int which, double *column, double *row) {
  const double pixels = data_colour_find(p, colours, SEE_COLOURS, which, column, row);
  return pixels / (scale_of(p->height) * scale_of(p->height));
}

// Whether the block is between the fingers, as the camera in the hand sees it: there it is always
// at the same place, and large.
static bool is_gripping(const data_colour_picture *base) {
  const double pixel = (double)base->height / 64;
  const data_colour_picture wrist = {base->rgb + 3 * base->width, base->height, base->width,
                                     base->pitch};
  double column = 0, row = 0;
  const double area = data_colour_find(&wrist, colours, SEE_COLOURS, SEE_BLOCK, &column, &row);
  return area > GRIPPED_AREA * pixel * pixel &&
         hypot(column - GRIPPED_COLUMN * pixel, row - GRIPPED_ROW * pixel) < 5 * pixel;
}

// The block: on the table, unless the hand is about it and its picture is higher than there.
static void see_block(const data_colour_picture *base, float *s) {
  double column, row, x, y;
  // a fifth of its top face is enough
  if (find(base, SEE_BLOCK, &column, &row) < 0.2 * 4 * DATA_ARM_BLOCK_HALF * DATA_ARM_BLOCK_HALF)
    return;
  at_height(base->height, column, row, DATA_ARM_BLOCK_HALF, &x, &y);
  const double in_hand = height_at(base->height, row, s[DATA_ARM_X]);
  const bool held = s[DATA_ARM_OPENING] < 0.75F && is_gripping(base) &&
                    fabs(y - s[DATA_ARM_Y]) < 0.04 && fabs(in_hand - s[DATA_ARM_Z]) < 0.04;
  s[DATA_ARM_BLOCK] = held ? s[DATA_ARM_X] : (float)x;
  s[DATA_ARM_BLOCK + 1] = (float)y;
  s[DATA_ARM_BLOCK + 2] = held ? (float)fmax(DATA_ARM_BLOCK_HALF, in_hand) : DATA_ARM_BLOCK_HALF;
}

// The disc lies where it lay; a hand or a block before it only hides a part.
static void see_disc(const data_colour_picture *base, bool first, float *s) {
  double column, row, x, y;
  const double whole = M_PI * DATA_ARM_DISC_RADIUS * DATA_ARM_DISC_RADIUS * sin(DATA_ARM_TILT);
  if (find(base, SEE_DISC, &column, &row) < (first ? 0.05 : 0.9) * whole) return;
  at_height(base->height, column, row, 0, &x, &y);
  s[DATA_ARM_DISC] = (float)x;
  s[DATA_ARM_DISC + 1] = (float)y;
}

// The tips: what the arm was told is near; the picture says how far it is off across the view.
// Along x and z one of them must be known, and it is x that the arm was told.
static void see_tips(const data_colour_picture *base, float *s) {
  double column, row;
  if (find(base, SEE_TIPS, &column, &row) < 2e-4) return;
  const double y = (column - 0.5 * (double)base->height) / scale_of(base->height);
  // the tips' middle stands 3 cm above their ends
  const double z = height_at(base->height, row, s[DATA_ARM_X]) - 0.03;
  s[DATA_ARM_Y] = (float)y;
  s[DATA_ARM_Z] = (float)z;
}

void data_arm_see(const uint8_t *rgb, int64_t height, int64_t width, double fps,
                  const float *action, float *s) {
  const data_colour_picture base = {rgb, height, height, 3 * width};
  if (!action) {
    memset(s, 0, DATA_ARM_STATE * sizeof *s);
    memcpy(s, data_arm_home, sizeof data_arm_home);
    s[DATA_ARM_BLOCK] = s[DATA_ARM_DISC] = 0.45F;
    s[DATA_ARM_BLOCK + 2] = DATA_ARM_BLOCK_HALF;
  } else {
    data_arm_move(s, action, 1 / fps);
  }
  see_block(&base, s);
  see_disc(&base, !action, s);
  see_tips(&base, s);
}
