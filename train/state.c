#include "train/state.h"

#include <string.h>

#include "base/mem.h"

void train_state_init(train_state *s, kern_dtype act, bool training, bool ema) {
  memset(s, 0, sizeof *s);
  train_params_init(&s->params);
  s->weights.act = act;
  s->training = training;
  s->has_ema = training && ema;
  orr_arena_init(&s->parameters, "parameters");
  orr_arena_init(&s->gradients, "gradients");
  orr_arena_init(&s->optimizer, "optimizer");
}

void train_state_place(train_state *s) {
  const size_t n = (size_t)s->params.total;
  s->weights.master = orr_arena_take(&s->parameters, n * sizeof(float));
  s->weights.work =
      s->weights.act == KERN_BF16 ? orr_arena_take(&s->parameters, n * sizeof(uint16_t)) : NULL;
  if (!s->training) return;
  s->weights.grad = orr_arena_take(&s->gradients, n * sizeof(float));
  s->m = orr_arena_take(&s->optimizer, n * sizeof(float));
  s->v = orr_arena_take(&s->optimizer, n * sizeof(float));
  s->ema = s->has_ema ? orr_arena_take(&s->optimizer, n * sizeof(float)) : NULL;
}

orr_code train_state_commit(train_state *s) {
  ORR_TRY(orr_arena_commit(&s->parameters));
  if (!s->training) return ORR_OK;
  ORR_TRY(orr_arena_commit(&s->gradients));
  return orr_arena_commit(&s->optimizer);
}

void train_state_release(train_state *s) {
  orr_free(s->tensors);
  s->tensors = NULL;
  orr_arena_release(&s->optimizer);
  orr_arena_release(&s->gradients);
  orr_arena_release(&s->parameters);
  train_params_release(&s->params);
}

orr_code train_state_refresh(train_state *s, kern *k) {
  if (!s->weights.work) return ORR_OK;
  return kern_cast(k, &(kern_cast_args){.n = s->params.total,
                                        .from = KERN_F32,
                                        .to = KERN_BF16,
                                        .x = s->weights.master,
                                        .y = s->weights.work});
}

orr_code train_state_fill(train_state *s, kern *k, uint64_t seed) {
  const size_t bytes = (size_t)s->params.total * sizeof(float);
  train_params_fill(&s->params, seed, s->weights.master);
  if (s->m) memset(s->m, 0, bytes);
  if (s->v) memset(s->v, 0, bytes);
  if (s->ema) memcpy(s->ema, s->weights.master, bytes);
  return train_state_refresh(s, k);
}

static orr_code update_range(train_state *s, kern *k, const cfg *c, const kern_adamw_args *common,
                             int64_t at, int64_t n, bool decay) {
  kern_adamw_args a = *common;
  a.n = n;
  a.w = s->weights.master + at;
  a.g = s->weights.grad + at;
  a.m = s->m + at;
  a.v = s->v + at;
  a.ema = s->ema ? s->ema + at : NULL;
  a.w_bf16 = s->weights.work ? s->weights.work + at : NULL;
  a.weight_decay = decay ? (float)c->optim.weight_decay : 0.0f;
  return kern_adamw(k, &a);
}

orr_code train_state_update(train_state *s, kern *k, const cfg *c, double lr, float scale,
                            int64_t step) {
  const kern_adamw_args common = {.lr = (float)lr,
                                  .beta1 = (float)c->optim.beta1,
                                  .beta2 = (float)c->optim.beta2,
                                  .eps = (float)c->optim.eps,
                                  .grad_scale = scale,
                                  .ema_decay = (float)c->optim.ema_decay,
                                  .step = step};
  const train_param *list = s->params.list;
  // Neighbours of one kind are one range: their padding is zero and stays zero.
  for (int i = 0, j; i < s->params.count; i = j) {
    for (j = i + 1; j < s->params.count && list[j].decay == list[i].decay; j++) {
    }
    int64_t end = j < s->params.count ? list[j].at : s->params.total;
    ORR_TRY(update_range(s, k, c, &common, list[i].at, end - list[i].at, list[i].decay));
  }
  return ORR_OK;
}

orr_code train_state_plan(train_state *s, int64_t file_bytes, ckpt_plan *out) {
  if (!s->tensors) ORR_TRY(train_params_tensors(&s->params, &s->tensors));
  static const char *const files[] = {"model", "optim", "optim", "optim"};
  static const char *const prefixes[] = {"", "m.", "v.", "ema."};
  int count = !s->training ? 1 : s->has_ema ? 4 : 3;
  for (int i = 0; i < count; i++)
    s->sets[i] = (ckpt_set){
        .file = files[i], .prefix = prefixes[i], .tensors = s->tensors, .count = s->params.count};
  *out = (ckpt_plan){.sets = s->sets, .count = count, .file_bytes = file_bytes};
  return ORR_OK;
}

static float *set_base(train_state *s, int set) {
  float *const bases[] = {s->weights.master, s->m, s->v, s->ema};
  return bases[set];
}

orr_code train_state_get(void *state, int set, int tensor, uint64_t first, size_t bytes,
                         void *host) {
  train_state *s = state;
  const unsigned char *base = (const unsigned char *)(set_base(s, set) + s->params.list[tensor].at);
  memcpy(host, base + first, bytes);
  return ORR_OK;
}

static orr_code load_set(train_state *s, ckpt_reader *r, const ckpt_set *set, float *base) {
  ORR_TRY(ckpt_reader_match(r, set));
  for (int i = 0; i < s->params.count; i++) {
    const train_param *p = &s->params.list[i];
    char name[192];
    size_t prefix = strlen(set->prefix), length = strlen(p->name);
    ORR_CHECK(prefix + length < sizeof name, ORR_EINVAL, "parameter name '%s' is too long",
              p->name);
    memcpy(name, set->prefix, prefix);
    memcpy(name + prefix, p->name, length + 1);
    if (p->count > 0)
      ORR_TRY(ckpt_read(r, set->file, name, 0, (size_t)p->count * sizeof(float), base + p->at));
  }
  return ORR_OK;
}

orr_code train_state_load(train_state *s, kern *k, ckpt_reader *r) {
  ckpt_plan plan;
  ORR_TRY(train_state_plan(s, 1 << 30, &plan));
  for (int i = 0; i < plan.count; i++) ORR_TRY(load_set(s, r, &plan.sets[i], set_base(s, i)));
  return train_state_refresh(s, k);
}

orr_code train_state_load_weights(train_state *s, kern *k, ckpt_reader *r, bool ema,
                                  bool *took_ema) {
  ckpt_plan plan;
  ORR_TRY(train_state_plan(s, 1 << 30, &plan));
  ckpt_set average = {
      .file = "optim", .prefix = "ema.", .tensors = s->tensors, .count = s->params.count};
  char first[192] = "ema.";
  strncat(first, s->params.list[0].name, sizeof first - 5);
  bool use = ema && ckpt_reader_has(r, "optim", first);
  ORR_TRY(load_set(s, r, use ? &average : &plan.sets[0], s->weights.master));
  if (took_ema) *took_ema = use;
  if (s->ema) memcpy(s->ema, s->weights.master, (size_t)s->params.total * sizeof(float));
  return train_state_refresh(s, k);
}
