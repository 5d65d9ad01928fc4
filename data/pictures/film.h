// Films for people: MP4 and GIF (libav*), and frames side by side as a PNG picture. Everything is
// encoded in memory first and written at once, so that a file is whole or absent. Equal input gives
// equal bytes with the same library versions. Local; thread safe.
#ifndef DATA_FILM_H
#define DATA_FILM_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef enum {
  DATA_FILM_MP4, // H.264 where the build of libavcodec has it, else MPEG-4; yuv420p, even sides
  DATA_FILM_GIF, // one palette for the film; at most 50 frames/s; plays for ever
  DATA_FILM_PNG, // a still: the frames side by side, first on the left
} data_film_format;

// frames [n,height,width,3]; each pixel becomes scale x scale pixels. fps: of the film, ignored by
// DATA_FILM_PNG. *film is from orr_malloc, the caller frees it. ORR_EINVAL for impossible sizes,
// ORR_EUNSUPPORTED when libavcodec lacks the encoder.
orr_code data_film_encode(data_film_format format, const uint8_t *frames, int64_t n, int64_t height,
                          int64_t width, double fps, int scale, uint8_t **film, size_t *bytes);
// Local. The format that the ending of a path asks for: .mp4, .gif or .png, in any case; ORR_EINVAL
// for another one.
orr_code data_film_format_of(const char *path, data_film_format *format);
// The same into a file, in the format that data_film_format_of its path. Atomic.
orr_code data_film_write(const char *path, const uint8_t *frames, int64_t n, int64_t height,
                         int64_t width, double fps, int scale);

#endif
