// Resizes pictures. Shrinking averages the area that an output pixel covers (fractions of pixels
// count as such), so that detail finer than a pixel becomes grey and never a false pattern;
// enlarging interpolates linearly between the centres of pixels. Integer arithmetic: equal input
// gives equal bytes on every machine.
#ifndef DATA_RESIZE_H
#define DATA_RESIZE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

// Any thread may use one, but not two at the same time.
typedef struct data_resizer data_resizer;

// Local. From [height,width,3] to [out_height,out_width,3]; all at least 1. ORR_ENOMEM.
orr_code data_resizer_create(int64_t height, int64_t width, int64_t out_height, int64_t out_width,
                             data_resizer **out);
// Local. Takes NULL.
void data_resizer_destroy(data_resizer *r);
// Local. row_bytes: from one row of pixels to the next, of either picture.
void data_resizer_run(data_resizer *r, const uint8_t *rgb, size_t row_bytes, uint8_t *out,
                      size_t out_row_bytes);

#endif
