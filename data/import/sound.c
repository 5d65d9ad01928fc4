#include "data/import/sound.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "data/sound/mel.h"
#include "data/sound/track.h"

#define LENGTHS_APART_S 0.15 // sound comes in packets: that much is no fault

// The film's own, else the WAV file of its name.
static orr_code read_track(const char *place, data_track *out) {
  char beside[PATH_MAX];
  const char *slash = strrchr(place, '/'), *dot = strrchr(place, '.');
  const bool is_file = dot && dot > (slash ? slash : place);
  orr_code rc = ORR_ENOTFOUND;
  if (is_file) rc = data_track_read(place, out);
  if (rc != ORR_ENOTFOUND) return rc;
  const int n = is_file ? (int)(dot - place) : (int)strlen(place);
  ORR_CHECK(snprintf(beside, sizeof beside, "%.*s.wav", n, place) < (int)sizeof beside, ORR_EINVAL,
            "%s: too long a path", place);
  rc = data_track_read(beside, out);
  ORR_CHECK(rc != ORR_ENOTFOUND, ORR_ENOTFOUND,
            "%s: no sound: no track in it, and no %s beside it; without --audio it is imported as "
            "pictures",
            place, beside);
  return rc;
}

// The camera whose film is taken: the first that is asked for.
static const data_import_camera *camera_of(const data_import_options *o,
                                           const data_import_episode *e) {
  for (int64_t c = 0; c < e->camera_count; c++)
    for (int64_t i = 0; i < o->cameras.n; i++)
      if (strcmp(o->cameras.v[i], e->cameras[c].name) == 0) return &e->cameras[c];
  return &e->cameras[0];
}

static double time_of(const data_import_episode *e, int64_t frame, double fps) {
  if (e->times && frame < e->frames) return e->times[frame];
  if (e->times) return 2 * e->times[e->frames - 1] - e->times[e->frames - 2];
  return (double)frame / fps;
}

static orr_code check_length(const data_import_options *o, const data_import_episode *e,
                             const data_track *t, double fps) {
  const double sound = (double)t->n / t->rate, picture = time_of(e, e->frames, fps);
  const double allowed = LENGTHS_APART_S + (double)o->slack / fps;
  ORR_CHECK(
      fabs(sound - picture) <= allowed, ORR_EFORMAT,
      "%s: its sound lasts %.2f s, its %" PRId64
      " frames %.2f s: cut the longer, say the frames' rate (--source-fps), or let them differ "
      "(--slack FRAMES)",
      e->name, sound, e->frames, picture);
  return ORR_OK;
}

static orr_code allocate(const data_import_episode *e, int64_t bands, data_import_actions *out) {
  *out = (data_import_actions){.rows = e->frames, .A = bands, .success = -1};
  out->v = orr_malloc((size_t)(e->frames * bands) * sizeof *out->v);
  const size_t names = (size_t)bands * (sizeof(char *) + 8);
  out->names = orr_malloc(names);
  ORR_CHECK(out->v && out->names, ORR_ENOMEM, "%s: out of memory for its sound", e->name);
  char *text = (char *)(out->names + bands);
  for (int64_t b = 0; b < bands; b++) {
    out->names[b] = text + 8 * b;
    data_mel_name(b, out->names[b]);
  }
  return ORR_OK;
}

orr_code data_import_sound_read(const data_import_options *o, const data_import_episode *e,
                                data_import_actions *out) {
  const data_import_camera *c = camera_of(o, e);
  const double fps = o->source_fps > 0 ? o->source_fps : e->fps > 0 ? e->fps : o->fps;
  data_track track = {0};
  data_mel *mel = NULL;
  orr_code rc;
  *out = (data_import_actions){0};
  ORR_CHECK(fps > 0 && e->frames >= 2, ORR_EINVAL,
            "%s: sound belongs to frames by time, and nothing says their rate: --source-fps",
            e->name);
  ORR_TRY_GOTO(read_track(c->place, &track), done);
  ORR_TRY_GOTO(check_length(o, e, &track, fps), done);
  ORR_TRY_GOTO(data_mel_create(track.rate, DATA_MEL_BANDS, &mel), done);
  ORR_TRY_GOTO(allocate(e, DATA_MEL_BANDS, out), done);
  for (int64_t t = 0; t < e->frames; t++)
    data_mel_at(mel, track.samples, track.n, c->from + time_of(e, t + 1, fps),
                out->v + t * DATA_MEL_BANDS);
done:
  data_mel_destroy(mel);
  data_track_release(&track);
  if (rc != ORR_OK) data_import_actions_release(out);
  return rc;
}
