// JPEG pictures by libjpeg-turbo, decoded as OpenCV and Pillow do (smooth chroma).
#ifndef DATA_JPEG_H
#define DATA_JPEG_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "data/pictures/picture.h"

// A decoder and its buffer; one a thread.
typedef struct data_jpeg data_jpeg;

// Local. ORR_ENOMEM. The caller destroys it.
orr_code data_jpeg_create(data_jpeg **out);
// Local. Takes NULL.
void data_jpeg_destroy(data_jpeg *j);
// Local. Decodes the picture at the start of `bytes`; what follows its end, such as padding, is
// ignored. *out is valid until the next call. `what` names the picture in messages. ORR_EFORMAT for
// bytes that are no whole, undamaged JPEG, and for one of more than 2^26 pixels.
orr_code data_jpeg_decode(data_jpeg *j, const char *what, const uint8_t *bytes, size_t size,
                          data_picture *out);

#endif
