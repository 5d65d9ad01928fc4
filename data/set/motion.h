// What changes from one picture to the next, in a few dozen numbers: where it becomes lighter,
// darker or another colour, where anything changes at all, and which way things move there. Private
// to data/set/.
#ifndef DATA_SET_MOTION_H
#define DATA_SET_MOTION_H

#include <stdint.h>

#include "base/status.h"

#define DATA_MOTION_FEATURES 160

// Pictures of one size, looked at one after the other. One thread at a time.
typedef struct data_motion data_motion;

// Local. ORR_ENOMEM. The caller destroys it.
orr_code data_motion_create(int64_t height, int64_t width, data_motion **out);
void data_motion_destroy(data_motion *m); // takes NULL
// Local. The first picture of a row of them.
void data_motion_begin(data_motion *m, const uint8_t *rgb);
// Local. The next picture; out: what changed since the one before.
void data_motion_next(data_motion *m, const uint8_t *rgb, float out[DATA_MOTION_FEATURES]);

#endif
