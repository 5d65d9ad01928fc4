// A buffer of pixels that grows to the largest picture met. Begins as zeros. Local.
#ifndef DATA_PICTURES_PIXELS_H
#define DATA_PICTURES_PIXELS_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct {
  uint8_t *v;
  size_t room; // bytes
} data_pixels;

// Local. Makes room for `bytes`; what the buffer held may be gone. `what` names the picture in the
// message of ORR_ENOMEM.
orr_code data_pixels_reserve(data_pixels *p, const char *what, size_t bytes);
// Local. Frees the buffer and makes it empty.
void data_pixels_release(data_pixels *p);

#endif
