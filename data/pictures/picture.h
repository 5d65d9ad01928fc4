// A picture that somebody else owns.
#ifndef DATA_PICTURE_H
#define DATA_PICTURE_H

#include <stdint.h>

typedef struct {
  const uint8_t *rgb; // [height,width,3]
  int64_t height, width;
} data_picture;

#endif
