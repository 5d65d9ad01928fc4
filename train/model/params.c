#include "train/model/params.h"

#include <math.h>

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
  orr_free(p->segment);
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

static void params_shape(train_param *q, const train_param_spec *s) {
  memcpy(q->shape, s->shape, sizeof q->shape);
  const int64_t n = s->shape[s->dim];
  const train_part part = s->part ? *s->part : (train_part){.count = n, .capacity = n};
  q->outer = q->inner = 1;
  for (int d = 0; d < s->dim; d++) q->outer *= s->shape[d];
  for (int d = s->dim + 1; d < s->ndim; d++) q->inner *= s->shape[d];
  q->first = part.first;
  q->have = part.count;
  q->capacity = part.capacity;
  q->count = q->outer * q->capacity * q->inner;
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
  *q = (train_param){.ndim = s->ndim,
                     .dim = s->dim,
                     .counted_elsewhere = s->counted_elsewhere,
                     .grad_partial = s->grad_partial,
                     .init = s->init,
                     .std = s->std,
                     .levels = s->levels ? *s->levels : (train_code_levels){0},
                     .decay = s->decay,
                     .of_block = s->of_block};
  params_shape(q, s);
  q->name = orr_strdup(name);
  ORR_CHECK(q->name, ORR_ENOMEM, "name of parameter %s: out of memory", name);
  int64_t end = p->count ? p->list[p->count - 1].at + p->list[p->count - 1].count : 0;
  if (p->segments > 0 && end < p->segment[p->segments - 1]) end = p->segment[p->segments - 1];
  q->at = s->adjoins_previous ? end : train_param_aligned(end);
  p->total = train_param_aligned(q->at + q->count);
  p->count++;
  if (at) *at = q->at;
  return ORR_OK;
}

static int64_t rounded_up(int64_t n, int64_t unit) {
  return (n + unit - 1) / unit * unit;
}

orr_code train_params_segment(train_params *p) {
  if (p->segment_unit == 0) return ORR_OK;
  if (p->segments + 2 > p->segment_capacity) {
    const int capacity = 2 * p->segment_capacity + 16;
    int64_t *segment = orr_realloc(p->segment, (size_t)capacity * sizeof *segment);
    ORR_CHECK(segment, ORR_ENOMEM, "list of %d segments: out of memory", capacity);
    p->segment = segment;
    p->segment_capacity = capacity;
  }
  p->total = rounded_up(p->total, p->segment_unit);
  p->segment[p->segments++] = p->total;
  return ORR_OK;
}

int train_params_segment_of(const train_params *p, int64_t at) {
  int low = 0, high = p->segments;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    if (p->segment[middle] <= at)
      low = middle;
    else
      high = middle;
  }
  return low;
}

int64_t train_plain_place(const train_weights *w, int64_t at) {
  int low = 0, high = w->plain_count;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    if (w->plain_at[2 * middle] <= at)
      low = middle;
    else
      high = middle;
  }
  return w->plain_at[2 * low + 1];
}

void *train_window_at(const train_window *w, int64_t at) {
  const int i = train_params_segment_of(w->params, at);
  return w->slot[i % TRAIN_WINDOW_SLOTS] + (size_t)(at - w->params->segment[i]) * w->element;
}

void train_params_pad(train_params *p, int64_t unit) {
  p->total = rounded_up(p->total, unit);
  if (p->segments > 0) p->segment[p->segments] = p->total;
}

const train_param *train_params_find(const train_params *p, const char *name) {
  for (int i = 0; i < p->count; i++)
    if (strcmp(p->list[i].name, name) == 0) return &p->list[i];
  return NULL;
}

int64_t train_code_count(const train_code_levels *l) {
  int64_t codes = 1;
  for (int i = 0; i < l->n; i++) codes *= l->level[i];
  return codes;
}

int64_t train_params_elements(const train_params *p) {
  int64_t n = 0;
  for (int i = 0; i < p->count; i++) n += train_param_whole(&p->list[i]);
  return n;
}

int64_t train_param_whole(const train_param *p) {
  return p->outer * p->shape[p->dim] * p->inner;
}

int64_t train_param_here(const train_param *p, int64_t local, int64_t *global) {
  const int64_t block = p->capacity * p->inner, used = p->have * p->inner;
  const int64_t o = local / block, i = local % block;
  *global = i < used ? (o * p->shape[p->dim] + p->first) * p->inner + i : -1;
  return i < used ? used - i : block - i;
}

int64_t train_param_there(const train_param *p, int64_t global, int64_t *local) {
  const int64_t block = p->shape[p->dim] * p->inner, begin = p->first * p->inner,
                end = begin + p->have * p->inner;
  const int64_t o = global / block, i = global % block;
  const bool here = i >= begin && i < end;
  *local = here ? o * p->capacity * p->inner + i - begin : -1;
  return here ? end - i : i < begin ? begin - i : block - i;
}

// Element `column` of a code's row in every table of codes: the sum of what its digits have there,
// so that codes which differ in one digit start alike.
static float code_value(const train_param *q, uint64_t seed, int64_t code, int64_t column) {
  const uint64_t key = orr_hash64("codes", 5, 0);
  const train_code_levels *l = &q->levels;
  int64_t table = 0; // first row of this digit's values
  float sum = 0.0f;
  for (int i = 0; i < l->n; i++) {
    const int64_t row = table + code % l->level[i];
    sum += orr_rng_normal(seed, ORR_STREAM_INIT, key, (uint64_t)(row * q->shape[1] + column));
    code /= l->level[i];
    table += l->level[i];
  }
  return q->std * sum / sqrtf((float)l->n);
}

static float first_value(const train_param *q, uint64_t seed, uint64_t key, int64_t global) {
  if (q->init == TRAIN_INIT_ONES) return 1.0f;
  if (q->init == TRAIN_INIT_CODES && global < train_code_count(&q->levels) * q->shape[1])
    return code_value(q, seed, global / q->shape[1], global % q->shape[1]);
  return q->std * orr_rng_normal(seed, ORR_STREAM_INIT, key, (uint64_t)global);
}

// Elements [begin, end) of parameter q's place in the flat layout, to `to` on.
static void fill_param(const train_param *q, uint64_t seed, int64_t begin, int64_t end, float *to) {
  const uint64_t key = orr_hash64(q->name, strlen(q->name), 0);
  for (int64_t at = begin, run, global; at < end; at += run) {
    run = train_param_here(q, at - q->at, &global);
    if (run > end - at) run = end - at;
    float *w = to + (at - begin);
    for (int64_t e = 0; e < run && global >= 0; e++) w[e] = first_value(q, seed, key, global + e);
  }
}

void train_params_fill(const train_params *p, uint64_t seed, int64_t first, int64_t count,
                       float *to) {
  for (int i = 0; i < p->count; i++) {
    const train_param *q = &p->list[i];
    const int64_t begin = q->at > first ? q->at : first,
                  end = q->at + q->count < first + count ? q->at + q->count : first + count;
    if (q->init != TRAIN_INIT_ZEROS && begin < end)
      fill_param(q, seed, begin, end, to + (begin - first));
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
