// TensorBoard event files: a folder of records, each an Event of train/observe/event.proto framed
// as TensorFlow's record files are: length, masked CRC-32C of the length, bytes, masked CRC-32C of
// the bytes. One file an opening; one thread at a time.
#ifndef TRAIN_EVENTS_H
#define TRAIN_EVENTS_H

#include "base/status.h"
#include "train/observe/append.h"
#include "train/observe/scalars.h"

typedef struct train_events train_events;

// Local. Opens a new file in `dir` (made when missing). Readers forget what older files of the
// folder say of steps after `from`: a resumed run repeats those. ORR_EIO, ORR_EACCESS, ORR_ENOMEM.
orr_code train_events_open(const char *dir, int64_t from, double wall_s, train_outage *outage,
                           train_events **out);
// Local. One record with all finite values of the step. ORR_ENOMEM.
orr_code train_events_write(train_events *e, const train_scalars *s);
// Local. One record with a picture under the name `tag`: a PNG file of `bytes` bytes; what is none
// is left out. ORR_ENOMEM.
orr_code train_events_image(train_events *e, const char *tag, int64_t step, double wall_s,
                            const char *png, size_t bytes);
// Local. Readers forget what the file says of steps after `from`.
orr_code train_events_rewind(train_events *e, int64_t from, double wall_s);
void train_events_close(train_events *e); // takes NULL

#endif
