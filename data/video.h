// Pictures and films for people: PNG (libpng), MP4 and GIF (libav*).
#ifndef DATA_VIDEO_H
#define DATA_VIDEO_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

// rgb [height,width,3]. Atomic.
orr_code data_png_write(const char *path, const uint8_t *rgb, int64_t height, int64_t width);
// The same into memory; *png is malloc'ed.
orr_code data_png_encode(const uint8_t *rgb, int64_t height, int64_t width, uint8_t **png, size_t *bytes);
// frames [n,height,width,3]. By the ending of path: .mp4 (H.264 where the build has it, else
// MPEG-4; yuv420p), .gif (palette per film), .png (frames side by side). scale: whole number, nearest.
orr_code data_film_write(const char *path, const uint8_t *frames, int64_t n, int64_t height, int64_t width, double fps, int scale);

#endif
