// Small letters on pictures: capitals, digits and a few signs, 5 x 7 dots each.
#ifndef DATA_FONT_H
#define DATA_FONT_H

#include <stdint.h>

#define DATA_FONT_ADVANCE 6 // dots from one letter to the next
#define DATA_FONT_LINE    9 // dots from one line to the next

typedef struct {
  uint8_t *rgb; // [height,width,3]
  int64_t height, width;
} data_canvas;

// Local. Fills the part of the rectangle that lies on the canvas.
void data_canvas_fill(data_canvas *c, int64_t top, int64_t left, int64_t height, int64_t width,
                      const uint8_t colour[3]);
// Local. Writes text with its top left corner there, each dot scale x scale pixels; small letters
// appear as capitals, others without a glyph as a box. What lies outside of the canvas is cut.
void data_canvas_write(data_canvas *c, int64_t top, int64_t left, int scale, const char *text,
                       const uint8_t colour[3]);

#endif
