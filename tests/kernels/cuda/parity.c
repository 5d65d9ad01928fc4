#include "tests/kernels/cuda/parity.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "kernels/bf16.h"
#include "tests/kernels/cuda/device.h"

static size_t value_size(value_type type) {
  static const size_t size[] = {4, 2, 8, 4, 1, 1};
  return size[type];
}

static double value_at(const parity_tensor *t, int64_t i) {
  switch (t->type) {
  case VALUE_F32:
    return ((const float *)t->host)[i];
  case VALUE_BF16:
    return kern_bf16_to_f32(((const uint16_t *)t->host)[i]);
  case VALUE_F64:
    return ((const double *)t->host)[i];
  case VALUE_I32:
    return ((const int32_t *)t->host)[i];
  default:
    return ((const uint8_t *)t->host)[i];
  }
}

void side_ok(const side *s, orr_code rc) {
  if (rc != ORR_OK) fail_msg("on %s: %s", s->k->table->name, orr_status_message());
}

// -- tensors --------------------------------------------------------------------------------

static parity_tensor *add(side *s, const char *name, value_type type, int64_t n, double tolerance) {
  assert_true(s->count < (int)(sizeof s->tensor / sizeof *s->tensor));
  parity_tensor *t = &s->tensor[s->count++];
  const size_t size = value_size(type), before = (size_t)s->skew * size;
  *t = (parity_tensor){.name = name, .type = type, .n = n, .tolerance = tolerance};
  t->host = malloc((size_t)n * size + 1);
  assert_non_null(t->host);
  // memory ends with the tensor, so that a checker of accesses sees the first one beyond it
  side_ok(s, kern_alloc(s->k, KERN_DEVICE, before + (size_t)n * size, "a test", &t->block));
  t->at = (char *)t->block + before;
  return t;
}

static void draw(const side *s, const parity_tensor *t, double scale) {
  for (int64_t i = 0; i < t->n; i++) {
    const float v =
        (float)(scale * orr_rng_normal(1, ORR_STREAM_TEST, (uint64_t)s->count, (uint64_t)i));
    if (t->type == VALUE_BF16)
      ((uint16_t *)t->host)[i] = kern_f32_to_bf16(v);
    else
      ((float *)t->host)[i] = v;
  }
}

void *side_draw(side *s, kern_dtype type, int64_t n, double scale) {
  return side_both(s, NULL, type, n, scale, 0);
}

void *side_both(side *s, const char *name, kern_dtype type, int64_t n, double scale,
                double tolerance) {
  parity_tensor *t = add(s, name, value_of(type), n, tolerance);
  draw(s, t, scale);
  return t->at;
}

void *side_ints(side *s, int64_t n, int32_t low, int32_t high) {
  parity_tensor *t = add(s, NULL, VALUE_I32, n, 0);
  for (int64_t i = 0; i < n; i++)
    ((int32_t *)t->host)[i] = low + (int32_t)orr_rng_below(2, ORR_STREAM_TEST, (uint64_t)s->count,
                                                           (uint64_t)i, (uint64_t)(high - low));
  return t->at;
}

void *side_given(side *s, value_type type, const void *values, int64_t n) {
  return side_both_given(s, NULL, type, values, n, 0);
}

void *side_both_given(side *s, const char *name, value_type type, const void *values, int64_t n,
                      double tolerance) {
  parity_tensor *t = add(s, name, type, n, tolerance);
  memcpy(t->host, values, (size_t)n * value_size(type));
  return t->at;
}

void *side_out(side *s, const char *name, value_type type, int64_t n, double tolerance) {
  parity_tensor *t = add(s, name, type, n, tolerance);
  memset(t->host, 0xff, (size_t)n * value_size(type));
  return t->at;
}

// -- runs -----------------------------------------------------------------------------------

static void move(side *s, parity_tensor *t, kern_copy_way way) {
  const bool in = way == KERN_COPY_IN;
  const kern_copy_args a = {.dst = in ? t->at : t->host,
                            .src = in ? t->host : t->at,
                            .bytes = (size_t)t->n * value_size(t->type),
                            .way = way};
  if (t->n) side_ok(s, kern_copy(s->k, &a));
}

void side_begin(side *s) {
  side_ok(s, kern_commit(s->k));
  for (int i = 0; i < s->count; i++) move(s, &s->tensor[i], KERN_COPY_IN);
}

void side_end(side *s) {
  assert_int_equal(s->k->late_plans, 0);
  for (int i = 0; i < s->count; i++)
    if (s->tensor[i].name) move(s, &s->tensor[i], KERN_COPY_OUT);
  side_ok(s, kern_sync(s->k));
}

static void side_destroy(side *s) {
  for (int i = 0; i < s->count; i++) {
    kern_free(s->k, KERN_DEVICE, s->tensor[i].block);
    free(s->tensor[i].host);
  }
  kern_destroy(s->k);
}

static void compare(const parity_tensor *want, const parity_tensor *got, int skew) {
  double largest = 0, worst = 0;
  for (int64_t i = 0; i < want->n; i++) {
    const double v = fabs(value_at(want, i));
    if (isfinite(v)) largest = fmax(largest, v);
  }
  if (largest == 0) largest = 1;
  for (int64_t i = 0; i < want->n; i++) {
    const double w = value_at(want, i), g = value_at(got, i);
    if (w == g || (isnan(w) && isnan(g) && want->tolerance < 0)) continue;
    const double slack = want->type == VALUE_BF16 && want->tolerance != 0 ? fabs(w) / 128 : 0;
    const double off = fabs(g - w) - slack;
    if (!(off <= fabs(want->tolerance) * largest))
      fail_msg("%s[%" PRId64 " of %" PRId64
               "], skew %d: got %.9g, the CPU's %.9g (largest %.3g, tolerance %.1e)",
               want->name, i, want->n, skew, g, w, largest, want->tolerance);
    worst = fmax(worst, off / largest);
  }
  if (getenv("ORR_TEST_MEASURE"))
    fprintf(stderr, "%s: measured %.2e < %.1e\n", want->name, worst, want->tolerance);
}

static void check_skewed(parity_case run, const void *shape, kern_dtype type, int skew) {
  side cpu = {.skew = skew}, first = {0};
  assert_int_equal(kern_create(KERN_DEVICE_CPU, 2, &cpu.k), ORR_OK);
  run(&cpu, shape, type);
  for (int way = 0; way < device_ways(); way++) {
    side s = {.skew = skew};
    device_choose_way(way);
    if (device_create(&s.k) != ORR_OK) fail_msg("%s", orr_status_message());
    run(&s, shape, type);
    for (int i = 0; i < s.count; i++) {
      const parity_tensor *t = &s.tensor[i];
      if (!t->name) continue;
      compare(&cpu.tensor[i], t, skew);
      if (way && memcmp(first.tensor[i].host, t->host, (size_t)t->n * value_size(t->type)) != 0)
        fail_msg("%s: way %d gives other bits than way 0", t->name, way);
    }
    if (way)
      side_destroy(&s);
    else
      first = s;
  }
  side_destroy(&first);
  side_destroy(&cpu);
}

void parity_check(parity_case run, const void *shape, kern_dtype type, int skew) {
  const char *absent = device_absent();
  if (absent) {
    print_message("skipped: %s\n", absent);
    skip();
  }
  for (int i = 0; i <= skew; i++) check_skewed(run, shape, type, i);
}
