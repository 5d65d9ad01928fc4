// Mel spectra in a build without FFTW.
#include "data/sound/mel.h"

bool data_mel_available(void) {
  return false;
}

orr_code data_mel_create(double rate, int64_t bands, data_mel **out) {
  return ORR_FAIL(ORR_EUNSUPPORTED, "this build has no FFTW: install libfftw3-dev, configure again "
                                    "and rebuild");
}

void data_mel_destroy(data_mel *m) {}

void data_mel_at(data_mel *m, const float *samples, int64_t n, double time_s, float *out) {}
