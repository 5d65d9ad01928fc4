// See the header. Judged is hue, which light and shadow leave alone.
#include "data/sim/colour.h"

#include <math.h>

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

// How much of a pixel is colour `which`, 0..1: nothing unless its hue is the nearest, then by how
// its saturation compares with the object's own. Table and walls have less than a fifth of
// anyone's.
static double share(chroma pixel, const chroma *objects, int n, int which) {
  double relative = pixel.length / objects[which].length;
  if (relative <= 0.3) return 0;
  double near = cos_between(pixel, objects[which]);
  for (int o = 0; o < n; o++)
    if (cos_between(pixel, objects[o]) > near) return 0;
  return fmin(1, (relative - 0.3) / 0.4);
}

double data_colour_find(const data_colour_picture *p, const double (*rgb)[3], int n, int which,
                        double *column, double *row) {
  chroma colours[DATA_COLOURS_MAX];
  for (int i = 0; i < n; i++) colours[i] = chroma_of(rgb[i][0], rgb[i][1], rgb[i][2]);
  double sum = 0, columns = 0, rows = 0;
  for (int64_t y = 0; y < p->height; y++) {
    for (int64_t x = 0; x < p->width; x++) {
      const uint8_t *pixel = p->rgb + y * p->pitch + 3 * x;
      double w = share(chroma_of(pixel[0], pixel[1], pixel[2]), colours, n, which);
      sum += w;
      columns += w * ((double)x + 0.5);
      rows += w * ((double)y + 0.5);
    }
  }
  if (sum > 0) {
    *column = columns / sum;
    *row = rows / sum;
  }
  return sum;
}
