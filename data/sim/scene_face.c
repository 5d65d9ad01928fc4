// The face as a scene. It says sentence after sentence with pauses between, whatever it is told: an
// action is the spectrum of what it says, and what another action would have made of the face
// nobody knows.
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "data/sim/face.h"
#include "data/sim/scene.h"

#define MOUTH_S 0.045 // time in which a mouth does most of its way
#define AHEAD_S 0.05  // it is on its way before the sound is heard

typedef struct {
  int64_t height, width, voice_first, voice_end;
  double fps;
  uint64_t seed, episode, who; // who: the episode that drew identity and voice
  int64_t frame;
  float state[DATA_FACE_STATE];
  data_mel *mel;
  data_speech speech; // the sentence that is said
  uint64_t sentence;  // number of the next one
  double begins_s;    // of the sentence
  double ends_s;      // of the pause after it
  double gaze[2], gaze_until_s, blink_s;
} face_scene;

static double draw(const face_scene *s, uint64_t position, double lowest, double highest) {
  return lowest +
         (highest - lowest) * orr_rng_uniform(s->seed, ORR_STREAM_SCENE, s->episode, position);
}

static bool available(void) {
  return data_speech_available() && data_mel_available();
}

static void destroy(void *scene) {
  face_scene *s = scene;
  if (!s) return;
  data_speech_release(&s->speech);
  data_mel_destroy(s->mel);
  orr_free(s);
}

static orr_code create(const data_scene_setting *o, void **scene) {
  ORR_CHECK(available(), ORR_EUNSUPPORTED,
            "scene face: this build has no speech: install libespeak-ng-dev and libfftw3-dev, "
            "configure again and rebuild");
  face_scene *s = orr_calloc(1, sizeof *s);
  ORR_CHECK(s, ORR_ENOMEM, "face scene: out of memory");
  *s = (face_scene){.height = o->height,
                    .width = o->width,
                    .voice_first = o->voice_first,
                    .voice_end = o->voice_end ? o->voice_end : DATA_SPEECH_USUAL,
                    .fps = o->fps};
  *scene = s;
  return ORR_OK;
}

// -- speech ---------------------------------------------------------------------------------

// The next sentence, after a pause.
static orr_code say_next(face_scene *s) {
  char words[256];
  const uint64_t at = (s->sentence << 8) + 16;
  const int voice = (int)s->state[DATA_FACE_VOICE];
  data_face_words(s->seed, s->episode, s->sentence, words, sizeof words);
  data_speech_release(&s->speech);
  ORR_TRY(data_speech_say(words, voice, (int)draw(s, at, 130, 190), (int)draw(s, at + 1, 35, 65),
                          &s->speech));
  s->begins_s = s->ends_s;
  s->ends_s = s->begins_s + (double)s->speech.n / s->speech.rate + draw(s, at + 2, 0.3, 1.2);
  s->sentence++;
  if (s->mel) return ORR_OK;
  return data_mel_create(s->speech.rate, DATA_MEL_BANDS, &s->mel);
}

static double now_s(const face_scene *s) {
  return (double)s->frame / s->fps;
}

// What the mouth is to do at a time: the sound that is said then.
static data_face_mouth wanted(const face_scene *s, double time_s, bool *speaks) {
  data_face_mouth mouth = {0, 0};
  *speaks = false;
  for (int64_t i = 0; i < s->speech.sounds; i++) {
    if (s->begins_s + s->speech.sound[i].time_s > time_s) break;
    mouth = data_face_mouth_of(s->speech.sound[i].name);
    *speaks = s->speech.sound[i].name[0] != '_';
  }
  if (time_s > s->begins_s + (double)s->speech.n / s->speech.rate) *speaks = false;
  return *speaks ? mouth : (data_face_mouth){0, 0};
}

// -- the rest of the face -------------------------------------------------------------------

// Slow and smooth, each episode's own.
static double sway(const face_scene *s, uint64_t which) {
  const double t = now_s(s);
  return 0.6 * sin(2 * M_PI * (draw(s, 8 + which, 0.08, 0.2) * t + draw(s, 10 + which, 0, 1))) +
         0.4 * sin(2 * M_PI * (draw(s, 12 + which, 0.25, 0.5) * t + draw(s, 14 + which, 0, 1)));
}

static void look_about(face_scene *s) {
  const double t = now_s(s);
  const uint64_t row = (UINT64_C(1) << 32) + ((uint64_t)s->frame << 3);
  if (t >= s->gaze_until_s) {
    const bool ahead = draw(s, row, 0, 1) < 0.5;
    for (uint64_t i = 0; i < 2; i++) s->gaze[i] = ahead ? 0 : draw(s, row + 1 + i, -1, 1);
    s->gaze_until_s = t + draw(s, row + 3, 0.5, 2.5);
  }
  if (t > s->blink_s + 0.2) s->blink_s = t + draw(s, row + 4, 1, 5);
  const double shut = 1 - fabs(t - s->blink_s) / 0.1;
  s->state[DATA_FACE_BLINK] = (float)fmax(0, fmin(1, 1.4 * shut));
  s->state[DATA_FACE_GAZE_X] = (float)s->gaze[0];
  s->state[DATA_FACE_GAZE_Y] = (float)s->gaze[1];
  s->state[DATA_FACE_TURN] = (float)sway(s, 0);
  s->state[DATA_FACE_TILT] = (float)(0.08 * sway(s, 1));
}

// The mouth goes on to now in small steps, so that no sound is left out between two frames.
static void move_mouth(face_scene *s, double from_s, double to_s) {
  enum { STEPS = 8 };
  const double dt_s = (to_s - from_s) / STEPS, share = 1 - exp(-dt_s / MOUTH_S * 1.5);
  for (int i = 1; i <= STEPS; i++) {
    bool speaks;
    const data_face_mouth to = wanted(s, from_s + i * dt_s + AHEAD_S, &speaks);
    float *f = s->state;
    f[DATA_FACE_OPEN] += (float)(share * (to.open - f[DATA_FACE_OPEN]));
    f[DATA_FACE_WIDE] += (float)(share * (to.wide - f[DATA_FACE_WIDE]));
    f[DATA_FACE_JAW] += (float)(0.6 * share * (to.open - f[DATA_FACE_JAW]));
    f[DATA_FACE_SPEAKS] = speaks;
  }
}

// -- the scene ------------------------------------------------------------------------------

static orr_code start(void *scene, uint64_t seed, uint64_t episode) {
  face_scene *s = scene;
  s->seed = seed;
  s->episode = episode;
  s->frame = 0;
  s->sentence = 0;
  memset(s->state, 0, sizeof s->state);
  s->state[DATA_FACE_IDENTITY] = (float)(int)draw(s, 0, 0, DATA_FACE_IDENTITIES);
  s->state[DATA_FACE_VOICE] = (float)(int)draw(s, 1, (double)s->voice_first, (double)s->voice_end);
  s->ends_s = draw(s, 2, 0, 0.5);
  s->gaze_until_s = 0;
  s->blink_s = draw(s, 3, 0.5, 3);
  look_about(s);
  return say_next(s);
}

// Says something else from the next sentence on, which begins now.
static void fork_face(void *scene, uint64_t episode, int which) {
  face_scene *s = scene;
  s->episode = episode + ((uint64_t)which << 40);
  s->ends_s = now_s(s);
}

static void state(const void *scene, float *out) {
  memcpy(out, ((const face_scene *)scene)->state, sizeof((const face_scene *)scene)->state);
}

static orr_code render(void *scene, uint8_t *rgb) {
  const face_scene *s = scene;
  data_face_draw(s->state, s->height, s->width, rgb);
  return ORR_OK;
}

// What is heard around the next frame is what leads to it.
static void act(void *scene, float *action) {
  face_scene *s = scene;
  data_mel_at(s->mel, s->speech.samples, s->speech.n, (double)(s->frame + 1) / s->fps - s->begins_s,
              action);
}

static orr_code step(void *scene, const float *action) {
  face_scene *s = scene;
  const double was_s = now_s(s);
  s->frame++;
  move_mouth(s, was_s, now_s(s));
  look_about(s);
  return now_s(s) >= s->ends_s ? say_next(s) : ORR_OK;
}

static const char *const units[DATA_MEL_BANDS] = {
    "log mel", "log mel", "log mel", "log mel", "log mel", "log mel", "log mel",
    "log mel", "log mel", "log mel", "log mel", "log mel", "log mel", "log mel",
    "log mel", "log mel", "log mel", "log mel", "log mel", "log mel"};
static const double most[DATA_MEL_BANDS] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                            1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

const data_scene data_scene_face = {
    .name = "face",
    .sentence = "somebody speaks: eight faces, ten voices; the sound around a frame is the action",
    .source = "face scene, espeak-ng",
    .branch = "avatars",
    .voices = DATA_SPEECH_VOICES,
    .height = 64,
    .width = 64,
    .fps = 25,
    .A = DATA_MEL_BANDS,
    .action_names = data_face_action_names,
    .action_units = units,
    .action_most = most,
    .Q = DATA_FACE_STATE,
    .state_names = data_face_state_names,
    .needs = "libespeak-ng-dev and libfftw3-dev",
    .available = available,
    .create = create,
    .destroy = destroy,
    .start = start,
    .fork = fork_face,
    .state = state,
    .render = render,
    .act = act,
    .step = step,
};
