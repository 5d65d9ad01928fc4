#include "train/params.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/rng.h"

void train_params_init(train_params *p) {
  memset(p, 0, sizeof *p);
}

void train_params_release(train_params *p) {
  for (int i = 0; i < p->count; i++) orr_free(p->list[i].name);
  orr_free(p->list);
  train_params_init(p);
}

static orr_code params_grow(train_params *p) {
  if (p->count < p->capacity) return ORR_OK;
  int capacity = p->capacity ? 2 * p->capacity : 64;
  train_param *list = orr_realloc(p->list, (size_t)capacity * sizeof *list);
  ORR_CHECK(list, ORR_ENOMEM, "list of %d parameters: out of memory", capacity);
  p->list = list;
  p->capacity = capacity;
  return ORR_OK;
}

orr_code train_params_add(train_params *p, const train_param_spec *s, int64_t *at, const char *fmt,
                          ...) {
  ORR_TRY(params_grow(p));
  char name[128];
  va_list args;
  va_start(args, fmt);
  int length = vsnprintf(name, sizeof name, fmt, args);
  va_end(args);
  ORR_CHECK(length > 0 && length < (int)sizeof name, ORR_EINVAL, "parameter name '%s' is too long",
            name);
  train_param *q = &p->list[p->count];
  *q =
      (train_param){.ndim = s->ndim, .count = 1, .init = s->init, .std = s->std, .decay = s->decay};
  for (int d = 0; d < s->ndim; d++) {
    q->shape[d] = s->shape[d];
    q->count *= s->shape[d];
  }
  q->name = orr_strdup(name);
  ORR_CHECK(q->name, ORR_ENOMEM, "name of parameter %s: out of memory", name);
  int64_t end = p->count ? p->list[p->count - 1].at + p->list[p->count - 1].count : 0;
  q->at = s->fuse ? end : (end + TRAIN_PARAM_ALIGN - 1) / TRAIN_PARAM_ALIGN * TRAIN_PARAM_ALIGN;
  p->total = (q->at + q->count + TRAIN_PARAM_ALIGN - 1) / TRAIN_PARAM_ALIGN * TRAIN_PARAM_ALIGN;
  p->count++;
  if (at) *at = q->at;
  return ORR_OK;
}

const train_param *train_params_find(const train_params *p, const char *name) {
  for (int i = 0; i < p->count; i++)
    if (strcmp(p->list[i].name, name) == 0) return &p->list[i];
  return NULL;
}

int64_t train_params_elements(const train_params *p) {
  int64_t n = 0;
  for (int i = 0; i < p->count; i++) n += p->list[i].count;
  return n;
}

void train_params_fill(const train_params *p, uint64_t seed, float *flat) {
  memset(flat, 0, (size_t)p->total * sizeof *flat);
  for (int i = 0; i < p->count; i++) {
    const train_param *q = &p->list[i];
    uint64_t key = orr_hash64(q->name, strlen(q->name), 0);
    float *w = flat + q->at;
    if (q->init == TRAIN_INIT_NORMAL)
      for (int64_t j = 0; j < q->count; j++)
        w[j] = q->std * orr_rng_normal(seed, ORR_STREAM_INIT, key, (uint64_t)j);
    else if (q->init == TRAIN_INIT_ONES)
      for (int64_t j = 0; j < q->count; j++) w[j] = 1.0f;
  }
}

orr_code train_params_tensors(const train_params *p, ckpt_tensor **out) {
  ckpt_tensor *t = orr_calloc((size_t)p->count, sizeof *t);
  ORR_CHECK(t, ORR_ENOMEM, "list of %d checkpoint tensors: out of memory", p->count);
  for (int i = 0; i < p->count; i++) {
    t[i].name = p->list[i].name;
    t[i].ndim = p->list[i].ndim;
    memcpy(t[i].shape, p->list[i].shape, sizeof t[i].shape);
  }
  *out = t;
  return ORR_OK;
}
