// Things of a scene located by their colours in a picture of it, real or predicted. Needs no
// simulator. Local; thread safe.
#ifndef DATA_SIM_COLOUR_H
#define DATA_SIM_COLOUR_H

#include <stdint.h>

enum { DATA_COLOURS_MAX = 8 };

// A rectangle of a picture whose rows are `pitch` bytes apart.
typedef struct {
  const uint8_t *rgb; // its upper left pixel
  int64_t height, width, pitch;
} data_colour_picture;

// Local. Finds what has the colour rgb[which] (bytes) among the n colours of a scene, whose table
// and walls have less than a fifth of anyone's saturation: *column and *row (=) the middle of its
// pixels, from the upper left corner, the first pixel covering [0,1). Returns how many pixels speak
// for it (fractions count); where that is 0 nothing was found and the two are left alone.
double data_colour_find(const data_colour_picture *p, const double (*rgb)[3], int n, int which,
                        double *column, double *row);

#endif
