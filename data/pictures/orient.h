// Turns and mirrors pictures by quarters: what a video's container or the user says about how a
// picture is shown.
#ifndef DATA_ORIENT_H
#define DATA_ORIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Pixel (x,y) of a picture is shown at (a*x + c*y, b*x + d*y) plus what keeps that at 0 or above;
// x to the right, y down. One of a, c and one of b, d is 1 or -1, the other 0.
typedef struct {
  int a, b, c, d;
} data_orientation;

// Local, all. As recorded.
data_orientation data_orient_none(void);
bool data_orient_is_none(data_orientation o);
// Turned clockwise by 0, 90, 180 or 270 degrees; false for other angles.
bool data_orient_turn(int degrees, data_orientation *out);
// Left and right swapped, or top and bottom.
data_orientation data_orient_mirror(bool top_and_bottom);
// One after the other.
data_orientation data_orient_then(data_orientation first, data_orientation second);
// By a container's display matrix (ISO 14496-12, 6.2.2; nine numbers, row by row; its scale does
// not count). False for an angle that is no multiple of 90 degrees, within a degree.
bool data_orient_matrix(const int32_t matrix[9], data_orientation *out);
// Size of the picture as it is shown.
void data_orient_size(data_orientation o, int64_t height, int64_t width, int64_t *out_height,
                      int64_t *out_width);
// rgb [height,width,3] into out, which has room for as many bytes and lies elsewhere.
void data_orient_run(data_orientation o, const uint8_t *rgb, int64_t height, int64_t width,
                     uint8_t *out);

#endif
