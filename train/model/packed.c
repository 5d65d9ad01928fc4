#include "train/model/packed.h"

#include "base/mem.h"

// One product's weight.
typedef struct {
  kern_dtype type;
  int64_t at, N, K;
  const void *w;
  void *place;
} product;

struct train_packed {
  kern *k;
  orr_arena arena;
  product *list; // in the order of `at`
  int64_t count, room;
};

const void *train_packed_find(const train_packed *p, int64_t at) {
  int64_t first = 0, end = p->count;
  while (first < end) {
    const int64_t middle = (first + end) / 2;
    if (p->list[middle].at == at) return p->list[middle].place;
    if (p->list[middle].at < at)
      first = middle + 1;
    else
      end = middle;
  }
  return NULL;
}

void train_packed_release(train_weights *w) {
  train_packed *p = w->packed;
  if (!p) return;
  orr_arena_release(&p->arena);
  orr_free(p->list);
  orr_free(p);
  w->packed = NULL;
}

static void add(train_packed *p, kern_dtype type, int64_t at, int64_t N, int64_t K, const void *w) {
  int64_t i = p->count++;
  for (; i > 0 && p->list[i - 1].at > at; i--) p->list[i] = p->list[i - 1];
  p->list[i] = (product){.type = type, .at = at, .N = N, .K = K, .w = w};
}

static void add_operand(train_packed *p, const train_weights *w, int64_t at, int64_t N, int64_t K) {
  add(p, w->act, at, N, K, train_operand(w, at));
}

static void add_block(train_packed *p, const train_weights *w, const train_block_dims *d,
                      const train_block_params *b) {
  add_operand(p, w, b->qkv, (d->here.H + 2 * d->here.G) * d->K, d->D);
  add_operand(p, w, b->o, d->D, d->here.H * d->K);
  add_operand(p, w, b->gu, 2 * d->here.F, d->D);
  add_operand(p, w, b->down, d->D, d->here.F);
}

static void place(train_packed *p) {
  for (int64_t i = 0; i < p->count; i++) {
    product *x = &p->list[i];
    x->place = orr_arena_take(&p->arena, kern_packed_bytes(p->k, x->type, x->N, x->K));
  }
}

static orr_code fill(train_packed *p) {
  place(p);
  ORR_TRY(orr_arena_commit(&p->arena));
  place(p);
  for (int64_t i = 0; i < p->count; i++) {
    const product *x = &p->list[i];
    ORR_TRY(kern_pack_weight(
        p->k, &(kern_pack_weight_args){
                  .type = x->type, .N = x->N, .K = x->K, .w = x->w, .packed = x->place}));
  }
  return kern_sync(p->k);
}

static orr_code create(kern *k, int64_t room, train_weights *w) {
  train_packed *p = w->packed = orr_calloc(1, sizeof *p);
  ORR_CHECK(p, ORR_ENOMEM, "packed weights: out of memory");
  *p = (train_packed){.k = k, .room = room};
  kern_arena_init(k, &p->arena, "packed weights");
  p->list = orr_calloc((size_t)room, sizeof *p->list);
  ORR_CHECK(p->list, ORR_ENOMEM, "packed weights: out of memory");
  return ORR_OK;
}

static bool reads_as_it_lies(const kern *k, const train_weights *w) {
  return kern_packed_bytes(k, w->act, 16, 16) == 0;
}

orr_code train_packed_dynamics(kern *k, const train_dynamics_dims *d,
                               const train_dynamics_params *p, train_weights *w) {
  if (w->packed || reads_as_it_lies(k, w)) return ORR_OK;
  orr_code rc = create(k, 4 * d->layers + 2 + TRAIN_OUTCOMES, w);
  if (rc == ORR_OK) {
    add(w->packed, KERN_F32, p->action_w, d->block.D, 2 * d->A, train_plain(w, p->action_w));
    for (int64_t i = 0; i < d->layers; i++) add_block(w->packed, w, &d->block, &p->blocks[i]);
    add_operand(w->packed, w, p->head, d->V, d->block.D);
    for (int o = 0; o < TRAIN_OUTCOMES; o++)
      if (d->outcome[o])
        add_operand(w->packed, w, p->outcome_w[o], train_outcome_bins((train_outcome)o),
                    d->R * d->block.D);
    rc = fill(w->packed);
  }
  if (rc != ORR_OK) train_packed_release(w);
  return rc;
}

orr_code train_packed_tokenizer(kern *k, const train_tokenizer_dims *d,
                                const train_tokenizer_params *p, train_weights *w) {
  const int64_t D = d->block.D;
  if (w->packed || reads_as_it_lies(k, w)) return ORR_OK;
  orr_code rc = create(k, 8 * d->layers + 4, w);
  if (rc == ORR_OK) {
    add_operand(w->packed, w, p->enc_patch_w, D, d->P);
    add_operand(w->packed, w, p->enc_code_w, d->n, D);
    add_operand(w->packed, w, p->dec_code_w, D, d->n);
    add_operand(w->packed, w, p->dec_pixel_w, d->P, D);
    for (int64_t i = 0; i < 2 * d->layers; i++) add_block(w->packed, w, &d->block, &p->enc[i]);
    rc = fill(w->packed);
  }
  if (rc != ORR_OK) train_packed_release(w);
  return rc;
}
