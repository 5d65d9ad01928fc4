// The sound of a film, or of a WAV file, as numbers: libav decodes it, channels become one. Local;
// any thread.
#ifndef DATA_SOUND_TRACK_H
#define DATA_SOUND_TRACK_H

#include <stdint.h>

#include "base/status.h"

typedef struct {
  double rate;    // samples a second
  float *samples; // [n] in [-1,1]; number 0 is heard when the film begins
  int64_t n;
} data_track;

// Local. MP4, MOV, MKV, WebM, AVI or WAV. ORR_ENOTFOUND where there is no such file or it has no
// sound, ORR_EFORMAT for one that cannot be read, ORR_ENOMEM. Released also where this fails.
orr_code data_track_read(const char *path, data_track *out);
void data_track_release(data_track *t); // takes one of zeros, too

#endif
