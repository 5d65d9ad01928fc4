// Attention of rollouts over the keys and values of earlier frames (kernels/ops.h: kern_ring), and
// keeping them. A task is one row: the frames that a token sees lie at the same place of each.
#include <inttypes.h>
#include <math.h>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/lane.h"
#include "kernels/cpu/vmath.h"

enum { MOST_K = 1024 };

// Where the keys and the values of the positions that a row sees begin, in elements from the
// tensors: the ring's, oldest first, then the row's own.
typedef struct {
  int64_t first, count; // frames [first, first+count) in the ring
  int64_t ring_row;     // element of place 0 of the ring's row n
  int64_t sink;         // the same of the sink
  bool has_sink;
  int64_t pins;       // frames that stay
  const int32_t *pin; // their slots
} sight;

// Element of slot `slot` of row n of session b's frames that stay.
static int64_t pinned(const kern_ring *r, int64_t b, int64_t n, int64_t slot) {
  return (((int64_t)r->ring[b] * r->pins + slot) * r->N + n) * r->G * r->K;
}

static sight sight_of(const kern_ring_attend_args *a, int64_t b, int64_t n) {
  const kern_ring *r = &a->r;
  const int64_t GK = r->G * r->K, t = r->frame[b];
  int64_t first = t - a->window + 1;
  if (first < 1) first = 1;
  const int32_t *pin = r->pins ? r->pin + b * r->most_pins : NULL;
  int64_t pins = 0;
  while (r->pins && pins < r->most_pins && pin[pins] >= 0) pins++;
  return (sight){.pins = pins,
                 .pin = pin,
                 .first = first,
                 .count = t > first ? t - first : 0,
                 .ring_row = ((int64_t)r->ring[b] * r->places * r->N + n) * GK,
                 .sink = ((int64_t)r->ring[b] * r->N + n) * GK,
                 .has_sink = t > 0};
}

CPU_INLINE float dot(const float *q, const void *k, int64_t at, int64_t K, kern_dtype type) {
  float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
  for (int64_t c = 0; c < K; c++) sum += q[c] * cpu_lane_get(k, at + c, type);
  return sum;
}

// q . (k turned by the angles): pair j is (x[j], x[j+K/2]).
CPU_INLINE float dot_turned(const float *q, const void *k, int64_t at, int64_t K, const float *cos_,
                            const float *sin_, kern_dtype type) {
  const int64_t half = K / 2;
  float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
  for (int64_t j = 0; j < half; j++) {
    const float x = cpu_lane_get(k, at + j, type), y = cpu_lane_get(k, at + j + half, type);
    sum += q[j] * (x * cos_[j] - y * sin_[j]) + q[j + half] * (y * cos_[j] + x * sin_[j]);
  }
  return sum;
}

CPU_INLINE void add_weighted(float *restrict sum, float weight, const void *v, int64_t at,
                             int64_t K, kern_dtype type) {
#pragma omp simd
  for (int64_t c = 0; c < K; c++) sum[c] += weight * cpu_lane_get(v, at + c, type);
}

// One row and one head; p holds places + most_pins + 2 floats.
CPU_INLINE void attend_head(const kern_ring_attend_args *a, int64_t b, int64_t n, int64_t h,
                            const sight *s, float *p, kern_dtype type) {
  const kern_ring *r = &a->r;
  const int64_t K = r->K, GK = r->G * K, HK = a->H * K, g = h / (a->H / r->G), m = b * r->N + n;
  const int64_t own_k = m * (HK + GK) + HK + g * K, own_v = m * (HK + 2 * GK) + HK + GK + g * K;
  const float scale = 1.0f / sqrtf((float)K);
  float q[MOST_K], sum[MOST_K], total = 0.0f;
  for (int64_t c = 0; c < K; c++) q[c] = cpu_lane_get(a->qk, m * (HK + GK) + h * K + c, type);
  int64_t seen = 0;
  if (s->has_sink)
    p[seen++] = dot_turned(q, r->sink_keys, s->sink + g * K, K, a->cos + b * (K / 2),
                           a->sin + b * (K / 2), type);
  for (int64_t i = 0; i < s->pins; i++)
    p[seen++] = dot_turned(q, r->pin_keys, pinned(r, b, n, s->pin[i]) + g * K, K,
                           a->cos + b * (K / 2), a->sin + b * (K / 2), type);
  for (int64_t f = s->first; f < s->first + s->count; f++)
    p[seen++] = dot(q, r->keys, s->ring_row + f % r->places * r->N * GK + g * K, K, type);
  p[seen++] = dot(q, a->qk, own_k, K, type);
  float largest = p[0];
  for (int64_t i = 1; i < seen; i++) largest = p[i] > largest ? p[i] : largest;
  for (int64_t i = 0; i < seen; i++) {
    p[i] = cpu_exp((p[i] - largest) * scale);
    total += p[i];
  }
  memset(sum, 0, (size_t)K * sizeof *sum);
  seen = 0;
  if (s->has_sink) add_weighted(sum, p[seen++], r->sink_values, s->sink + g * K, K, type);
  for (int64_t i = 0; i < s->pins; i++)
    add_weighted(sum, p[seen++], r->pin_values, pinned(r, b, n, s->pin[i]) + g * K, K, type);
  for (int64_t f = s->first; f < s->first + s->count; f++)
    add_weighted(sum, p[seen++], r->values, s->ring_row + f % r->places * r->N * GK + g * K, K,
                 type);
  add_weighted(sum, p[seen], a->qkv, own_v, K, type);
  for (int64_t c = 0; c < K; c++) cpu_lane_set(a->o, m * HK + h * K + c, sum[c] / total, type);
}

typedef struct {
  const kern_ring_attend_args *a;
  void *workspace;
  size_t bytes; // of one thread
} attend_ctx;

static void attend_rows(const void *ctx, int64_t first, int64_t end, int thread) {
  const attend_ctx *c = ctx;
  const kern_ring_attend_args *a = c->a;
  float *p = cpu_scratch_of(c->workspace, c->bytes, thread);
  for (int64_t m = first; m < end; m++) {
    const int64_t b = m / a->r.N, n = m % a->r.N;
    const sight s = sight_of(a, b, n);
    for (int64_t h = 0; h < a->H; h++) {
      if (a->r.type == KERN_F32)
        attend_head(a, b, n, h, &s, p, KERN_F32);
      else
        attend_head(a, b, n, h, &s, p, KERN_BF16);
    }
  }
}

orr_code CPU_FN(ring_attend)(kern *k, const kern_ring_attend_args *a) {
  const size_t bytes = (size_t)(a->r.places + a->r.most_pins + 2) * sizeof(float);
  void *workspace;
  ORR_CHECK(a->r.K <= MOST_K, ORR_EUNSUPPORTED,
            "rollout: head width %" PRId64 ", at most %d: use more heads", a->r.K, (int)MOST_K);
  ORR_TRY(cpu_workspace(k, cpu_scratch_bytes(k, bytes), &workspace));
  if (k->planning) return ORR_OK;
  cpu_run(k, a->r.B * a->r.N, cpu_grain(k, a->r.B * a->r.N, a->H * a->r.K * (a->window + 1)),
          attend_rows, &(attend_ctx){a, workspace, bytes});
  return ORR_OK;
}

static void keep_rows(const void *ctx, int64_t first, int64_t end, int thread) {
  const kern_ring_keep_args *a = ctx;
  const kern_ring *r = &a->r;
  const size_t e = kern_dtype_size(r->type);
  const int64_t GK = r->G * r->K, HK = a->H * r->K;
  for (int64_t m = first; m < end; m++) {
    const int64_t b = m / r->N, n = m % r->N, t = r->frame[b];
    const int64_t place = (int64_t)r->ring[b] * r->places + t % r->places;
    const int64_t to = t == 0 ? ((int64_t)r->ring[b] * r->N + n) * GK : (place * r->N + n) * GK;
    memcpy((char *)(t == 0 ? r->sink_keys : r->keys) + (size_t)to * e,
           (const char *)a->qk + (size_t)(m * (HK + GK) + HK) * e, (size_t)GK * e);
    memcpy((char *)(t == 0 ? r->sink_values : r->values) + (size_t)to * e,
           (const char *)a->qkv + (size_t)(m * (HK + 2 * GK) + HK + GK) * e, (size_t)GK * e);
  }
}

orr_code CPU_FN(ring_keep)(kern *k, const kern_ring_keep_args *a) {
  if (k->planning) return ORR_OK;
  cpu_run(k, a->r.B * a->r.N, cpu_grain(k, a->r.B * a->r.N, 2 * a->r.G * a->r.K), keep_rows, a);
  return ORR_OK;
}

// k turned back: pair j is (x[j], x[j+K/2]).
CPU_INLINE void turn_back(const void *k, int64_t from, void *to, int64_t at, int64_t K,
                          const float *cos_, const float *sin_, kern_dtype type) {
  const int64_t half = K / 2;
  for (int64_t j = 0; j < half; j++) {
    const float x = cpu_lane_get(k, from + j, type), y = cpu_lane_get(k, from + j + half, type);
    cpu_lane_set(to, at + j, x * cos_[j] + y * sin_[j], type);
    cpu_lane_set(to, at + j + half, y * cos_[j] - x * sin_[j], type);
  }
}

static void pin_rows(const void *ctx, int64_t first, int64_t end, int thread) {
  const kern_ring_pin_args *a = ctx;
  const kern_ring *r = &a->r;
  const size_t e = kern_dtype_size(r->type);
  const int64_t GK = r->G * r->K;
  for (int64_t m = first; m < end; m++) {
    const int64_t b = m / r->N, n = m % r->N;
    if (a->to[b] < 0) continue;
    const int64_t place = (int64_t)r->ring[b] * r->places + a->from[b] % r->places;
    const int64_t from = (place * r->N + n) * GK, to = pinned(r, b, n, a->to[b]);
    const float *cos_ = a->cos + b * (r->K / 2), *sin_ = a->sin + b * (r->K / 2);
    for (int64_t g = 0; g < r->G; g++) {
      const int64_t at = g * r->K;
      if (r->type == KERN_F32)
        turn_back(r->keys, from + at, r->pin_keys, to + at, r->K, cos_, sin_, KERN_F32);
      else
        turn_back(r->keys, from + at, r->pin_keys, to + at, r->K, cos_, sin_, KERN_BF16);
    }
    memcpy((char *)r->pin_values + (size_t)to * e, (const char *)r->values + (size_t)from * e,
           (size_t)GK * e);
  }
}

orr_code CPU_FN(ring_pin)(kern *k, const kern_ring_pin_args *a) {
  if (k->planning) return ORR_OK;
  cpu_run(k, a->r.B * a->r.N, cpu_grain(k, a->r.B * a->r.N, 2 * a->r.G * a->r.K), pin_rows, a);
  return ORR_OK;
}
