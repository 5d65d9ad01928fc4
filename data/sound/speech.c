#include "data/sound/speech.h"

#include <errno.h>
#include <espeak-ng/speak_lib.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

#define PATIENCE_S 30
enum { SAMPLES_MOST = 22050 * 120, SOUNDS_MOST = 4096 };

static const char *const voices[DATA_SPEECH_VOICES] = {"en+m1", "en+f1", "en+m3", "en+f2",
                                                       "en+m4", "en+f3", "en+m6", "en+f4",
                                                       "en+m7", "en+f5", "en+m2", "en+m5"};

bool data_speech_available(void) {
  return true;
}

// -- in the process that speaks -------------------------------------------------------------

typedef struct {
  int32_t rate, samples, sounds;
} head;

// What has been said so far. The library hands its callback no context that it may use before the
// first event, and the process says one sentence only.
static struct {
  short samples[SAMPLES_MOST];
  data_speech_sound sound[SOUNDS_MOST];
  head head;
} said;

static int take(short *wave, int n, espeak_EVENT *e) {
  for (int i = 0; wave && i < n && said.head.samples < SAMPLES_MOST; i++)
    said.samples[said.head.samples++] = wave[i];
  for (; e->type != espeakEVENT_LIST_TERMINATED; e++) {
    if (e->type != espeakEVENT_PHONEME || said.head.sounds >= SOUNDS_MOST) continue;
    data_speech_sound *s = &said.sound[said.head.sounds++];
    memset(s, 0, sizeof *s);
    s->time_s = e->audio_position / 1000.0;
    memcpy(s->name, e->id.string, sizeof e->id.string);
  }
  return 0;
}

static void write_all(int fd, const void *from, size_t size) {
  for (const char *at = from; size > 0;) {
    const ssize_t n = write(fd, at, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) _exit(1);
    at += n;
    size -= (size_t)n;
  }
}

static void speak(int fd, const char *words, int voice, int speed, int pitch) {
  const int options = espeakINITIALIZE_PHONEME_EVENTS | espeakINITIALIZE_DONT_EXIT;
  said.head.rate = espeak_Initialize(AUDIO_OUTPUT_SYNCHRONOUS, 0, NULL, options);
  if (said.head.rate <= 0) _exit(2);
  espeak_SetSynthCallback(take);
  if (espeak_SetVoiceByName(voices[voice]) != EE_OK) _exit(2);
  espeak_SetParameter(espeakRATE, speed, 0);
  espeak_SetParameter(espeakPITCH, pitch, 0);
  espeak_Synth(words, strlen(words) + 1, 0, POS_CHARACTER, 0, espeakCHARS_UTF8, NULL, NULL);
  espeak_Synchronize();
  write_all(fd, &said.head, sizeof said.head);
  write_all(fd, said.samples, (size_t)said.head.samples * sizeof *said.samples);
  write_all(fd, said.sound, (size_t)said.head.sounds * sizeof *said.sound);
  _exit(0);
}

// -- in ours --------------------------------------------------------------------------------

static orr_code read_all(int fd, void *to, size_t size, int64_t until) {
  for (char *at = to; size > 0;) {
    const int64_t left_ms = (until - orr_clock_ns()) / 1000000;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    ORR_CHECK(left_ms > 0, ORR_EIO, "espeak-ng did not speak within %d s", (int)PATIENCE_S);
    if (poll(&p, 1, left_ms > 1000 ? 1000 : (int)left_ms) <= 0) continue;
    const ssize_t n = read(fd, at, size);
    if (n < 0 && errno == EINTR) continue;
    ORR_CHECK(n > 0, ORR_EUNSUPPORTED,
              "espeak-ng does not speak: is espeak-ng-data installed, with its English voices?");
    at += n;
    size -= (size_t)n;
  }
  return ORR_OK;
}

static orr_code hear(int fd, data_speech *out) {
  const int64_t until = orr_clock_ns() + (int64_t)PATIENCE_S * 1000000000;
  head h;
  orr_code rc = ORR_OK;
  ORR_TRY(read_all(fd, &h, sizeof h, until));
  ORR_CHECK(h.samples >= 0 && h.samples <= SAMPLES_MOST && h.sounds >= 0 && h.sounds <= SOUNDS_MOST,
            ORR_EIO, "espeak-ng: a sentence of %d samples", (int)h.samples);
  *out = (data_speech){.rate = h.rate, .n = h.samples, .sounds = h.sounds};
  short *wave = orr_malloc((size_t)h.samples * sizeof *wave + 1);
  out->samples = orr_malloc((size_t)h.samples * sizeof *out->samples + 1);
  out->sound = orr_malloc((size_t)h.sounds * sizeof *out->sound + 1);
  ORR_CHECK_GOTO(wave && out->samples && out->sound, done, ORR_ENOMEM, "speech: out of memory");
  ORR_TRY_GOTO(read_all(fd, wave, (size_t)h.samples * sizeof *wave, until), done);
  ORR_TRY_GOTO(read_all(fd, out->sound, (size_t)h.sounds * sizeof *out->sound, until), done);
  for (int64_t i = 0; i < out->n; i++) out->samples[i] = (float)wave[i] / 32768;
done:
  orr_free(wave);
  return rc;
}

orr_code data_speech_say(const char *words, int voice, int speed, int pitch, data_speech *out) {
  int pipes[2];
  *out = (data_speech){0};
  ORR_CHECK(voice >= 0 && voice < DATA_SPEECH_VOICES, ORR_EINVAL,
            "speech: voice %d, wanted 0 to %d", voice, (int)DATA_SPEECH_VOICES - 1);
  ORR_CHECK(pipe(pipes) == 0, ORR_EIO, "speech: no pipe: %s", strerror(errno));
  const pid_t child = fork();
  if (child == 0) {
    close(pipes[0]);
    speak(pipes[1], words, voice, speed, pitch);
  }
  close(pipes[1]);
  orr_code rc = child < 0 ? ORR_FAIL(ORR_EIO, "speech: no process: %s", strerror(errno))
                          : hear(pipes[0], out);
  close(pipes[0]);
  if (child > 0) {
    (void)kill(child, SIGKILL); // it has nothing more to say
    (void)waitpid(child, NULL, 0);
  }
  if (rc != ORR_OK) data_speech_release(out);
  return rc;
}

void data_speech_release(data_speech *s) {
  orr_free(s->sound);
  orr_free(s->samples);
  *s = (data_speech){0};
}
