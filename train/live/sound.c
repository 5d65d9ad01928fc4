#include "train/live/sound.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"

#define STREAM_KEPT_S  0.25                 // of a stream
#define STREAM_LOST_NS ((int64_t)500000000) // without more of it: it is silent

void train_live_sound_end(train_live_sound *s) {
  data_mel_destroy(s->mel);
  orr_free(s->samples);
  *s = (train_live_sound){0};
}

static orr_code check(const train_live_hearing *h, const train_wire_sound *m) {
  ORR_CHECK(h->bands > 0, ORR_EINVAL,
            "sound: this world's actions are no sound: wanted components mel00, mel01, ... as data "
            "generate --scene face and data import --audio mel make them");
  ORR_CHECK(data_mel_available(), ORR_EUNSUPPORTED,
            "sound: this build has no spectra: build it with FFTW");
  ORR_CHECK(m->stream || m->whole > 0, ORR_EINVAL, "sound: a file without samples");
  ORR_CHECK(m->whole <= TRAIN_LIVE_SOUND_SAMPLES_MOST, ORR_EINVAL,
            "sound: %" PRId64 " samples, %.0f s: wanted at most %d; cut it", m->whole,
            (double)m->whole / (double)m->rate, (int)TRAIN_LIVE_SOUND_SAMPLES_MOST);
  return ORR_OK;
}

static int64_t stream_room(const train_wire_sound *m) {
  return (int64_t)(STREAM_KEPT_S * (double)m->rate);
}

static orr_code begin(train_live_sound *s, const train_live_hearing *h, const train_wire_sound *m) {
  train_live_sound_end(s);
  ORR_TRY(check(h, m));
  const int64_t room = m->stream ? stream_room(m) : m->whole;
  ORR_TRY(data_mel_create((double)m->rate, h->bands, &s->mel));
  s->samples = orr_malloc((size_t)room * sizeof *s->samples);
  if (!s->samples) train_live_sound_end(s);
  ORR_CHECK(s->samples, ORR_ENOMEM, "sound: out of memory");
  s->kind = m->stream ? TRAIN_LIVE_SOUND_STREAM : TRAIN_LIVE_SOUND_FILE;
  s->rate = (double)m->rate;
  s->fps = h->fps;
  s->bands = h->bands;
  s->whole = m->stream ? 0 : m->whole;
  return ORR_OK;
}

// The newest that there is room for.
static void add_to_stream(train_live_sound *s, const train_wire_sound *m) {
  const int64_t room = stream_room(m);
  const int64_t take = m->n < room ? m->n : room;
  const int64_t keep = s->n + take <= room ? s->n : room - take;
  memmove(s->samples, s->samples + s->n - keep, (size_t)keep * sizeof *s->samples);
  for (int64_t i = 0; i < take; i++) s->samples[keep + i] = train_wire_sample(m, m->n - take + i);
  s->n = keep + take;
}

static orr_code take_stream(train_live_sound *s, const train_live_hearing *h,
                            const train_wire_sound *m, int64_t now_ns, bool *begun) {
  *begun = s->kind != TRAIN_LIVE_SOUND_STREAM || s->rate != (double)m->rate;
  if (*begun) ORR_TRY(begin(s, h, m));
  add_to_stream(s, m);
  s->heard_ns = now_ns;
  return ORR_OK;
}

static orr_code take_file(train_live_sound *s, const train_live_hearing *h,
                          const train_wire_sound *m, int64_t frame, bool *begun) {
  if (m->at == 0) ORR_TRY(begin(s, h, m));
  ORR_CHECK(s->kind == TRAIN_LIVE_SOUND_FILE && m->at == s->n && m->whole == s->whole &&
                (double)m->rate == s->rate,
            ORR_EFORMAT,
            "sound message: samples from %" PRId64 " on of a file of %" PRId64
            ", which are not the next of one that began",
            m->at, m->whole);
  for (int64_t i = 0; i < m->n; i++) s->samples[s->n + i] = train_wire_sample(m, i);
  s->n += m->n;
  s->first = frame;
  *begun = s->n == s->whole;
  return ORR_OK;
}

orr_code train_live_sound_take(train_live_sound *s, const train_live_hearing *h,
                               const train_wire_sound *m, int64_t frame, int64_t now_ns,
                               bool *begun) {
  *begun = false;
  return m->stream ? take_stream(s, h, m, now_ns, begun) : take_file(s, h, m, frame, begun);
}

void train_live_sound_at(train_live_sound *s, int64_t frame, int64_t now_ns, float *out) {
  if (s->kind == TRAIN_LIVE_SOUND_FILE) {
    data_mel_at(s->mel, s->samples, s->n, (double)(frame - s->first + 1) / s->fps, out);
    return;
  }
  const bool lost = now_ns - s->heard_ns > STREAM_LOST_NS;
  const double middle = (double)s->n / s->rate - DATA_MEL_WINDOW_S / 2;
  data_mel_at(s->mel, s->samples, lost ? 0 : s->n, middle, out);
}

bool train_live_sound_is_over(const train_live_sound *s, int64_t frame) {
  if (s->kind != TRAIN_LIVE_SOUND_FILE || s->n < s->whole) return false;
  const double begins = (double)(frame - s->first + 1) / s->fps - DATA_MEL_WINDOW_S / 2;
  return begins > (double)s->n / s->rate;
}
