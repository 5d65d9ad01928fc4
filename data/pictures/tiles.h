// Frames side by side under letters that say what they are: a strip of a film, real frames over a
// model's, originals over reconstructions. A group has one or more rows of frames, one above the
// other; where its columns are more than DATA_TILES_WIDTH pixels hold, it goes on in a further band
// below. Local; thread safe.
#ifndef DATA_TILES_H
#define DATA_TILES_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "data/pictures/font.h"

#define DATA_TILES_WIDTH 1600 // pixels, unless a single frame is wider
#define DATA_TILES_LABEL 48   // bytes of a label

typedef char data_tiles_label[DATA_TILES_LABEL];

typedef struct {
  data_tiles_label title;         // "" = none
  const data_tiles_label *row;    // [rows] on the left of each; NULL = none
  const data_tiles_label *column; // [columns] above the frames; NULL = none
  const uint8_t *const *frame;    // [rows,columns] each [height,width,3]; NULL leaves the place
} data_tiles_group;

typedef struct {
  int64_t height, width; // of a frame
  int64_t scale;         // a pixel becomes scale x scale
  int64_t rows, columns; // of every group
  int64_t letters;       // of the longest label above a frame; 0 = of those that there are
  int64_t count;
  const data_tiles_group *group; // [count]
} data_tiles;

// The size of the picture in pixels.
void data_tiles_size(const data_tiles *t, int64_t *height, int64_t *width);
// Draws it at the top left of a canvas of that size, all of which is written.
void data_tiles_draw(const data_tiles *t, data_canvas *canvas);
// The same into memory, as a PNG: *png is from orr_malloc, the caller frees it. ORR_EINVAL for a
// picture of more than 2^28 pixels, ORR_ENOMEM.
orr_code data_tiles_encode(const data_tiles *t, uint8_t **png, size_t *bytes);
// The same into a file. Atomic.
orr_code data_tiles_write(const data_tiles *t, const char *path);

#endif
