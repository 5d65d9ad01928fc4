// A scene's scripted expert, of some skill, who sees: it knows the state as far as pictures and its
// own actions tell it.
#include <string.h>

#include "base/mem.h"
#include "train/policy/actor.h"

typedef struct {
  const train_actor_world *w;
  data_skill skill;
  data_skill_actor *actor; // [places]
  float *state;            // [places,Q] as it was seen last
  float *action;           // [A]
} expert;

static void close_expert(void *self) {
  expert *e = self;
  if (!e) return;
  orr_free(e->action);
  orr_free(e->state);
  orr_free(e->actor);
  orr_free(e);
}

static orr_code open_expert(const train_actor_world *w, const char *words, void **self) {
  data_skill skill;
  ORR_CHECK(
      w->scene && w->scene->goals && w->A == w->scene->A, ORR_ECONFIG,
      "policy expert:%s: only scenes with tasks have an expert, and %s is none; give a policy "
      "of your own",
      words, w->scene ? w->scene->name : "what the data set holds");
  ORR_CHECK(w->A <= DATA_SKILL_ACTIONS_MAX, ORR_EINVAL, "policy expert:%s: too many components",
            words);
  ORR_TRY(data_skill_read(words, &skill));
  expert *e = orr_calloc(1, sizeof *e);
  ORR_CHECK(e, ORR_ENOMEM, "policy expert: out of memory");
  *e = (expert){.w = w, .skill = skill};
  e->actor = orr_calloc((size_t)w->places, sizeof *e->actor);
  e->state = orr_calloc((size_t)(w->places * w->scene->Q), sizeof *e->state);
  e->action = orr_calloc((size_t)w->A, sizeof *e->action);
  if (!e->actor || !e->state || !e->action) {
    close_expert(e);
    return ORR_FAIL(ORR_ENOMEM, "policy expert: out of memory");
  }
  *self = e;
  return ORR_OK;
}

static orr_code begin_expert(void *self, int64_t place, uint64_t trial) {
  expert *e = self;
  data_skill_begin(&e->actor[place], &e->skill, e->w->A, e->w->seed, trial);
  return ORR_OK;
}

static orr_code watch_expert(void *self, int64_t place, const uint8_t *frame, const float *led) {
  expert *e = self;
  const data_scene *s = e->w->scene;
  s->goals->see(frame, e->w->height, e->w->width, e->w->fps, led, e->state + place * s->Q);
  return ORR_OK;
}

static orr_code ask_expert(void *self, int64_t place, const uint8_t *frame, const float *led,
                           const float **chunk, int64_t *rows) {
  expert *e = self;
  const data_scene *s = e->w->scene;
  ORR_TRY(watch_expert(self, place, frame, led));
  s->goals->expert(e->w->task, e->state + place * s->Q, e->action);
  data_skill_act(&e->actor[place], e->action);
  *chunk = e->action;
  *rows = 1;
  return ORR_OK;
}

const train_actor_kind train_actor_expert = {.open = open_expert,
                                             .close = close_expert,
                                             .begin = begin_expert,
                                             .watch = watch_expert,
                                             .ask = ask_expert};
