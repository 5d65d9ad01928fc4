// Trials in a scene's simulator, judged by its own truth.
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "train/policy/trials.h"

enum { EPISODES_MOST = 1000000 };

orr_code train_simulator_trials_create(const train_actor_world *w, train_simulator_trials *out) {
  const data_scene *s = w->scene;
  *out = (train_simulator_trials){.w = w};
  ORR_CHECK(s->available(), ORR_EUNSUPPORTED,
            "this build has no simulator for the scene %s: install libmujoco-dev and "
            "libosmesa6-dev, configure again and rebuild",
            s->name);
  ORR_TRY(s->create(
      &(data_scene_setting){.height = w->height, .width = w->width, .fps = w->fps, .task = w->task},
      &out->scene));
  out->state = orr_calloc((size_t)s->Q, sizeof *out->state);
  out->seen = orr_calloc((size_t)s->Q, sizeof *out->seen);
  out->action = orr_calloc((size_t)s->A, sizeof *out->action);
  out->frame = orr_malloc((size_t)(w->height * w->width * 3));
  ORR_CHECK(out->state && out->seen && out->action && out->frame, ORR_ENOMEM,
            "trials in the scene %s: out of memory", s->name);
  return ORR_OK;
}

void train_simulator_trials_release(train_simulator_trials *t) {
  if (t->scene) t->w->scene->destroy(t->scene);
  orr_free(t->frame);
  orr_free(t->action);
  orr_free(t->seen);
  orr_free(t->state);
  *t = (train_simulator_trials){0};
}

static double progress_now(train_simulator_trials *t) {
  t->w->scene->state(t->scene, t->state);
  return t->w->scene->goals->progress(t->w->task, t->state);
}

// Nobody acts in `prompt` frames; frames [prompt,...] or NULL.
static orr_code begin(train_simulator_trials *t, uint64_t episode, int64_t prompt,
                      uint8_t *frames) {
  const data_scene *s = t->w->scene;
  const size_t bytes = (size_t)(t->w->height * t->w->width * 3);
  memset(t->action, 0, (size_t)s->A * sizeof *t->action);
  ORR_TRY(s->start(t->scene, t->w->seed, episode));
  for (int64_t i = 0; i < prompt; i++) {
    if (i > 0) ORR_TRY(s->step(t->scene, t->action));
    if (frames) ORR_TRY(s->render(t->scene, frames + (size_t)i * bytes));
  }
  return ORR_OK;
}

orr_code train_simulator_starts(train_simulator_trials *t, train_starts *s) {
  int64_t n = 0;
  for (uint64_t e = 0; n < s->N; e++) {
    ORR_CHECK(e < EPISODES_MOST, ORR_EINVAL, "the scene %s has no start with something to do",
              t->w->scene->name);
    ORR_TRY(begin(t, e, s->prompt, s->frames + (size_t)(n * s->prompt) * s->frame_bytes));
    if (progress_now(t) >= 1) continue;
    s->episode[n++] = e;
  }
  return ORR_OK;
}

// The prompt's frames, which the actor sees and the judge, too.
static orr_code show_prompt(train_simulator_trials *t, const train_starts *s, int64_t n,
                            train_actor *a, data_goals_watch *seen) {
  const data_goals *g = t->w->scene->goals;
  for (int64_t i = 0; i < s->prompt; i++) {
    const uint8_t *frame = s->frames + (size_t)(n * s->prompt + i) * s->frame_bytes;
    const float *led = i ? s->led + (n * s->prompt + i) * s->A : NULL;
    g->see(frame, t->w->height, t->w->width, t->w->fps, led, t->seen);
    data_goals_look(g, t->w->task, t->seen, i == 0, seen);
    if (i + 1 < s->prompt) ORR_TRY(train_actor_watch(a, 0, frame, led));
  }
  memcpy(t->frame, s->frames + (size_t)(n * s->prompt + s->prompt - 1) * s->frame_bytes,
         s->frame_bytes);
  return ORR_OK;
}

static orr_code run_one(train_simulator_trials *t, const train_starts *s, int64_t n, train_actor *a,
                        train_verdicts *out) {
  const data_scene *scene = t->w->scene;
  const data_goals *g = scene->goals;
  data_goals_watch truth = {0}, seen = {0};
  const float *led = s->prompt > 1 ? s->led + (n * s->prompt + s->prompt - 1) * s->A : NULL;
  ORR_TRY(begin(t, s->episode[n], s->prompt, NULL));
  ORR_TRY(train_actor_begin(a, 0, (uint64_t)n));
  ORR_TRY(show_prompt(t, s, n, a, &seen));
  seen = (data_goals_watch){0}; // what is given is no success
  out->progress[n] = 0;
  for (int64_t h = 0; h < out->horizon; h++) {
    float *action = out->actions + (n * out->horizon + h) * s->A;
    ORR_TRY(train_actor_act(a, 0, t->frame, led, action));
    ORR_TRY(scene->step(t->scene, action));
    ORR_TRY(scene->render(t->scene, t->frame));
    led = action;
    scene->state(t->scene, t->state);
    data_goals_look(g, t->w->task, t->state, h == 0, &truth);
    g->see(t->frame, t->w->height, t->w->width, t->w->fps, led, t->seen);
    data_goals_look(g, t->w->task, t->seen, false, &seen);
    if (truth.progress > out->progress[n]) out->progress[n] = truth.progress;
  }
  out->success[n] = truth.done;
  out->seen[n] = seen.done;
  return ORR_OK;
}

orr_code train_simulator_run(train_simulator_trials *t, const train_starts *s, train_actor *a,
                             train_verdicts *out) {
  for (int64_t n = 0; n < s->N; n++) ORR_TRY(run_one(t, s, n, a, out));
  return ORR_OK;
}

orr_code train_simulator_show(train_simulator_trials *t, const train_starts *s, int64_t n,
                              const float *actions, int64_t horizon, uint8_t *frames) {
  const data_scene *scene = t->w->scene;
  ORR_TRY(begin(t, s->episode[n], s->prompt, NULL));
  ORR_TRY(scene->render(t->scene, frames));
  for (int64_t h = 0; h < horizon; h++) {
    ORR_TRY(scene->step(t->scene, actions + h * s->A));
    ORR_TRY(scene->render(t->scene, frames + (size_t)(h + 1) * s->frame_bytes));
  }
  return ORR_OK;
}
