#include "train/model/own_codes.h"

static int ranks(const train_own_codes *o) {
  return train_axes_size(o->axes, DIST_AXIS_TP);
}

void train_own_codes_place(train_own_codes *o, orr_arena *arena) {
  const size_t C = (size_t)o->head->C, part = C * (size_t)o->head->codes.capacity * sizeof(float);
  o->code = orr_arena_take(arena, C * sizeof *o->code);
  o->log_prob = orr_arena_take(arena, C * sizeof *o->log_prob);
  if (ranks(o) == 1) return;
  o->sent = orr_arena_take(arena, part);
  o->parts = orr_arena_take(arena, (size_t)ranks(o) * part);
  o->all = orr_arena_take(arena, C * (size_t)o->V * sizeof *o->all);
}

// The columns of rank r, from its part to their places among all, or, back, from the rank's logits
// to what it sends.
static orr_code copy_columns(const train_own_codes *o, const train_part *codes, const float *from,
                             size_t from_pitch, float *to, size_t to_pitch) {
  return kern_copy_rows(o->k, &(kern_copy_rows_args){.dst = to,
                                                     .src = from,
                                                     .dst_pitch = to_pitch * sizeof *to,
                                                     .src_pitch = from_pitch * sizeof *from,
                                                     .width = (size_t)codes->count * sizeof *to,
                                                     .rows = o->head->C,
                                                     .way = KERN_COPY_WITHIN});
}

// *all (=) the chunk's logits over all codes.
static orr_code whole_logits(train_own_codes *o, const float **all) {
  const train_head *h = o->head;
  const int64_t part = h->C * h->codes.capacity;
  const size_t pitch = (size_t)h->codes.capacity;
  *all = h->logits;
  if (ranks(o) == 1) return ORR_OK;
  ORR_TRY(copy_columns(o, &h->codes, h->logits, (size_t)h->codes.count, o->sent, pitch));
  ORR_TRY(train_axes_all_gather(o->axes, DIST_AXIS_TP, o->sent, o->parts, part, DIST_F32));
  for (int r = 0; r < ranks(o); r++) {
    train_axes theirs = *o->axes;
    theirs.grid.tp_i = r;
    const train_part codes = train_head_codes(&theirs, o->V);
    ORR_TRY(
        copy_columns(o, &codes, o->parts + r * part, pitch, o->all + codes.first, (size_t)o->V));
  }
  *all = o->all;
  return ORR_OK;
}

// Codes are moved as they are: one of 4 bytes is a row of one number.
static orr_code put(train_own_codes *o, const int32_t *place, int64_t places, int32_t *to) {
  return kern_scatter_rows(o->k, &(kern_scatter_rows_args){.type = KERN_F32,
                                                           .M = o->head->C,
                                                           .D = 1,
                                                           .x = o->code,
                                                           .index = place,
                                                           .rows = places,
                                                           .y = to});
}

orr_code train_own_codes_draw(train_own_codes *o, const void *x, const train_own_rows *r) {
  train_head *h = o->head;
  for (int64_t at = 0; at < r->rows; at += h->C) {
    const float *logits;
    ORR_TRY(train_head_logits(h, x, r->row + at, h->logits));
    ORR_TRY(whole_logits(o, &logits));
    ORR_TRY(kern_sample(o->k, &(kern_sample_args){.M = h->C,
                                                  .V = o->V,
                                                  .rows_per_sample = 1,
                                                  .logits = logits,
                                                  .temperature = r->temperature + at,
                                                  .seed = r->seed + at,
                                                  .sample = r->sample + at,
                                                  .draw = r->draw + at,
                                                  .code = o->code,
                                                  .log_prob = o->log_prob}));
    ORR_TRY(put(o, r->place + at, r->places, r->tokens));
    if (r->before) ORR_TRY(put(o, r->before_place + at, r->places, r->before));
  }
  return ORR_OK;
}
