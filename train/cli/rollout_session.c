#include "train/cli/rollout_session.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "data/pictures/film.h"
#include "train/live/record_file.h"
#include "train/live/session.h"

enum { HASH_LINE = 64, SNAPSHOT_BYTES = 1 }; // nobody goes back

typedef struct {
  const char *file, *out, *hashes;
  int64_t scale;
  train_live_world world;
  train_live_session session;
  int64_t prompt, frames;
  uint8_t *film; // [prompt + frames,height,width,3]; NULL = none is wanted
  char *lines;   // of the hashes
  size_t written;
} replay;

// Hours of decoding end with what they are for: a folder that is not there is told before.
static orr_code check_folder(const char *path) {
  orr_path dir;
  if (!path) return ORR_OK;
  snprintf(dir, sizeof dir, "%s", path);
  char *slash = strrchr(dir, '/');
  if (!slash) return ORR_OK;
  slash[slash == dir] = '\0';
  ORR_CHECK(orr_fs_is_dir(dir), ORR_ENOTFOUND,
            "%s: cannot be written: there is no folder %s; make it, or give another path", path,
            dir);
  return ORR_OK;
}

static orr_code read_options(const orr_args *a, replay *r) {
  static const char *const own[] = {
      "data",    "clip",  "frames",      "actions", "beside",
      "prompt",  "steps", "temperature", "seed",    "choice-temperature",
      "surprise"};
  for (size_t i = 0; i < sizeof own / sizeof *own; i++)
    ORR_CHECK(!orr_args_text(a, own[i], NULL), ORR_ECONFIG,
              "rollout: --session FILE says what --%s would: leave one of them out", own[i]);
  r->out = orr_args_text(a, "out", NULL);
  r->hashes = orr_args_text(a, "hashes", NULL);
  r->scale = 4;
  ORR_TRY(check_folder(r->out));
  ORR_TRY(check_folder(r->hashes));
  return orr_args_i64(a, "scale", 1, 64, &r->scale);
}

static orr_code load(const orr_args *a, const char *checkpoint, train_record *record, replay *r) {
  train_live_world *const worlds[] = {&r->world};
  ORR_TRY(train_live_world_open(
      a, checkpoint, NULL,
      &(train_live_world_options){.sessions = 1, .steps = record->settings.steps, .ahead = 1},
      &r->world));
  ORR_TRY(train_live_session_create(worlds, 1, 0, SNAPSHOT_BYTES, &r->session));
  ORR_TRY(train_live_session_load(&r->session, record, orr_args_flag(a, "anyway")));
  r->prompt = r->session.record.prompt;
  r->frames = r->session.goal - r->prompt;
  return ORR_OK;
}

static orr_code take_memory(replay *r) {
  const size_t n = (size_t)(r->prompt + r->frames);
  if (r->hashes) {
    r->lines = orr_malloc((size_t)(r->frames + 1) * HASH_LINE);
    ORR_CHECK(r->lines, ORR_ENOMEM, "%s: out of memory", r->hashes);
  }
  if (!r->out) return ORR_OK;
  r->film = orr_malloc(n * r->world.frame_bytes);
  ORR_CHECK(r->film, ORR_ENOMEM, "%s: a film of %zu frames does not fit into memory", r->out, n);
  return train_codec_decode(r->world.codec, r->session.record.tokens, r->prompt, r->film);
}

static void note_hash(replay *r) {
  if (!r->lines) return;
  r->written += (size_t)snprintf(r->lines + r->written, HASH_LINE, "%" PRId64 " %s\n",
                                 r->session.frame - 1, orr_hash_to_hex(r->session.hash[0]).s);
}

static orr_code play(replay *r) {
  train_live_session *s = &r->session;
  const double begin = orr_clock_ms();
  note_hash(r);
  while (train_live_session_catching_up(s)) {
    const int64_t at = s->frame;
    ORR_TRY(train_live_session_step(&s, 1));
    ORR_TRY(train_live_session_settle(&s, 1));
    note_hash(r);
    if (r->film)
      memcpy(r->film + (size_t)at * r->world.frame_bytes, s->pixels[0], r->world.frame_bytes);
    orr_progress(s->frame == s->goal, "rollout: frame %" PRId64 " of %" PRId64, at + 1 - r->prompt,
                 r->frames);
  }
  ORR_INFO("rollout: %.1f frames/s", 1e3 * (double)r->frames / (orr_clock_ms() - begin));
  return ORR_OK;
}

static orr_code keep(const replay *r) {
  const train_live_world *w = &r->world;
  if (r->lines) ORR_TRY(orr_fs_write_atomic(r->hashes, r->lines, r->written));
  if (!r->film) return ORR_OK;
  return data_film_write(r->out, r->film, r->prompt + r->frames, w->height, w->width,
                         r->session.record.fps, (int)r->scale);
}

// What was promised to be equal is.
static orr_code judge(const replay *r) {
  const train_live_session *s = &r->session;
  ORR_CHECK(s->differs < 0, ORR_ECORRUPT,
            "%s: a frame up to number %" PRId64 " is not what it was when the session was recorded",
            r->file, s->differs);
  if (s->checks)
    ORR_INFO("rollout: all %" PRId64 " frames of %s are what they were, to the bit", r->frames,
             r->file);
  return ORR_OK;
}

static orr_code run(const orr_args *a, const char *checkpoint, train_record *record, replay *r) {
  ORR_TRY(load(a, checkpoint, record, r));
  ORR_TRY(take_memory(r));
  ORR_TRY(play(r));
  ORR_TRY(keep(r));
  return judge(r);
}

orr_code train_rollout_session(const orr_args *a, const char *checkpoint, const char *file) {
  replay r = {.file = file};
  train_record record = {0};
  char *bytes = NULL;
  size_t size = 0;
  ORR_TRY(read_options(a, &r));
  ORR_TRY(orr_fs_read_all(file, &bytes, &size));
  orr_code rc = train_record_read(file, (const uint8_t *)bytes, size, &record);
  orr_free(bytes);
  if (rc == ORR_OK) rc = run(a, checkpoint, &record, &r);
  orr_free(r.lines);
  orr_free(r.film);
  train_live_session_release(&r.session);
  train_live_world_close(&r.world);
  train_record_release(&record);
  return rc;
}
