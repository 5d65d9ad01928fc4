#include "train/model/attention.h"

// Widths of a row: o and q; k, or v; q and k; all three.
typedef struct {
  int64_t HK, GK, qk, qkv;
} widths;

static widths widths_of(const train_block_dims *d) {
  const int64_t HK = d->here.H * d->K, GK = d->here.G * d->K;
  return (widths){.HK = HK, .GK = GK, .qk = HK + GK, .qkv = HK + 2 * GK};
}

// Element `at` of a tensor of activations.
static void *at(const train_block_dims *d, const void *p, int64_t element) {
  return (unsigned char *)(uintptr_t)p + (size_t)element * kern_dtype_size(d->act);
}

// Where q, k, v and o are, and their gradients' places: the one thing that the two ways differ in.
typedef struct {
  const void *q, *k, *v;
  void *o;
  int64_t ldq, ldk, ldv;
} operands;

static operands operands_of(const train_block_dims *d, const train_block_shape *s,
                            const train_block_acts *a) {
  const widths n = widths_of(d);
  if (s->exchange)
    return (operands){.q = a->time_qkv,
                      .k = at(d, a->time_qkv, n.HK),
                      .v = at(d, a->time_qkv, n.qk),
                      .o = a->time_o,
                      .ldq = n.qkv,
                      .ldk = n.qkv,
                      .ldv = n.qkv};
  return (operands){.q = a->qk,
                    .k = at(d, a->qk, n.HK),
                    .v = at(d, a->qkv, n.qk),
                    .o = a->o,
                    .ldq = n.qk,
                    .ldk = n.qk,
                    .ldv = n.qkv};
}

static orr_code attend(kern *k, const train_block_dims *d, const train_block_shape *s,
                       train_block_acts *a) {
  const operands x = operands_of(d, s, a);
  return kern_attention_fwd(k, &(kern_attention_fwd_args){.type = d->act,
                                                          .seq = s->seq,
                                                          .H = d->here.H,
                                                          .G = d->here.G,
                                                          .K = d->K,
                                                          .q = x.q,
                                                          .k = x.k,
                                                          .v = x.v,
                                                          .ldq = x.ldq,
                                                          .ldk = x.ldk,
                                                          .ldv = x.ldv,
                                                          .ldo = d->here.H * d->K,
                                                          .o = x.o,
                                                          .lse = a->lse});
}

// Columns of rows in another order: y[m, 0..width) = x[index[m], 0..width).
static orr_code reorder(kern *k, const train_block_dims *d, const train_exchange *e,
                        const int32_t *index, int64_t width, const void *x, int64_t ldx, void *y,
                        int64_t ldy) {
  return kern_gather_rows(k, &(kern_gather_rows_args){.type = d->act,
                                                      .M = e->M,
                                                      .D = width,
                                                      .x = x,
                                                      .index = index,
                                                      .y = y,
                                                      .ldx = ldx,
                                                      .ldy = ldy});
}

orr_code train_attention_fwd(const train_block *b, const train_block_shape *s,
                             train_block_acts *a) {
  kern *k = b->k;
  const train_block_dims *d = b->d;
  const train_exchange *e = s->exchange;
  const widths n = widths_of(d);
  if (!e) return attend(k, d, s, a);
  ORR_TRY(reorder(k, d, e, e->order, n.qk, a->qk, n.qk, e->packed, n.qkv));
  ORR_TRY(
      reorder(k, d, e, e->order, n.GK, at(d, a->qkv, n.qk), n.qkv, at(d, e->packed, n.qk), n.qkv));
  ORR_TRY(train_exchange_to_time(e, d->act, n.qkv, e->packed, a->time_qkv));
  ORR_TRY(attend(k, d, s, a));
  ORR_TRY(train_exchange_to_frames(e, d->act, n.HK, a->time_o, e->packed));
  return reorder(k, d, e, e->place, n.HK, e->packed, n.HK, a->o, n.HK);
}

// dq, dk and dv: into dqk and dqkv, or, at an exchange, side by side.
static orr_code attend_bwd(kern *k, const train_block_dims *d, const train_block_shape *s,
                           const train_block_acts *a, const train_block_scratch *t) {
  const train_exchange *e = s->exchange;
  const widths n = widths_of(d);
  const operands x = operands_of(d, s, a);
  void *dqk = e ? e->dqkv : t->dqk, *dv = at(d, e ? e->dqkv : t->dqkv, n.qk);
  return kern_attention_bwd(k, &(kern_attention_bwd_args){.type = d->act,
                                                          .seq = s->seq,
                                                          .H = d->here.H,
                                                          .G = d->here.G,
                                                          .K = d->K,
                                                          .q = x.q,
                                                          .k = x.k,
                                                          .v = x.v,
                                                          .o = x.o,
                                                          .do_ = e ? e->d_o : t->d_o,
                                                          .ldq = x.ldq,
                                                          .ldk = x.ldk,
                                                          .ldv = x.ldv,
                                                          .ldo = n.HK,
                                                          .dq = dqk,
                                                          .dk = at(d, dqk, n.HK),
                                                          .dv = dv,
                                                          .lddq = x.ldq,
                                                          .lddk = x.ldk,
                                                          .lddv = n.qkv,
                                                          .lse = a->lse});
}

orr_code train_attention_bwd(const train_block *b, const train_block_shape *s,
                             const train_block_acts *a, const train_block_scratch *t) {
  kern *k = b->k;
  const train_block_dims *d = b->d;
  const train_exchange *e = s->exchange;
  const widths n = widths_of(d);
  if (!e) return attend_bwd(k, d, s, a, t);
  ORR_TRY(reorder(k, d, e, e->order, n.HK, t->d_o, n.HK, e->packed, n.HK));
  ORR_TRY(train_exchange_to_time(e, d->act, n.HK, e->packed, e->d_o));
  ORR_TRY(attend_bwd(k, d, s, a, t));
  ORR_TRY(train_exchange_to_frames(e, d->act, n.qkv, e->dqkv, e->packed));
  ORR_TRY(reorder(k, d, e, e->place, n.qk, e->packed, n.qkv, t->dqk, n.qk));
  return reorder(k, d, e, e->place, n.GK, at(d, e->packed, n.qk), n.qkv, at(d, t->dqkv, n.qk),
                 n.qkv);
}
