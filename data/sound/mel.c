#include "data/sound/mel.h"

#include <fftw3.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/mem.h"

#define LOWEST_HZ  60.0
#define HIGHEST_HZ 7600.0
// log10 of a band's mean square: silence is at -7, speech at full scale near -2
#define QUIET (-7.0)
#define LOUD  (-2.0)

struct data_mel {
  double rate;
  int64_t bands, n; // n: samples of a window
  double *window, *in;
  fftw_complex *out;
  fftw_plan plan;
  double *edge; // [bands+2] in bins
};

static double mel_of(double hz) {
  return 2595 * log10(1 + hz / 700);
}

static double hz_of(double mel) {
  return 700 * (pow(10, mel / 2595) - 1);
}

bool data_mel_available(void) {
  return true;
}

static void fill(data_mel *m) {
  for (int64_t i = 0; i < m->n; i++)
    m->window[i] = 0.5 - 0.5 * cos(2 * M_PI * ((double)i + 0.5) / (double)m->n);
  for (int64_t b = 0; b < m->bands + 2; b++) {
    const double share = (double)b / (double)(m->bands + 1);
    const double mel = mel_of(LOWEST_HZ) + share * (mel_of(HIGHEST_HZ) - mel_of(LOWEST_HZ));
    m->edge[b] = hz_of(mel) / m->rate * (double)m->n;
  }
}

orr_code data_mel_create(double rate, int64_t bands, data_mel **out) {
  ORR_CHECK(rate >= 1000 && rate <= 1e6 && bands >= 1 && bands <= DATA_MEL_BANDS_MAX, ORR_EINVAL,
            "mel spectrum of %" PRId64 " bands of a sound of %g Hz: wanted 1 to %d, and 1000 Hz or "
            "more",
            bands, rate, (int)DATA_MEL_BANDS_MAX);
  data_mel *m = orr_calloc(1, sizeof *m);
  ORR_CHECK(m, ORR_ENOMEM, "mel spectrum: out of memory");
  *m = (data_mel){.rate = rate, .bands = bands, .n = (int64_t)(rate * DATA_MEL_WINDOW_S)};
  m->window = orr_malloc((size_t)m->n * sizeof *m->window);
  m->edge = orr_malloc((size_t)(bands + 2) * sizeof *m->edge);
  m->in = fftw_alloc_real((size_t)m->n);
  m->out = fftw_alloc_complex((size_t)m->n / 2 + 1);
  // estimated, not measured: which algorithm it is must not depend on the clock
  if (m->in && m->out) m->plan = fftw_plan_dft_r2c_1d((int)m->n, m->in, m->out, FFTW_ESTIMATE);
  if (!m->window || !m->edge || !m->plan) {
    data_mel_destroy(m);
    return ORR_FAIL(ORR_ENOMEM, "mel spectrum: out of memory");
  }
  fill(m);
  *out = m;
  return ORR_OK;
}

void data_mel_destroy(data_mel *m) {
  if (!m) return;
  if (m->plan) fftw_destroy_plan(m->plan);
  fftw_free(m->out);
  fftw_free(m->in);
  orr_free(m->edge);
  orr_free(m->window);
  orr_free(m);
}

static double band(const data_mel *m, int64_t b) {
  const double low = m->edge[b], middle = m->edge[b + 1], high = m->edge[b + 2];
  double sum = 0, weight = 0;
  if (middle > (double)(m->n / 2)) return 0; // a sound of this rate has nothing there
  for (int64_t k = (int64_t)low; k <= (int64_t)high + 1 && k <= m->n / 2; k++) {
    const double up = ((double)k - low) / (middle - low),
                 down = (high - (double)k) / (high - middle);
    const double w = fmin(up, down);
    if (w <= 0) continue;
    sum += w * (m->out[k][0] * m->out[k][0] + m->out[k][1] * m->out[k][1]);
    weight += w;
  }
  // a band narrower than a bin is that bin
  if (weight == 0) {
    const int64_t k = (int64_t)(middle + 0.5);
    return m->out[k][0] * m->out[k][0] + m->out[k][1] * m->out[k][1];
  }
  return sum / weight;
}

void data_mel_at(data_mel *m, const float *samples, int64_t n, double time_s, float *out) {
  const int64_t first = (int64_t)floor(time_s * m->rate) - m->n / 2;
  for (int64_t i = 0; i < m->n; i++) {
    const int64_t at = first + i;
    m->in[i] = at >= 0 && at < n ? m->window[i] * samples[at] : 0;
  }
  fftw_execute(m->plan);
  for (int64_t b = 0; b < m->bands; b++) {
    const double square = band(m, b) / ((double)m->n * (double)m->n / 16);
    const double level = (log10(square + 1e-12) - QUIET) / (LOUD - QUIET);
    out[b] = (float)(2 * fmax(0, fmin(1, level)) - 1);
  }
}
