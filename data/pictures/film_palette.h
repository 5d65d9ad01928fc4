// One palette for a whole film: exact when the film has few colours, else a variance-based median
// cut (Heckbert 1982, splitting at the mean as Wu 1991 does) refined by a few k-means rounds.
// No dithering: still parts of a film stay still. Deterministic.
#ifndef DATA_FILM_PALETTE_H
#define DATA_FILM_PALETTE_H

#include <stdint.h>

#include "base/status.h"

#define DATA_PALETTE_MAX 256

typedef struct {
  int count;
  uint8_t rgb[DATA_PALETTE_MAX][3];
} data_palette;

// Local. rgb [pixels,3]; at most `colours` (1..256) entries. ORR_ENOMEM.
orr_code data_palette_build(const uint8_t *rgb, int64_t pixels, int colours, data_palette *out);
// Local. index [pixels]: the nearest entry of each pixel, the first one of equals. ORR_ENOMEM.
orr_code data_palette_map(const data_palette *p, const uint8_t *rgb, int64_t pixels,
                          uint8_t *index);

#endif
