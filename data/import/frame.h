// From the pictures of an episode's chosen cameras to one frame: cut, resized, side by side, red
// first. Private to data/.
#ifndef DATA_IMPORT_FRAME_H
#define DATA_IMPORT_FRAME_H

#include "data/import/episode.h"

// Not thread safe; frames are read in rising order.
typedef struct data_import_framer data_import_framer;

// Local. Opens the chosen cameras of an episode and looks at picture number `first`. ORR_ENOTFOUND
// names a camera that is missing and those that are there; ORR_EINVAL for a cut beyond the picture,
// cameras of different sizes without --size, and a size that tiles do not divide. The episode is
// borrowed.
orr_code data_import_framer_open(const data_import_options *o, const data_import_episode *e,
                                 int64_t first, data_import_framer **out);
// Local. Takes NULL.
void data_import_framer_close(data_import_framer *f);
// Local. Size of a frame.
int64_t data_import_framer_height(const data_import_framer *f);
int64_t data_import_framer_width(const data_import_framer *f);
// Local. Tells the recorded pictures that were looked at when it was opened from others.
uint64_t data_import_framer_fingerprint(const data_import_framer *f);
// Local. Widens low .. high to the values of the pictures of numbers in source frame `frame`; bytes
// widen nothing. Frames are read in rising order, here too.
orr_code data_import_framer_range(data_import_framer *f, int64_t frame, double *low, double *high);
// Local. Whether any of its pictures are made of numbers.
bool data_import_framer_numbers(const data_import_framer *f);
// Local. Source frame number `frame` into out [height,width,3]. ORR_EFORMAT for a picture of
// another size than the episode's first.
orr_code data_import_framer_read(data_import_framer *f, int64_t frame, uint8_t *out);

#endif
