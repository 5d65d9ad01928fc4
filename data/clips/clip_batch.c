#include "data/clips/clip_batch.h"

#include <inttypes.h>

#include "base/mem.h"

orr_code data_clip_batch_create(const data_mix_options *o, int64_t B, int64_t Q,
                                data_clip_batch **out) {
  data_clip_batch *b = orr_calloc(1, sizeof *b);
  orr_code rc = ORR_OK;
  ORR_CHECK(b, ORR_ENOMEM, "batch of clips: out of memory");
  size_t frames = (size_t)(B * o->T);
  *b = (data_clip_batch){.B = B, .T = o->T, .A = o->A, .Q = o->state ? Q : 0};
  if (o->kind == DATA_FRAMES) {
    b->height = o->height;
    b->width = o->width;
    b->frames = orr_calloc(frames, (size_t)(o->height * o->width * 3));
  } else {
    b->S = o->S;
    b->tokens = orr_calloc(frames, (size_t)o->S * sizeof *b->tokens);
  }
  b->action = orr_calloc(frames, (size_t)o->A * sizeof *b->action);
  b->valid = orr_calloc(frames, (size_t)o->A * sizeof *b->valid);
  b->branch = orr_calloc((size_t)B, sizeof *b->branch);
  b->sample = orr_calloc((size_t)B, sizeof *b->sample);
  if (o->pass_bad_actions) b->bad = orr_calloc((size_t)B, sizeof *b->bad);
  if (b->Q) b->state = orr_calloc(frames, (size_t)b->Q * sizeof *b->state);
  if (o->outcomes) {
    b->reward = orr_calloc(frames, sizeof *b->reward);
    b->done = orr_calloc(frames, sizeof *b->done);
    b->progress = orr_calloc(frames, sizeof *b->progress);
  }
  ORR_CHECK_GOTO((b->frames || b->tokens) && b->action && b->valid && b->branch && b->sample &&
                     (b->state || b->Q == 0) && (b->bad || !o->pass_bad_actions) &&
                     ((b->reward && b->done && b->progress) || !o->outcomes),
                 fail, ORR_ENOMEM,
                 "out of memory for a batch of %" PRId64 " clips of %" PRId64 " frames", B, o->T);
  *out = b;
  return ORR_OK;
fail:
  data_clip_batch_destroy(b);
  return rc;
}

void data_clip_batch_destroy(data_clip_batch *b) {
  if (!b) return;
  orr_free(b->progress);
  orr_free(b->done);
  orr_free(b->reward);
  orr_free(b->bad);
  orr_free(b->sample);
  orr_free(b->state);
  orr_free(b->branch);
  orr_free(b->valid);
  orr_free(b->action);
  orr_free(b->tokens);
  orr_free(b->frames);
  orr_free(b);
}
