#include "train/live/simulator.h"

#include <string.h>

#include "base/mem.h"

enum { STEPS_AT_ONCE = 64 };

train_live_scenery train_live_scenery_of(const json_t *index) {
  train_live_scenery s = {0};
  const char *name = json_string_value(json_object_get(index, "scene"));
  if (!name || data_scene_find(name, &s.scene) != ORR_OK || s.scene->foreign ||
      !s.scene->available())
    return (train_live_scenery){0};
  s.seed = (uint64_t)json_integer_value(json_object_get(index, "seed"));
  s.forks = json_object_get(index, "forks") != NULL;
  return s;
}

orr_code train_live_simulator_create(train_live_simulator *s, int64_t height, int64_t width,
                                     double fps) {
  *s = (train_live_simulator){.height = height, .width = width, .fps = fps};
  s->pixels = orr_calloc(1, (size_t)(height * width * 3));
  ORR_CHECK(s->pixels, ORR_ENOMEM, "play: out of memory");
  return ORR_OK;
}

void train_live_simulator_release(train_live_simulator *s) {
  if (s->scene) s->made->destroy(s->scene);
  orr_free(s->pixels);
  *s = (train_live_simulator){0};
}

static orr_code restart(train_live_simulator *s) {
  s->frame = 0;
  return s->of.scene->start(s->scene, s->of.seed, s->episode);
}

orr_code train_live_simulator_begin(train_live_simulator *s, const train_live_scenery *of,
                                    uint64_t episode) {
  s->of = (train_live_scenery){0};
  memset(s->pixels, 0, (size_t)(s->height * s->width * 3));
  if (!of || !of->scene) return ORR_OK;
  if (s->made != of->scene) {
    if (s->scene) s->made->destroy(s->scene);
    s->scene = NULL;
    s->made = of->scene;
    const data_scene_setting o = {.height = s->height, .width = s->width, .fps = s->fps};
    ORR_TRY(of->scene->create(&o, &s->scene));
  }
  s->of = *of;
  s->episode = of->forks ? episode - episode % 2 : episode;
  const orr_code rc = restart(s);
  if (rc != ORR_OK) s->of.scene = NULL;
  return rc;
}

// The action that led to frame t, of the scene's components.
static const float *action_to(const train_record *r, int64_t t) {
  return t < r->prompt ? r->prompt_actions + (t - 1) * r->A : train_record_action(r, t - r->prompt);
}

static orr_code go(train_live_simulator *s, const train_record *r, int64_t frame) {
  ORR_CHECK(r->A == s->of.scene->A, ORR_EINVAL, "the scene takes %d components, the session has %d",
            (int)s->of.scene->A, (int)r->A);
  if (frame < s->frame) ORR_TRY(restart(s));
  for (int i = 0; i < STEPS_AT_ONCE && s->frame < frame; i++) {
    ORR_TRY(s->of.scene->step(s->scene, action_to(r, s->frame + 1)));
    s->frame++;
  }
  return s->frame == frame ? s->of.scene->render(s->scene, s->pixels) : ORR_OK;
}

orr_code train_live_simulator_follow(train_live_simulator *s, const train_record *r, int64_t frame,
                                     bool *there) {
  *there = false;
  if (!train_live_simulator_moves(s)) return ORR_OK;
  const orr_code rc = go(s, r, frame);
  *there = rc == ORR_OK && s->frame == frame;
  if (rc != ORR_OK) s->of.scene = NULL;
  return rc;
}
