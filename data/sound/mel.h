// Log-mel spectra: how loud a sound is in bands as the ear tells them apart, around moments of a
// film. A sound is then an action: component b is band b, -1 in silence and 1 where it is loud.
// Bands are triangles on the mel scale (Stevens et al. 1937; 2595 log10(1 + f / 700)) from 60 Hz to
// 7.6 kHz whatever the sound's rate, so that they mean the same in all sounds; those above half of
// its rate are silent. Local; one thread at a time.
#ifndef DATA_SOUND_MEL_H
#define DATA_SOUND_MEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

#define DATA_MEL_WINDOW_S 0.06 // of sound around a moment (Hann)
#define DATA_MEL_SILENCE  (-1.0f)
enum { DATA_MEL_BANDS = 20, DATA_MEL_BANDS_MAX = 128 };

typedef struct data_mel data_mel;

// Local. Whether this build has it (FFTW); without it create returns ORR_EUNSUPPORTED.
bool data_mel_available(void);
// Local. Of samples in [-1,1], `rate` of them a second. ORR_EINVAL, ORR_ENOMEM, ORR_EUNSUPPORTED.
orr_code data_mel_create(double rate, int64_t bands, data_mel **out);
void data_mel_destroy(data_mel *m); // takes NULL
// Local. The spectrum [bands] (=) around time_s of a sound of n samples; before its start and after
// its end it is silent.
void data_mel_at(data_mel *m, const float *samples, int64_t n, double time_s, float *out);
// "mel00", ...: name [8] (=) of band b.
void data_mel_name(int64_t b, char *name);

#endif
