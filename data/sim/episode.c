#include "data/sim/episode.h"

#include <stdatomic.h>

#include "base/mem.h"
#include "data/sim/tabletop_driver.h"

#define PORTION_FRAMES 16

struct data_sim_portion {
  int64_t n; // rows filled
  size_t frame_bytes;
  uint8_t *frames; // [PORTION_FRAMES,height,width,3]
  float actions[PORTION_FRAMES][DATA_TABLETOP_ACTIONS];
  float state[PORTION_FRAMES][DATA_TABLETOP_STATE];
};

orr_code data_sim_portion_create(int64_t height, int64_t width, data_sim_portion **out) {
  data_sim_portion *p = orr_calloc(1, sizeof *p);
  ORR_CHECK(p, ORR_ENOMEM, "out of memory for a portion of frames");
  p->frame_bytes = (size_t)height * (size_t)width * 3;
  p->frames = orr_malloc(PORTION_FRAMES * p->frame_bytes);
  if (!p->frames) {
    size_t bytes = PORTION_FRAMES * p->frame_bytes;
    data_sim_portion_destroy(p);
    return ORR_FAIL(ORR_ENOMEM, "out of memory for a portion of frames (%zu bytes)", bytes);
  }
  *out = p;
  return ORR_OK;
}

void data_sim_portion_destroy(data_sim_portion *p) {
  if (!p) return;
  orr_free(p->frames);
  orr_free(p);
}

static orr_code flush(data_sim_portion *p, data_shard_writer *w) {
  data_shard_rows rows = {
      .n = p->n, .frames = p->frames, .actions = p->actions[0], .state = p->state[0]};
  p->n = 0;
  return rows.n ? data_shard_writer_append(w, &rows) : ORR_OK;
}

orr_code data_sim_episode_write(const data_sim_options *o, data_tabletop *scene, int64_t episode,
                                data_sim_portion *p, data_shard_writer *w,
                                _Atomic int64_t *frames_done) {
  // Both episodes of a pair start as the even one.
  int64_t start = o->forks ? episode - episode % 2 : episode;
  data_tabletop_driver driver;
  data_tabletop_driver_start(&driver, o->seed, (uint64_t)start);
  ORR_TRY(data_tabletop_reset(scene, o->seed, (uint64_t)start));
  p->n = 0;
  for (int64_t t = 0; t < o->episode_frames; t++) {
    int64_t i = p->n++;
    data_tabletop_state(scene, p->state[i]);
    ORR_TRY(data_tabletop_render(scene, p->frames + (size_t)i * p->frame_bytes));
    // Action t leads to frame t+1, so this is the first that may differ within a pair.
    if (o->forks && t == o->forks - 1)
      data_tabletop_driver_fork(&driver, (uint64_t)episode, episode % 2, p->state[i]);
    data_tabletop_driver_act(&driver, p->state[i], p->actions[i]);
    ORR_TRY(data_tabletop_step(scene, p->actions[i]));
    if (p->n == PORTION_FRAMES) ORR_TRY(flush(p, w));
    atomic_fetch_add(frames_done, 1);
  }
  ORR_TRY(flush(p, w));
  return data_shard_writer_end_episode(w);
}
