// Speech by espeak-ng (library), with the time at which each of its sounds begins. What is said is
// a function of the words, voice, speed and pitch alone: espeak-ng keeps a state from sentence to
// sentence, so each is made in a process of its own. Local; any thread.
#ifndef DATA_SOUND_SPEECH_H
#define DATA_SOUND_SPEECH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

typedef struct {
  double time_s;
  char name[9]; // as espeak-ng writes it: "i:", "m", "_:" (a pause)
} data_speech_sound;

typedef struct {
  double rate;    // samples a second
  float *samples; // [n] in [-1,1]
  int64_t n;
  data_speech_sound *sound; // [sounds] in order
  int64_t sounds;
} data_speech;

// Who speaks unless somebody is asked for, and after them two who are kept to measure with.
enum { DATA_SPEECH_USUAL = 10, DATA_SPEECH_VOICES = 12 };

// Local. Whether this build has it; without it say returns ORR_EUNSUPPORTED.
bool data_speech_available(void);
// Local. The words in English, by voice 0 .. DATA_SPEECH_VOICES-1, `speed` words a minute
// (80..300), pitch 0..100. ORR_EUNSUPPORTED where the library has no data, ORR_EIO, ORR_ENOMEM.
orr_code data_speech_say(const char *words, int voice, int speed, int pitch, data_speech *out);
void data_speech_release(data_speech *s); // takes one of zeros, too

#endif
