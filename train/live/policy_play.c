#include "train/live/policy_play.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sort.h"
#include "train/live/clip.h"
#include "train/live/record_file.h"

enum { SNAPSHOT_BYTES = 1 }; // nobody goes back

typedef struct {
  const train_policy_play_options *o;
  const train_live_house *h;
  train_live_session session;
  train_policy *policy;
  float *action;    // [A] that led to the last frame
  double *think_ms; // [horizon]
  int64_t thoughts;
  double surprise; // sum over the frames of an episode
} play;

static orr_code begin(play *p, int64_t episode) {
  const train_live_set *set = &p->h->set[0];
  train_live_start start = {
      .prompt = p->h->prompt, .fps = p->h->fps, .branch = p->h->branch, .settings = p->h->settings};
  train_live_clip clip;
  start.settings.seed = (uint64_t)(p->o->seed + episode);
  orr_code rc = train_live_clip_read(
      set, p->session.world[0], episode % train_episodes_count(set->episodes), 0, &start, &clip);
  if (rc == ORR_OK) rc = train_live_session_begin(&p->session, &start, p->h->record_bytes);
  train_live_clip_release(&clip);
  memset(p->action, 0, (size_t)p->h->A_set * sizeof *p->action);
  p->thoughts = 0;
  p->surprise = 0.0;
  return rc;
}

static orr_code ask(play *p, const float **chunk, int64_t *rows) {
  const train_live_world *w = p->session.world[0];
  const double begin = orr_clock_ms();
  ORR_TRY(train_policy_ask(p->policy,
                           &(train_policy_sight){.frame = p->session.pixels[0],
                                                 .height = w->height,
                                                 .width = w->width,
                                                 .action = p->action,
                                                 .A = p->h->A_set},
                           chunk, rows));
  p->think_ms[p->thoughts++] = orr_clock_ms() - begin;
  if (p->o->replan && *rows > p->o->replan) *rows = p->o->replan;
  return ORR_OK;
}

static orr_code act(play *p, const float *action) {
  train_live_session *s = &p->session;
  memcpy(p->action, action, (size_t)p->h->A_set * sizeof *action);
  train_live_session_act(s, action, p->h->A_set);
  ORR_TRY(train_live_session_step(&s, 1));
  p->surprise += s->nll[0];
  return train_live_session_settle(&s, 1);
}

static orr_code run_episode(play *p, bool (*stop)(void)) {
  for (int64_t t = 0; t < p->o->horizon;) {
    const float *chunk;
    int64_t rows;
    ORR_TRY(ask(p, &chunk, &rows));
    for (int64_t i = 0; i < rows && t < p->o->horizon; i++, t++) {
      ORR_CHECK(!stop(), ORR_ESTOPPED, "play: stopped on request");
      ORR_TRY(act(p, chunk + i * p->h->A_set));
    }
  }
  return ORR_OK;
}

static orr_code save(const play *p, int64_t episode, char **path) {
  uint8_t *bytes = NULL;
  size_t size = 0;
  *path = NULL;
  if (!p->o->out) return ORR_OK;
  *path = orr_format("%s/episode-%06" PRId64 ".session", p->o->out, episode);
  ORR_CHECK(*path, ORR_ENOMEM, "play: out of memory");
  ORR_TRY(train_record_write(&p->session.record, &bytes, &size));
  const orr_code rc = orr_fs_write_atomic(*path, bytes, size);
  orr_free(bytes);
  return rc;
}

static orr_code report(play *p, int64_t episode, const char *path) {
  const train_record *r = &p->session.record;
  const orr_hash_hex chain = orr_hash_to_hex(p->session.chain);
  orr_sort_f64(p->think_ms, p->thoughts);
  json_t *j =
      json_pack("{s:I, s:O, s:I, s:I, s:f, s:I, s:f, s:f, s:s, s:s?}", "episode",
                (json_int_t)episode, "start", r->start, "seed", (json_int_t)r->settings.seed,
                "frames", (json_int_t)r->frames, "surprise", p->surprise / (double)r->frames,
                "asked", (json_int_t)p->thoughts, "policy_ms_p50", p->think_ms[p->thoughts / 2],
                "policy_ms_most", p->think_ms[p->thoughts - 1], "chain", chain.s, "session", path);
  char *text = j ? json_dumps(j, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;
  json_decref(j);
  ORR_CHECK(text, ORR_ENOMEM, "play: out of memory");
  printf("%s\n", text);
  fflush(stdout);
  free(text);
  return ORR_OK;
}

static orr_code run(play *p, train_live_world *const *worlds, int count, bool (*stop)(void)) {
  const train_policy_play_options *o = p->o;
  ORR_CHECK(p->h->sets > 0, ORR_ECONFIG, "play: a policy begins from a clip: give --data DIR");
  if (o->out) ORR_TRY(orr_fs_mkdirs(o->out));
  ORR_TRY(train_live_session_create(worlds, count, 0, SNAPSHOT_BYTES, &p->session));
  p->action = orr_calloc((size_t)p->h->A_set, sizeof *p->action);
  p->think_ms = orr_calloc((size_t)o->horizon, sizeof *p->think_ms);
  ORR_CHECK(p->action && p->think_ms, ORR_ENOMEM, "play: out of memory");
  ORR_TRY(train_policy_open(o->address, o->key, o->patience_s, o->part, o->parts, &p->policy));
  for (int64_t i = 0; i < o->episodes; i++) {
    char *path;
    ORR_TRY(begin(p, i));
    ORR_TRY(run_episode(p, stop));
    orr_code rc = save(p, i, &path);
    if (rc == ORR_OK) rc = report(p, i, path);
    orr_free(path);
    ORR_TRY(rc);
  }
  return ORR_OK;
}

orr_code train_policy_play(const train_policy_play_options *o, const train_live_house *h,
                           train_live_world *const *worlds, int count, bool (*stop)(void)) {
  play p = {.o = o, .h = h};
  const orr_code rc = run(&p, worlds, count, stop);
  train_policy_close(p.policy);
  orr_free(p.think_ms);
  orr_free(p.action);
  train_live_session_release(&p.session);
  return rc;
}
