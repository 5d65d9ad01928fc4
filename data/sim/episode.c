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
};

orr_code data_sim_portion_create(const data_sim_options *o, data_sim_portion **out) {
  data_sim_portion *p = orr_calloc(1, sizeof *p);
  ORR_CHECK(p, ORR_ENOMEM, "out of memory for a portion of frames");
  p->frame_bytes = (size_t)o->height * (size_t)o->width * 3;
  p->frames = orr_malloc(PORTION_FRAMES * p->frame_bytes);
  p->actions = orr_malloc(PORTION_FRAMES * (size_t)o->scene->A * sizeof *p->actions);
  p->state = orr_malloc(PORTION_FRAMES * (size_t)o->scene->Q * sizeof *p->state);
  if (!p->frames || !p->actions || !p->state) {
    size_t bytes = PORTION_FRAMES * p->frame_bytes;
    data_sim_portion_destroy(p);
    return ORR_FAIL(ORR_ENOMEM, "out of memory for a portion of frames (%zu bytes)", bytes);
  }
  *out = p;
  return ORR_OK;
}

void data_sim_portion_destroy(data_sim_portion *p) {
  if (!p) return;
  orr_free(p->state);
  orr_free(p->actions);
  orr_free(p->frames);
  orr_free(p);
}

static orr_code flush(data_sim_portion *p, data_shard_writer *w) {
  data_shard_rows rows = {.n = p->n, .frames = p->frames, .actions = p->actions, .state = p->state};
  p->n = 0;
  return rows.n ? data_shard_writer_append(w, &rows) : ORR_OK;
}

orr_code data_sim_episode_write(const data_sim_options *o, void *scene, int64_t episode,
                                data_sim_portion *p, data_shard_writer *w,
                                _Atomic int64_t *frames_done) {
  const data_scene *s = o->scene;
  // Both episodes of a pair start as the even one.
  ORR_TRY(s->start(scene, o->seed, (uint64_t)(o->forks ? episode - episode % 2 : episode)));
  p->n = 0;
  for (int64_t t = 0; t < o->episode_frames; t++) {
    int64_t i = p->n++;
    float *action = p->actions + i * s->A;
    s->state(scene, p->state + i * s->Q);
    ORR_TRY(s->render(scene, p->frames + (size_t)i * p->frame_bytes));
    // Action t leads to frame t+1, so this is the first that may differ within a pair.
    if (o->forks && t == o->forks - 1) s->fork(scene, (uint64_t)episode, (int)(episode % 2));
    s->act(scene, action);
    ORR_TRY(s->step(scene, action));
    if (p->n == PORTION_FRAMES) ORR_TRY(flush(p, w));
    atomic_fetch_add(frames_done, 1);
  }
  ORR_TRY(flush(p, w));
  return data_shard_writer_end_episode(w);
}
