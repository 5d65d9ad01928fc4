#include "train/infer/ring.h"

#include "base/mem.h"

// Of one time block. Ring slots are [M,GK] each, by frame number modulo `slots`.
typedef struct {
  void *ring_k, *ring_v; // [slots,M,GK]
  void *sink_qkv;        // [M,(H+2G)K]
  void *sink_qk;         // [M,(H+G)K]
} block_cache;

struct train_ring {
  kern *k;
  const train_dynamics_dims *d;
  int64_t M, slots;              // slots: window - 1
  int64_t HK, GK;                // widths of a row: o and q; k, or v
  block_cache *cache;            // [layers], used for time blocks
  const void **k_slot, **v_slot; // [slots + 2], on the host, as are the strides
  int64_t *ldk, *ldv;
  float *sink_rstd; // [M,H+G]
};

static size_t esize(const train_ring *r) {
  return kern_dtype_size(r->d->block.act);
}

static void *offset(const train_ring *r, const void *p, int64_t elements) {
  return (unsigned char *)(uintptr_t)p + (size_t)elements * esize(r);
}

orr_code train_ring_create(kern *k, const train_dynamics_dims *d, int64_t M, int64_t window,
                           train_ring **out) {
  train_ring *r = orr_calloc(1, sizeof *r);
  ORR_CHECK(r, ORR_ENOMEM, "rollout: out of memory");
  const size_t places = (size_t)window + 1;
  *r = (train_ring){.k = k,
                    .d = d,
                    .M = M,
                    .slots = window - 1,
                    .HK = d->block.H * d->block.K,
                    .GK = d->block.G * d->block.K};
  r->cache = orr_calloc((size_t)d->layers, sizeof *r->cache);
  r->k_slot = orr_calloc(2 * places, sizeof *r->k_slot);
  r->ldk = orr_calloc(2 * places, sizeof *r->ldk);
  if (!r->cache || !r->k_slot || !r->ldk) {
    train_ring_destroy(r);
    return ORR_FAIL(ORR_ENOMEM, "rollout: out of memory");
  }
  r->v_slot = r->k_slot + places;
  r->ldv = r->ldk + places;
  *out = r;
  return ORR_OK;
}

void train_ring_destroy(train_ring *r) {
  if (!r) return;
  orr_free(r->ldk);
  orr_free(r->k_slot);
  orr_free(r->cache);
  orr_free(r);
}

void train_ring_place(train_ring *r, orr_arena *arena) {
  const train_block_dims *b = &r->d->block;
  const size_t e = esize(r), M = (size_t)r->M, GK = (size_t)r->GK, HK = (size_t)r->HK;
  for (int64_t i = 0; i < r->d->layers; i++) {
    if (!train_dynamics_is_time(r->d, i)) continue;
    block_cache *c = &r->cache[i];
    c->ring_k = orr_arena_take(arena, (size_t)r->slots * M * GK * e);
    c->ring_v = orr_arena_take(arena, (size_t)r->slots * M * GK * e);
    c->sink_qkv = orr_arena_take(arena, M * (HK + 2 * GK) * e);
    c->sink_qk = orr_arena_take(arena, M * (HK + GK) * e);
  }
  r->sink_rstd = orr_arena_take(arena, M * (size_t)(b->H + b->G) * sizeof(float));
}

static orr_code turn_layer(train_ring *r, const block_cache *c, const train_block_params *p,
                           const train_weights *w, const float *cos_, const float *sin_) {
  const train_block_dims *b = &r->d->block;
  return kern_qknorm_rope_fwd(r->k, &(kern_qknorm_rope_fwd_args){.type = b->act,
                                                                 .M = r->M,
                                                                 .H = b->H,
                                                                 .G = b->G,
                                                                 .K = b->K,
                                                                 .qkv = c->sink_qkv,
                                                                 .q_w = w->master + p->q_norm,
                                                                 .k_w = w->master + p->k_norm,
                                                                 .cos = cos_,
                                                                 .sin = sin_,
                                                                 .pos_div = r->M,
                                                                 .pos_mod = 1,
                                                                 .qk = c->sink_qk,
                                                                 .rstd = r->sink_rstd});
}

orr_code train_ring_turn_sink(train_ring *r, const train_dynamics_params *p, const train_weights *w,
                              const float *cos_, const float *sin_) {
  for (int64_t i = 0; i < r->d->layers; i++)
    if (train_dynamics_is_time(r->d, i))
      ORR_TRY(turn_layer(r, &r->cache[i], &p->blocks[i], w, cos_, sin_));
  return ORR_OK;
}

static void set_slot(train_ring *r, int64_t i, const void *k, int64_t ldk, const void *v,
                     int64_t ldv) {
  r->k_slot[i] = k;
  r->v_slot[i] = v;
  r->ldk[i] = ldk;
  r->ldv[i] = ldv;
}

// The slots that frame t sees, itself the last; returns how many.
static int64_t set_slots(train_ring *r, const block_cache *c, int64_t t,
                         const train_block_acts *a) {
  const int64_t HK = r->HK, GK = r->GK;
  int64_t n = 0;
  if (t > 0)
    set_slot(r, n++, offset(r, c->sink_qk, HK), HK + GK, offset(r, c->sink_qkv, HK + GK),
             HK + 2 * GK);
  for (int64_t f = t - r->slots > 1 ? t - r->slots : 1; f < t; f++) {
    const int64_t at = f % r->slots * r->M * GK;
    set_slot(r, n++, offset(r, c->ring_k, at), GK, offset(r, c->ring_v, at), GK);
  }
  set_slot(r, n++, offset(r, a->qk, HK), HK + GK, offset(r, a->qkv, HK + GK), HK + 2 * GK);
  return n;
}

orr_code train_ring_attend(train_ring *r, int64_t layer, int64_t frame, const train_block_acts *a) {
  const train_block_dims *b = &r->d->block;
  const int64_t n = set_slots(r, &r->cache[layer], frame, a);
  return kern_attention_decode(r->k, &(kern_attention_decode_args){.type = b->act,
                                                                   .M = r->M,
                                                                   .H = b->H,
                                                                   .G = b->G,
                                                                   .K = b->K,
                                                                   .slots = n,
                                                                   .q = a->qk,
                                                                   .ldq = r->HK + r->GK,
                                                                   .ldo = r->HK,
                                                                   .k_slots = r->k_slot,
                                                                   .v_slots = r->v_slot,
                                                                   .ldk = r->ldk,
                                                                   .ldv = r->ldv,
                                                                   .o = a->o});
}

static orr_code copy(train_ring *r, void *dst, const void *src, int64_t elements) {
  return kern_copy(r->k, &(kern_copy_args){.dst = dst,
                                           .src = src,
                                           .bytes = (size_t)elements * esize(r),
                                           .way = KERN_COPY_WITHIN});
}

// Columns [first, first+GK) of x [M,ld] to a slot.
static orr_code copy_columns(train_ring *r, void *slot, const void *x, int64_t ld, int64_t first) {
  const size_t e = esize(r), width = (size_t)r->GK * e;
  return kern_copy_rows(r->k, &(kern_copy_rows_args){.dst = slot,
                                                     .src = offset(r, x, first),
                                                     .dst_pitch = width,
                                                     .src_pitch = (size_t)ld * e,
                                                     .width = width,
                                                     .rows = r->M,
                                                     .way = KERN_COPY_WITHIN});
}

orr_code train_ring_keep(train_ring *r, int64_t layer, int64_t frame, const train_block_acts *a) {
  const int64_t HK = r->HK, GK = r->GK, qk = HK + GK, qkv = HK + 2 * GK;
  const block_cache *c = &r->cache[layer];
  if (frame == 0) {
    ORR_TRY(copy(r, c->sink_qkv, a->qkv, r->M * qkv));
    return copy(r, c->sink_qk, a->qk, r->M * qk);
  }
  if (r->slots == 0) return ORR_OK;
  const int64_t at = frame % r->slots * r->M * GK;
  ORR_TRY(copy_columns(r, offset(r, c->ring_k, at), a->qk, qk, HK));
  return copy_columns(r, offset(r, c->ring_v, at), a->qkv, qkv, qk);
}
