#include "train/live/scribe.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/mem.h"
#include "data/set/index.h"
#include "data/shard/writer.h"
#include "train/live/record_file.h"
#include "train/live/session.h"

struct train_live_scribe {
  train_live_scribe_options o;
  orr_lock *lock;
  train_live_session session;
  char source[96];
  int64_t next;   // number of the next session that ends
  int64_t making; // number of the one that is being made, or looked at next
  bool indexed;
  data_shard_writer *writer; // of `making`; NULL = none is open
  float *action;             // [A]
  uint8_t *prompt;           // the prompt's frames, while they are written
};

// -- names --------------------------------------------------------------------------------------

static orr_code session_path(const train_live_scribe *s, int64_t number, orr_path out) {
  char name[48];
  snprintf(name, sizeof name, "session-%05" PRId64 ".orrery", number);
  return orr_fs_join(out, ORR_PATH_MAX, s->o.dir, name);
}

static orr_code shard_path(const train_live_scribe *s, int64_t number, orr_path out) {
  return data_shard_name_in(s->o.dir, number, out, ORR_PATH_MAX);
}

// Numbers of what is there. Shards without a session are somebody else's.
static orr_code look_around(train_live_scribe *s) {
  orr_path path;
  int64_t number, last_shard = -1;
  DIR *d = opendir(s->o.dir);
  ORR_CHECK(d, ORR_EIO, "%s: cannot list this folder: %s", s->o.dir, strerror(errno));
  for (const struct dirent *e; (e = readdir(d));) {
    if (sscanf(e->d_name, "session-%" SCNd64 ".orrery", &number) == 1 && number >= s->next)
      s->next = number + 1;
    if (sscanf(e->d_name, "shard-%" SCNd64 ".h5", &number) == 1 && number > last_shard)
      last_shard = number;
  }
  closedir(d);
  if (last_shard < 0) return ORR_OK;
  ORR_TRY(session_path(s, last_shard, path));
  ORR_CHECK(orr_fs_exists(path), ORR_EINVAL,
            "%s holds shards of something else: give --record a folder of its own", s->o.dir);
  return ORR_OK;
}

orr_code train_live_scribe_create(const train_live_scribe_options *o, train_live_world *w,
                                  train_live_scribe **out) {
  orr_code rc;
  train_live_world *const worlds[] = {w};
  train_live_scribe *s = orr_calloc(1, sizeof *s);
  ORR_CHECK(s, ORR_ENOMEM, "play: out of memory");
  s->o = *o;
  snprintf(s->source, sizeof s->source, "orrery play, checkpoint %s", w->checkpoint.s);
  s->action = orr_calloc((size_t)o->A, sizeof *s->action);
  rc = s->action ? ORR_OK : ORR_FAIL(ORR_ENOMEM, "play: out of memory");
  if (rc == ORR_OK) rc = orr_fs_mkdirs(o->dir);
  if (rc == ORR_OK) rc = orr_lock_take(o->dir, "orrery play --record", &s->lock);
  if (rc == ORR_OK) rc = look_around(s);
  if (rc == ORR_OK) rc = train_live_session_create(worlds, 1, o->slot, 1, &s->session);
  if (rc != ORR_OK) {
    train_live_scribe_destroy(s);
    return rc;
  }
  *out = s;
  return ORR_OK;
}

void train_live_scribe_destroy(train_live_scribe *s) {
  if (!s) return;
  data_shard_writer_destroy(s->writer);
  train_live_session_release(&s->session);
  orr_lock_release(s->lock);
  orr_free(s->prompt);
  orr_free(s->action);
  orr_free(s);
}

orr_code train_live_scribe_keep(train_live_scribe *s, const train_record *r) {
  orr_path path;
  uint8_t *file = NULL;
  size_t size = 0;
  if (r->frames == 0) return ORR_OK;
  ORR_TRY(session_path(s, s->next, path));
  ORR_TRY(train_record_write(r, &file, &size));
  const orr_code rc = orr_fs_write_atomic(path, file, size);
  orr_free(file);
  if (rc == ORR_OK) s->next++;
  return rc;
}

// -- one session into one shard -----------------------------------------------------------------

// The action that led from frame t, counted from the first of the prompt, to the next.
static const float *action_after(const train_live_scribe *s, int64_t t) {
  const train_record *r = &s->session.record;
  const float *from = t + 1 < r->prompt               ? r->prompt_actions + t * r->A
                      : t + 1 < r->prompt + r->frames ? train_record_action(r, t + 1 - r->prompt)
                                                      : NULL; // the last one leads nowhere
  for (int64_t i = 0; i < s->o.A; i++) s->action[i] = from && i < r->A ? from[i] : 0.0f;
  return s->action;
}

static orr_code append(train_live_scribe *s, int64_t t, const uint8_t *pixels) {
  return data_shard_writer_append(
      s->writer, &(data_shard_rows){.n = 1, .frames = pixels, .actions = action_after(s, t)});
}

static orr_code append_prompt(train_live_scribe *s) {
  const train_record *r = &s->session.record;
  const train_live_world *w = s->session.world[0];
  s->prompt = orr_malloc((size_t)r->prompt * w->frame_bytes);
  ORR_CHECK(s->prompt, ORR_ENOMEM, "play: out of memory");
  ORR_TRY(train_codec_decode(w->codec, r->tokens, r->prompt, s->prompt));
  for (int64_t t = 0; t < r->prompt; t++)
    ORR_TRY(append(s, t, s->prompt + (size_t)t * w->frame_bytes));
  return ORR_OK;
}

static orr_code load(train_live_scribe *s, const char *path) {
  train_record r = {0};
  char *file = NULL;
  size_t size = 0;
  ORR_TRY(orr_fs_read_all(path, &file, &size));
  orr_code rc = train_record_read(path, (const uint8_t *)file, size, &r);
  orr_free(file);
  if (rc == ORR_OK && r.A > s->o.A)
    rc = ORR_FAIL(ORR_EINVAL, "%s has %" PRId64 " components, the others %" PRId64, path, r.A,
                  s->o.A);
  if (rc == ORR_OK) rc = train_live_session_load(&s->session, &r, false);
  train_record_release(&r);
  return rc;
}

static orr_code begin_shard(train_live_scribe *s, const char *session, const char *shard) {
  const train_live_world *w = s->session.world[0];
  const data_shard_format f = {.branch = s->o.name,
                               .source = s->source,
                               .fps = s->o.fps,
                               .height = w->height,
                               .width = w->width,
                               .A = s->o.A,
                               .action_names = s->o.action_names};
  ORR_TRY(load(s, session));
  ORR_TRY(data_shard_writer_create(shard, &f, DATA_FILTER_NONE, &s->writer));
  const orr_code rc = append_prompt(s);
  orr_free(s->prompt);
  s->prompt = NULL;
  return rc;
}

static orr_code add_frame(train_live_scribe *s) {
  train_live_session *one = &s->session;
  const int64_t t = one->frame;
  ORR_TRY(train_live_session_step(&one, 1));
  ORR_TRY(train_live_session_settle(&one, 1));
  return append(s, t, one->pixels[0]);
}

static orr_code finish_shard(train_live_scribe *s) {
  if (s->session.differs >= 0)
    ORR_WARN("play: %s: session %" PRId64 " does not come out as it was; its frames are kept as "
             "they are now",
             s->o.dir, s->making);
  ORR_TRY(data_shard_writer_end_episode(s->writer));
  return data_shard_writer_finish(s->writer);
}

// A session that cannot be made, or not here, is left as a file; the others go on.
static void conclude(train_live_scribe *s, orr_code rc) {
  if (rc != ORR_OK)
    ORR_WARN("play: session %" PRId64 " does not become a shard: %s", s->making,
             orr_status_message());
  data_shard_writer_destroy(s->writer);
  s->writer = NULL;
  s->indexed = false;
  s->making++;
}

// Goes to the next session without a shard; false where there is none.
static orr_code find_next(train_live_scribe *s, bool *found) {
  orr_path session, shard;
  for (*found = false; s->making < s->next; s->making++) {
    ORR_TRY(session_path(s, s->making, session));
    ORR_TRY(shard_path(s, s->making, shard));
    if (!orr_fs_exists(session) || orr_fs_exists(shard)) continue;
    *found = true;
    const orr_code rc = begin_shard(s, session, shard);
    if (rc != ORR_OK) conclude(s, rc);
    return ORR_OK;
  }
  return ORR_OK;
}

static orr_code index_them(train_live_scribe *s, bool alone) {
  orr_path any;
  bool some = false;
  if (s->indexed || !alone) return ORR_OK;
  for (int64_t i = 0; i < s->next && !some; i++) {
    ORR_TRY(shard_path(s, i, any));
    some = orr_fs_exists(any);
  }
  s->indexed = true;
  return some ? data_index_build(s->o.dir, NULL) : ORR_OK;
}

orr_code train_live_scribe_work(train_live_scribe *s, bool alone, bool *more) {
  *more = true;
  if (!s->writer) {
    ORR_TRY(find_next(s, more));
    return *more ? ORR_OK : index_them(s, alone);
  }
  orr_code rc = ORR_OK;
  if (train_live_session_catching_up(&s->session)) {
    rc = add_frame(s);
    if (rc == ORR_OK) return rc;
  }
  if (rc == ORR_OK) rc = finish_shard(s);
  conclude(s, rc);
  return ORR_OK;
}
