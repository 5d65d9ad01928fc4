// Sound that acts in a world whose actions are what is heard (data/sound/mel.h): a file, or a
// stream such as a microphone's. Local; one thread at a time.
//
// A file keeps the world's time, whatever the clock says: the last frame before it is its second 0,
// and frame i after that is led to by the 60 ms around i / fps, which are the numbers that `data
// import --audio mel` makes of the same sound. It has to be there whole before it begins. Of a
// stream the newest 60 ms lead to the next frame.
#ifndef TRAIN_LIVE_SOUND_H
#define TRAIN_LIVE_SOUND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "data/sound/mel.h"
#include "train/live/wire.h"

enum { TRAIN_LIVE_SOUND_SAMPLES_MOST = 1 << 23 }; // of a file: three minutes of 48 kHz, 32 MiB

typedef enum {
  TRAIN_LIVE_SOUND_NONE,
  TRAIN_LIVE_SOUND_FILE,
  TRAIN_LIVE_SOUND_STREAM
} train_live_sound_kind;

typedef struct {
  train_live_sound_kind kind;
  double rate, fps;
  float *samples; // [n], of a stream the newest
  int64_t n, whole;
  int64_t first;    // number of the frame that 1 / fps of a file leads to
  int64_t heard_ns; // when more of a stream came
  data_mel *mel;
  int64_t bands;
} train_live_sound; // zeros: none

// What a world hears.
typedef struct {
  int64_t bands; // components of its actions; 0 = its actions are no sound
  double fps;    // frames a second that its data have
} train_live_hearing;

// Local. Takes a message; `frame` is the number of the next frame. *begun says whether it made a
// sound that acts from here on. ORR_EINVAL for a world that hears nothing, and for a sound of no
// samples, another rate than 1 to 1000 kHz or too great a length; ORR_EFORMAT for a part that is
// not the next one; ORR_EUNSUPPORTED in a build without spectra. The sound that was is over then.
orr_code train_live_sound_take(train_live_sound *s, const train_live_hearing *h,
                               const train_wire_sound *m, int64_t frame, int64_t now_ns,
                               bool *begun);
void train_live_sound_end(train_live_sound *s);
// Whether a sound acts: one of a file that is not there whole does not.
static inline bool train_live_sound_acts(const train_live_sound *s) {
  return s->kind == TRAIN_LIVE_SOUND_STREAM ||
         (s->kind == TRAIN_LIVE_SOUND_FILE && s->n == s->whole);
}
// Local. The action [bands] (=) that leads to a frame.
void train_live_sound_at(train_live_sound *s, int64_t frame, int64_t now_ns, float *out);
// Whether nothing of a file leads to a frame or to a later one.
bool train_live_sound_is_over(const train_live_sound *s, int64_t frame);

#endif
