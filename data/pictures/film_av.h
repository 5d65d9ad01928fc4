// Films by libav*: frames in, the bytes of a container out.
#ifndef DATA_FILM_AV_H
#define DATA_FILM_AV_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "data/pictures/film.h"

typedef struct {
  const uint8_t *rgb; // [n,height,width,3]
  int64_t n, height, width;
  double fps;
} data_film;

// Local. format: DATA_FILM_MP4 (sides must be even) or DATA_FILM_GIF. *out is from orr_malloc.
orr_code data_film_av_encode(data_film_format format, const data_film *film, uint8_t **out,
                             size_t *bytes);

#endif
