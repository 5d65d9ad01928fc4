#include "train/engine/rings.h"

#include <inttypes.h>

#include "base/mem.h"

static size_t row_bytes(const train_rings *r) {
  const train_block_dims *b = &r->d->block;
  return (size_t)(r->d->N * b->G * b->K) * kern_dtype_size(b->act);
}

orr_code train_rings_init(train_rings *r, kern *k, const train_dynamics_dims *d, int64_t count,
                          int64_t places, int64_t pins) {
  *r = (train_rings){.k = k, .d = d, .count = count, .places = places, .pins = pins};
  r->of = orr_calloc((size_t)d->layers, sizeof *r->of);
  ORR_CHECK(r->of, ORR_ENOMEM, "rings of %" PRId64 " sessions: out of memory", count);
  return ORR_OK;
}

void train_rings_release(train_rings *r) {
  orr_free(r->of);
  r->of = NULL;
}

void train_rings_place(train_rings *r, orr_arena *arena) {
  const train_block_dims *b = &r->d->block;
  const size_t frame = row_bytes(r), all = (size_t)r->count;
  for (int64_t i = 0; i < r->d->layers; i++) {
    if (!train_dynamics_is_time(r->d, i)) continue;
    r->of[i] = (kern_ring){.type = b->act, .N = r->d->N, .G = b->G, .K = b->K, .places = r->places};
    r->of[i].keys = orr_arena_take(arena, all * (size_t)r->places * frame);
    r->of[i].values = orr_arena_take(arena, all * (size_t)r->places * frame);
    r->of[i].sink_keys = orr_arena_take(arena, all * frame);
    r->of[i].sink_values = orr_arena_take(arena, all * frame);
    r->of[i].pins = r->pins;
    if (r->pins == 0) continue;
    r->of[i].pin_keys = orr_arena_take(arena, all * (size_t)r->pins * frame);
    r->of[i].pin_values = orr_arena_take(arena, all * (size_t)r->pins * frame);
  }
}

size_t train_rings_bytes(const train_rings *r) {
  size_t bytes = 0;
  for (int64_t i = 0; i < r->d->layers; i++)
    if (train_dynamics_is_time(r->d, i))
      bytes += 2 * (size_t)(r->places + 1 + r->pins) * row_bytes(r);
  return bytes;
}

// One ring's part of one tensor, between the device and *host, which moves on.
static orr_code move(const train_rings *r, void *tensor, int64_t ring, int64_t frames,
                     unsigned char **host, kern_copy_way way) {
  const size_t bytes = (size_t)frames * row_bytes(r);
  unsigned char *here = (unsigned char *)tensor + (size_t)ring * bytes;
  const bool in = way == KERN_COPY_IN;
  ORR_TRY(kern_copy(
      r->k, &(kern_copy_args){
                .dst = in ? here : *host, .src = in ? *host : here, .bytes = bytes, .way = way}));
  *host += bytes;
  return ORR_OK;
}

static orr_code move_all(const train_rings *r, int64_t ring, unsigned char *host,
                         kern_copy_way way) {
  for (int64_t i = 0; i < r->d->layers; i++) {
    const kern_ring *x = &r->of[i];
    if (!train_dynamics_is_time(r->d, i)) continue;
    ORR_TRY(move(r, x->keys, ring, r->places, &host, way));
    ORR_TRY(move(r, x->values, ring, r->places, &host, way));
    ORR_TRY(move(r, x->sink_keys, ring, 1, &host, way));
    ORR_TRY(move(r, x->sink_values, ring, 1, &host, way));
    if (r->pins) ORR_TRY(move(r, x->pin_keys, ring, r->pins, &host, way));
    if (r->pins) ORR_TRY(move(r, x->pin_values, ring, r->pins, &host, way));
  }
  return kern_sync(r->k);
}

orr_code train_rings_save(const train_rings *r, int64_t ring, void *host) {
  return move_all(r, ring, host, KERN_COPY_OUT);
}

orr_code train_rings_load(const train_rings *r, int64_t ring, const void *host) {
  return move_all(r, ring, (unsigned char *)(uintptr_t)host, KERN_COPY_IN);
}
