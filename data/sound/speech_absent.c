// Speech in a build without espeak-ng.
#include "data/sound/speech.h"

bool data_speech_available(void) {
  return false;
}

orr_code data_speech_say(const char *words, int voice, int speed, int pitch, data_speech *out) {
  *out = (data_speech){0};
  return ORR_FAIL(ORR_EUNSUPPORTED, "this build has no speech: install libespeak-ng-dev, configure "
                                    "again and rebuild");
}

void data_speech_release(data_speech *s) {}
