// Packed pictures in memory: JPEG or PNG, whichever the first bytes say.
#ifndef DATA_PICTURES_PACKED_H
#define DATA_PICTURES_PACKED_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "data/pictures/picture.h"

// Decoders and their buffers; one a thread.
typedef struct data_packed data_packed;

// Local. ORR_ENOMEM. The caller destroys it.
orr_code data_packed_create(data_packed **out);
// Local. Takes NULL.
void data_packed_destroy(data_packed *p);
// Local. Decodes the picture at the start of `bytes`; what follows its end, such as padding, is
// ignored. Grey becomes colour, transparency is dropped, 16 bits become 8. *out is valid until the
// next call. `what` names the picture in messages. ORR_EFORMAT for bytes that are no whole,
// undamaged JPEG or PNG, and for one of more than 2^26 pixels.
orr_code data_packed_decode(data_packed *p, const char *what, const uint8_t *bytes, size_t size,
                            data_picture *out);

#endif
