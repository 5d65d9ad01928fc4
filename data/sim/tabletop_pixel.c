// Between the table and a picture of it, without a simulator.
#include "data/sim/tabletop.h"

#include <math.h>

#include "data/sim/colour.h"

#define COLOUR(name, r, g, b, radius, middle) {r, g, b},
static const double object_rgb[][3] = {DATA_TABLETOP_OBJECT_ROWS(COLOUR)};
#define MIDDLE(name, r, g, b, radius, middle) middle,
static const double object_middle[] = {DATA_TABLETOP_OBJECT_ROWS(MIDDLE)};

const char *const data_tabletop_action_names[DATA_TABLETOP_ACTIONS] = {"vx", "vy"};
const char *const data_tabletop_action_units[DATA_TABLETOP_ACTIONS] = {"m/s", "m/s"};
const double data_tabletop_action_most[DATA_TABLETOP_ACTIONS] = {DATA_TABLETOP_PUCK_SPEED,
                                                                 DATA_TABLETOP_PUCK_SPEED};
#define NAMES(name, ...) #name ".x", #name ".y", #name ".vx", #name ".vy",
const char *const data_tabletop_state_names[DATA_TABLETOP_STATE] = {
    DATA_TABLETOP_OBJECT_ROWS(NAMES) "box.angle", "box.spin"};

// Pixels a metre across the camera's axis.
static double pixels_per_m(int64_t height, int64_t width) {
  return 0.5 * (double)(height < width ? height : width) / DATA_TABLETOP_VIEW;
}

void data_tabletop_to_pixel(int64_t height, int64_t width, data_tabletop_object object, double x,
                            double y, double *column, double *row) {
  double scale = pixels_per_m(height, width);
  double up = y * cos(DATA_TABLETOP_TILT) + object_middle[object] * sin(DATA_TABLETOP_TILT);
  *column = 0.5 * (double)width + scale * x;
  *row = 0.5 * (double)height - scale * up;
}

void data_tabletop_from_pixel(int64_t height, int64_t width, data_tabletop_object object,
                              double column, double row, double *x, double *y) {
  double scale = pixels_per_m(height, width);
  double up = (0.5 * (double)height - row) / scale;
  *x = (column - 0.5 * (double)width) / scale;
  *y = (up - object_middle[object] * sin(DATA_TABLETOP_TILT)) / cos(DATA_TABLETOP_TILT);
}

void data_tabletop_locate(const uint8_t *rgb, int64_t height, int64_t width,
                          data_tabletop_object object, double *x, double *y, double *area) {
  const data_colour_picture all = {rgb, height, width, 3 * width};
  double column = 0, row = 0;
  *area = data_colour_find(&all, object_rgb, DATA_TABLETOP_OBJECTS, object, &column, &row);
  if (*area > 0) data_tabletop_from_pixel(height, width, object, column, row, x, y);
}
