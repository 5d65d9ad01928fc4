#include "data/sim/episode.h"

#include <stdatomic.h>

#include "base/mem.h"
#include "data/sim/scene.h"

#define PORTION_FRAMES 16

struct data_sim_portion {
  int64_t n; // rows filled
  size_t frame_bytes;
  uint8_t *frames; // [PORTION_FRAMES,height,width,3]
  float *actions;  // [PORTION_FRAMES,A]
  float *state;    // [PORTION_FRAMES,Q]
  float *reward;   // [PORTION_FRAMES]
  uint8_t *done;   // [PORTION_FRAMES]
  float *reached;  // [Q] the state that an action led to
  data_goals_watch watch;
};

orr_code data_sim_portion_create(const data_sim_options *o, data_sim_portion **out) {
  data_sim_portion *p = orr_calloc(1, sizeof *p);
  ORR_CHECK(p, ORR_ENOMEM, "out of memory for a portion of frames");
  p->frame_bytes = (size_t)o->setting.height * (size_t)o->setting.width * 3;
  p->frames = orr_malloc(PORTION_FRAMES * p->frame_bytes);
  p->actions = orr_malloc(PORTION_FRAMES * (size_t)o->scene->A * sizeof *p->actions);
  p->state = orr_malloc(PORTION_FRAMES * (size_t)o->scene->Q * sizeof *p->state);
  p->reward = orr_calloc(PORTION_FRAMES, sizeof *p->reward);
  p->done = orr_calloc(PORTION_FRAMES, sizeof *p->done);
  p->reached = orr_calloc((size_t)o->scene->Q + 1, sizeof *p->reached);
  if (!p->frames || !p->actions || !p->state || !p->reward || !p->done || !p->reached) {
    size_t bytes = PORTION_FRAMES * p->frame_bytes;
    data_sim_portion_destroy(p);
    return ORR_FAIL(ORR_ENOMEM, "out of memory for a portion of frames (%zu bytes)", bytes);
  }
  *out = p;
  return ORR_OK;
}

void data_sim_portion_destroy(data_sim_portion *p) {
  if (!p) return;
  orr_free(p->reached);
  orr_free(p->done);
  orr_free(p->reward);
  orr_free(p->state);
  orr_free(p->actions);
  orr_free(p->frames);
  orr_free(p);
}

static orr_code flush(const data_scene *s, data_sim_portion *p, data_shard_writer *w) {
  data_shard_rows rows = {.n = p->n,
                          .frames = p->frames,
                          .actions = p->actions,
                          .state = s->Q ? p->state : NULL,
                          .reward = s->outcome || s->tries ? p->reward : NULL,
                          .done = s->outcome || s->tries ? p->done : NULL};
  p->n = 0;
  return rows.n ? data_shard_writer_append(w, &rows) : ORR_OK;
}

// Row i: what the action brought whoever tries a task. A task that is done stays so: the rest of
// the episode shows it.
static void judge(const data_sim_options *o, void *scene, int64_t t, data_sim_portion *p,
                  int64_t i) {
  const data_scene *s = o->scene;
  if (t == 0) {
    p->watch = (data_goals_watch){0};
    data_goals_look(s->goals, o->setting.task, p->state + i * s->Q, true, &p->watch);
  }
  s->state(scene, p->reached);
  p->reward[i] = data_goals_look(s->goals, o->setting.task, p->reached, false, &p->watch);
  p->done[i] = p->watch.done;
}

// One step from frame t, written as row i. *over: it was the episode's last.
static orr_code take_step(const data_sim_options *o, void *scene, int64_t episode, int64_t t,
                          data_sim_portion *p, int64_t i, bool *over) {
  const data_scene *s = o->scene;
  float *action = p->actions + i * s->A;
  if (s->Q) s->state(scene, p->state + i * s->Q);
  ORR_TRY(s->render(scene, p->frames + (size_t)i * p->frame_bytes));
  // Action t leads to frame t+1, so this is the first that may differ within a pair.
  if (o->forks && t == o->forks - 1) s->fork(scene, (uint64_t)episode, (int)(episode % 2));
  s->act(scene, action);
  ORR_TRY(s->step(scene, action));
  *over = false;
  if (s->outcome) s->outcome(scene, p->reward + i, over);
  p->done[i] = *over;
  if (s->tries) judge(o, scene, t, p, i);
  return ORR_OK;
}

// Until the episode ends by itself or *left frames, which it counts down, are written.
static orr_code write_one(const data_sim_options *o, void *scene, int64_t episode, int64_t *left,
                          data_sim_portion *p, data_shard_writer *w, _Atomic int64_t *frames_done) {
  bool over = false;
  p->n = 0;
  for (int64_t t = 0; *left > 0 && !over; t++, --*left) {
    ORR_TRY(take_step(o, scene, episode, t, p, p->n, &over));
    if (++p->n == PORTION_FRAMES) ORR_TRY(flush(o->scene, p, w));
    atomic_fetch_add(frames_done, 1);
  }
  ORR_TRY(flush(o->scene, p, w));
  if (o->scene->tries) ORR_TRY(data_shard_writer_set_success(w, p->watch.done));
  return data_shard_writer_end_episode(w);
}

orr_code data_sim_episode_write(const data_sim_options *o, void *scene, int64_t episode,
                                data_sim_portion *p, data_shard_writer *w,
                                _Atomic int64_t *frames_done) {
  // Both episodes of a pair start as the even one.
  const int64_t begins_as = o->forks ? episode - episode % 2 : episode;
  int64_t left = o->episode_frames;
  for (int64_t n = 0; left > 0; n++) {
    ORR_TRY(o->scene->start(scene, o->seed, data_sim_episode_number(begins_as, n)));
    ORR_TRY(write_one(o, scene, episode, &left, p, w, frames_done));
  }
  return ORR_OK;
}
