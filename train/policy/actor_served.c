// A policy that somebody serves by openpi's protocol.
#include "train/policy/actor.h"

#include "base/mem.h"

typedef struct {
  const train_actor_world *w;
  train_policy *policy;
  float *none; // [A] zeros
} served;

static void close_served(void *self) {
  served *s = self;
  if (!s) return;
  train_policy_close(s->policy);
  orr_free(s->none);
  orr_free(s);
}

static orr_code open_served(const train_actor_world *w, const char *words, void **self) {
  orr_code rc;
  served *s = orr_calloc(1, sizeof *s);
  ORR_CHECK(s, ORR_ENOMEM, "policy %s: out of memory", words);
  s->w = w;
  s->none = orr_calloc((size_t)w->A, sizeof *s->none);
  ORR_CHECK_GOTO(s->none, fail, ORR_ENOMEM, "policy %s: out of memory", words);
  ORR_TRY_GOTO(train_policy_open(words, w->key, w->patience_s, w->part, w->parts, &s->policy),
               fail);
  *self = s;
  return ORR_OK;
fail:
  close_served(s);
  return rc;
}

// The protocol knows no trials: every observation stands alone.
static orr_code begin_served(void *self, int64_t place, uint64_t trial) {
  return ORR_OK;
}

static orr_code ask_served(void *self, int64_t place, const uint8_t *frame, const float *led,
                           const float **chunk, int64_t *rows) {
  served *s = self;
  const train_policy_sight sight = {.frame = frame,
                                    .height = s->w->height,
                                    .width = s->w->width,
                                    .action = led ? led : s->none,
                                    .A = s->w->A};
  return train_policy_ask(s->policy, &sight, chunk, rows);
}

const train_actor_kind train_actor_served = {
    .open = open_served, .close = close_served, .begin = begin_served, .ask = ask_served};
