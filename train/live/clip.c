#include "train/live/clip.h"

#include <inttypes.h>

#include "base/mem.h"

orr_code train_live_clip_read(const train_live_set *set, const train_live_world *w, int64_t clip,
                              int64_t from, train_live_start *start, train_live_clip *out) {
  const int64_t stride = w->m.dynamics->c->data.stride;
  train_episodes *e = set->episodes;
  int64_t length = 0;
  *out = (train_live_clip){0};
  ORR_TRY(train_episodes_length(e, clip, from, stride, &length));
  ORR_CHECK(length > 0, ORR_EINVAL,
            "\"from\": clip %" PRId64 " ends before frame %" PRId64 ": take an earlier one", clip,
            from);
  if (start->prompt > length) start->prompt = length;
  start->A_set = train_episodes_index(e)->format.A;
  out->frames = orr_malloc((size_t)start->prompt * w->frame_bytes);
  out->actions = orr_calloc((size_t)(start->prompt * start->A_set), sizeof *out->actions);
  out->start = json_pack("{s:s, s:I, s:I, s:I}", "set", set->name, "clip", (json_int_t)clip, "from",
                         (json_int_t)from, "prompt", (json_int_t)start->prompt);
  ORR_CHECK(out->frames && out->actions && out->start, ORR_ENOMEM, "play: out of memory");
  start->frames = out->frames;
  start->actions = out->actions;
  start->start = out->start;
  return train_episodes_read(e, clip, from, start->prompt, stride, out->frames, out->actions, NULL);
}

void train_live_clip_release(train_live_clip *c) {
  json_decref(c->start);
  orr_free(c->actions);
  orr_free(c->frames);
  *c = (train_live_clip){0};
}
