#include "train/bench/optimizer.h"

#include <stdio.h>

#include "base/mem.h"
#include "train/bench/preset.h"
#include "train/model/dynamics_dims.h"
#include "train/step/muon.h"

enum { E = 2, CLIPS = 64 }; // bytes of an activation; clips of the step that shares are told of
static const double MOST_SHARE = 0.03;

// Bytes a row of the residual stream: forward and backward of one block.
static double block_bytes(const train_block_dims *b) {
  const double D = (double)b->D, F = (double)b->F, HK = (double)(b->H * b->K),
               GK = (double)(b->G * b->K), qkv = HK + 2 * GK;
  const double products = (D + qkv) + (HK + D) + (D + 2 * F) + (F + D);
  const double forward = products + 2 * D   // and the residuals that two of them add
                         + 2 * 2 * D        // norms
                         + 2 * (HK + GK)    // norms of heads, rotation
                         + 2 * HK + 2 * GK  // attention
                         + 3 * F;           // SwiGLU
  const double backward = 2 * products      // gradients of their inputs and of weights
                          + 2 * 4 * D       // norms and the residuals' gradients
                          + 3 * (HK + GK)   // norms of heads
                          + 4 * HK + 4 * GK // attention
                          + 5 * F;          // SwiGLU
  return E * (forward + backward);
}

// Of a parameter: its bfloat16 copy read by the products of either pass, its gradient written, and
// read for the norm.
static double step_bytes_a_parameter(void) {
  return E + E + 4 + 4;
}

// w, m and v read and written, g read, the copy written.
static const double adamw_bytes = 7 * 4 + E, adamw_flops = 12;

// Muon on one matrix: momentum and direction, norm, X_0; in an iteration X read for A, read and
// written for A X, X read and Y read and written by the product with A's polynomial, and five times
// over squares; then the update.
static train_bench_count muon_count(const train_param *p) {
  const double n = (double)train_param_whole(p),
               side = (double)(p->shape[0] < p->shape[1] ? p->shape[0] : p->shape[1]);
  const double iteration = E * (1 + 2 + 3) * n + E * 6 * side * side;
  const double products = train_muon_flops(KERN_BF16, p->shape[0], p->shape[1], 5);
  return (train_bench_count){.flops = 10 * n + products,
                             .bytes =
                                 (4 * 4 + 4 + 4 + E) * n + 5 * iteration + (E + 2 * 4 + E) * n};
}

static void add(train_bench_count *to, double flops, double bytes) {
  to->flops += flops;
  to->bytes += bytes;
}

static void count_updates(const train_params *list, train_bench_optimizer *out) {
  for (int i = 0; i < list->count; i++) {
    const train_param *p = &list->list[i];
    const double n = (double)train_param_whole(p);
    const train_bench_count muon = muon_count(p);
    add(&out->adamw, adamw_flops * n, adamw_bytes * n);
    if (p->of_block)
      add(&out->muon, muon.flops, muon.bytes);
    else
      add(&out->muon, adamw_flops * n, adamw_bytes * n);
    add(&out->step, 2 * n, step_bytes_a_parameter() * n);
  }
}

orr_code train_bench_optimizer_count(const char *preset, train_bench_optimizer *out) {
  cfg *c = NULL;
  train_dynamics_dims d;
  train_dynamics_params p = {0};
  train_params list;
  *out = (train_bench_optimizer){0};
  train_params_init(&list);
  ORR_TRY(cfg_create(&c));
  orr_code rc = train_bench_preset(preset, c);
  if (rc == ORR_OK) {
    train_dynamics_dims_from(c, &d);
    rc = train_dynamics_list(&d, &list, &p);
  }
  if (rc == ORR_OK) {
    count_updates(&list, out);
    out->clip.flops = train_dynamics_flops(&d, 1, c->data.frames);
    out->clip.bytes = block_bytes(&d.block) * (double)(c->data.frames * d.N * d.layers);
  }
  train_params_release(&list);
  orr_free(p.blocks);
  cfg_destroy(c);
  return rc;
}

train_bench_count train_bench_optimizer_share(const train_bench_optimizer *o,
                                              const train_bench_count *update, double clips) {
  const double flops = clips * o->clip.flops + o->step.flops + update->flops,
               bytes = clips * o->clip.bytes + o->step.bytes + update->bytes;
  return (train_bench_count){.flops = update->flops / flops, .bytes = update->bytes / bytes};
}

// The fewest clips a step at which it takes no more than MOST_SHARE of either.
static int64_t clips_enough(const train_bench_optimizer *o, const train_bench_count *update) {
  int64_t high = 1, low = 0;
  for (; high < (int64_t)1 << 40; low = high, high *= 2) {
    const train_bench_count s = train_bench_optimizer_share(o, update, (double)high);
    if (s.flops <= MOST_SHARE && s.bytes <= MOST_SHARE) break;
  }
  while (high - low > 1) {
    const int64_t middle = (low + high) / 2;
    const train_bench_count s = train_bench_optimizer_share(o, update, (double)middle);
    if (s.flops <= MOST_SHARE && s.bytes <= MOST_SHARE)
      high = middle;
    else
      low = middle;
  }
  return high;
}

static json_t *report_one(const train_bench_optimizer *o, const char *name,
                          const train_bench_count *x) {
  const train_bench_count s = train_bench_optimizer_share(o, x, CLIPS);
  const int64_t enough = clips_enough(o, x);
  fprintf(
      stderr,
      "an update by %-5s: %.3g TFLOP, %.3g GB; of a step of %d clips %.2f %% of FLOP and %.2f %% "
      "of bytes; at most 3 %% of either from %d clips on\n",
      name, 1e-12 * x->flops, 1e-9 * x->bytes, CLIPS, 100 * s.flops, 100 * s.bytes, (int)enough);
  return json_pack("{s:f, s:f, s:i, s:f, s:f, s:I}", "tflop", 1e-12 * x->flops, "gb",
                   1e-9 * x->bytes, "clips", CLIPS, "flop_share", s.flops, "byte_share", s.bytes,
                   "clips_for_3_percent", (json_int_t)enough);
}

json_t *train_bench_optimizer_report(const train_bench_optimizer *o) {
  json_t *adamw = report_one(o, "AdamW", &o->adamw), *muon = report_one(o, "Muon", &o->muon);
  return json_pack("{s:o, s:o, s:f, s:f}", "adamw", adamw, "muon", muon, "clip_tflop",
                   1e-12 * o->clip.flops, "clip_gb", 1e-9 * o->clip.bytes);
}
