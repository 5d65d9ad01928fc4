// Names of bands, with FFTW and without.
#include <stdio.h>

#include "data/sound/mel.h"

void data_mel_name(int64_t b, char *name) {
  snprintf(name, 8, "mel%02d", (int)(b % 1000));
}
