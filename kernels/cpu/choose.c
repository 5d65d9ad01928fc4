// Which masked positions of a frame take their codes (kernels/ops.h). A session's order is found by
// one thread; S positions are few.
#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "kernels/cpu/cpu.h"

typedef struct {
  float confidence;
  int32_t position;
} ranked;

static int by_confidence(const void *a, const void *b) {
  const ranked *x = a, *y = b;
  if (x->confidence != y->confidence) return x->confidence < y->confidence ? 1 : -1;
  return x->position < y->position ? -1 : 1;
}

static void choose(const kern_choose_args *a, int64_t b, ranked *order) {
  const float *log_prob = a->log_prob + b * a->S;
  const int32_t *code = a->code + b * a->S;
  int32_t *tokens = a->tokens + b * a->S;
  int64_t n = 0;
  for (int64_t s = 0; s < a->S; s++) {
    if (tokens[s] != a->V) continue;
    double noise = 0.0;
    if (a->noise[b] != 0.0f) {
      const uint64_t position = a->draw[b] * (uint64_t)a->S + (uint64_t)s;
      const double u = orr_rng_uniform(a->seed[b], ORR_STREAM_CHOICE, a->sample[b], position);
      noise = (double)a->noise[b] * -log(-log(u + 1e-12) + 1e-12);
    }
    const float v = (float)(log_prob[s] + noise);
    order[n++] = (ranked){.confidence = v == v ? v : -INFINITY, .position = (int32_t)s};
  }
  qsort(order, (size_t)n, sizeof *order, by_confidence);
  for (int64_t i = 0; i < n - a->left[b]; i++) tokens[order[i].position] = code[order[i].position];
  for (int64_t i = 0; i < n - a->left[b]; i++) a->nll[b] -= log_prob[order[i].position];
}

typedef struct {
  const kern_choose_args *a;
  void *workspace;
  size_t bytes; // of one thread
} choose_ctx;

static void choose_sessions(const void *ctx, int64_t first, int64_t end, int thread) {
  const choose_ctx *c = ctx;
  for (int64_t b = first; b < end; b++)
    choose(c->a, b, cpu_scratch_of(c->workspace, c->bytes, thread));
}

orr_code CPU_FN(choose)(kern *k, const kern_choose_args *a) {
  const size_t bytes = (size_t)a->S * sizeof(ranked);
  void *workspace;
  ORR_TRY(cpu_workspace(k, cpu_scratch_bytes(k, bytes), &workspace));
  if (k->planning) return ORR_OK;
  cpu_run(k, a->B, 1, choose_sessions, &(choose_ctx){a, workspace, bytes});
  return ORR_OK;
}
