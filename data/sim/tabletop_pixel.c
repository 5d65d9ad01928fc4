// Between the table and a picture of it, without a simulator.
#include "data/sim/tabletop.h"

#include <math.h>

typedef struct {
  double rgb[3];
  double middle;
} object_look;
#define LOOK(name, r, g, b, radius, middle) {{r, g, b}, middle},
static const object_look object_looks[] = {DATA_TABLETOP_OBJECT_ROWS(LOOK)};

const char *const data_tabletop_action_names[DATA_TABLETOP_ACTIONS] = {"vx", "vy"};
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
  double up = y * cos(DATA_TABLETOP_TILT) + object_looks[object].middle * sin(DATA_TABLETOP_TILT);
  *column = 0.5 * (double)width + scale * x;
  *row = 0.5 * (double)height - scale * up;
}

void data_tabletop_from_pixel(int64_t height, int64_t width, data_tabletop_object object,
                              double column, double row, double *x, double *y) {
  double scale = pixels_per_m(height, width);
  double up = (0.5 * (double)height - row) / scale;
  *x = (column - 0.5 * (double)width) / scale;
  *y = (up - object_looks[object].middle * sin(DATA_TABLETOP_TILT)) / cos(DATA_TABLETOP_TILT);
}

// A colour without its brightness: the vector's direction is the hue, its length the saturation.
// Shading leaves it alone, a blend with the grey table shortens it.
typedef struct {
  double a, b, length;
} chroma;

static chroma chroma_of(double r, double g, double b) {
  double top = fmax(1, fmax(r, fmax(g, b)));
  chroma c = {(r - 0.5 * (g + b)) / top, 0.5 * sqrt(3.0) * (g - b) / top, 0};
  c.length = hypot(c.a, c.b);
  return c;
}

static double cos_between(chroma x, chroma y) {
  return x.length * y.length > 0 ? (x.a * y.a + x.b * y.b) / (x.length * y.length) : -1;
}

// How much of a pixel is `object`, 0..1: nothing unless its hue is the nearest, then by how its
// saturation compares with the object's own. Table and walls have less than a fifth of anyone's.
static double share(chroma pixel, const chroma *objects, data_tabletop_object object) {
  double relative = pixel.length / objects[object].length;
  if (relative <= 0.3) return 0;
  double near = cos_between(pixel, objects[object]);
  for (int o = 0; o < DATA_TABLETOP_OBJECTS; o++)
    if (cos_between(pixel, objects[o]) > near) return 0;
  return fmin(1, (relative - 0.3) / 0.4);
}

void data_tabletop_locate(const uint8_t *rgb, int64_t height, int64_t width,
                          data_tabletop_object object, double *x, double *y, double *area) {
  chroma objects[DATA_TABLETOP_OBJECTS];
  for (int o = 0; o < DATA_TABLETOP_OBJECTS; o++)
    objects[o] = chroma_of(object_looks[o].rgb[0], object_looks[o].rgb[1], object_looks[o].rgb[2]);
  double sum = 0, columns = 0, rows = 0;
  for (int64_t row = 0; row < height; row++) {
    for (int64_t column = 0; column < width; column++) {
      const uint8_t *pixel = rgb + 3 * (row * width + column);
      double w = share(chroma_of(pixel[0], pixel[1], pixel[2]), objects, object);
      sum += w;
      columns += w * ((double)column + 0.5);
      rows += w * ((double)row + 0.5);
    }
  }
  *area = sum;
  if (sum > 0) data_tabletop_from_pixel(height, width, object, columns / sum, rows / sum, x, y);
}
