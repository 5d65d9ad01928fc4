#include "train/plan/layouts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "train/model/precision.h"
#include "train/run/accounting.h"

void train_plan_release(train_plan *p) {
  orr_free(p->rows);
  *p = (train_plan){0};
}

// -- one layout -----------------------------------------------------------------------------

// The configuration as that layout would have it.
static void put(cfg *c, const train_layout *l) {
  c->dist.tp = l->tp;
  c->dist.cp = l->cp;
  c->dist.dp = l->dp;
  c->dist.zero = l->zero;
  c->dist.shard = l->shard;
  c->train.recompute = l->recompute;
  c->train.micro_batch = l->micro;
}

// What lies on the device; on the CPU that is everything.
static uint64_t device_bytes(const train_machine *m, const train_step *s) {
  train_accounting a;
  train_account all[TRAIN_ACCOUNTS];
  uint64_t bytes = (uint64_t)m->reserved;
  if (train_accounting_plan(&a, s) != ORR_OK) {
    orr_status_clear();
    return UINT64_MAX;
  }
  train_accounting_memory(&a, all);
  for (int i = 0; i < TRAIN_ACCOUNTS; i++) {
    const bool host =
        strcmp(all[i].name, "staging") == 0 || strcmp(all[i].name, "checkpoints") == 0;
    if (!m->on_device || !host) bytes += all[i].bytes;
  }
  return bytes;
}

static orr_code fill_row(const train_plan_request *q, train_step *s, train_plan_row *out,
                         train_plan *sizes) {
  const double clips = (double)s->c->train.batch, flops = clips * s->stage->flops_per_clip,
               peak = q->m->peak[train_precision(s->c)] > 0.0 ? q->m->peak[train_precision(s->c)]
                                                              : q->m->matmul[train_precision(s->c)];
  out->bytes = device_bytes(q->m, s);
  ORR_TRY(train_estimate_step(s, q->m, &out->time));
  out->mfu = flops / (out->time.step_s * peak * (double)q->ranks);
  sizes->flops = flops;
  sizes->clips = clips;
  sizes->tokens = clips * s->stage->tokens_per_clip;
  return ORR_OK;
}

orr_code train_plan_one(const train_plan_request *q, const train_layout *l, train_plan_row *out,
                        train_plan *sizes) {
  cfg *c = (cfg *)(uintptr_t)q->c; // as it was when this returns
  const cfg before = *c;
  dist_grid grid;
  train_axes axes;
  train_step s = {0};
  kern *k = NULL;
  put(c, l);
  *out = (train_plan_row){.layout = *l};
  orr_code rc = dist_grid_init(l->tp, l->cp, l->dp, 0, q->ranks, &grid);
  if (rc == ORR_OK) rc = dist_grid_cut(&grid, l->zero ? l->shard : 0);
  if (rc == ORR_OK) rc = kern_create(KERN_DEVICE_CPU, q->m->threads ? q->m->threads : 1, &k);
  if (rc == ORR_OK) {
    train_axes_init(&axes, &grid, NULL);
    axes.on_device = q->m->on_device; // sums of bfloat16 need no stand-ins there
    rc = train_step_plan(&s, c, &axes, k);
    if (rc == ORR_OK) rc = fill_row(q, &s, out, sizes);
    train_step_release(&s);
  }
  kern_destroy(k);
  c->dist = before.dist;
  c->train = before.train;
  return rc;
}

// -- all of them ----------------------------------------------------------------------------

static orr_code keep(train_plan *p, const train_plan_row *row) {
  if (p->count == p->room) {
    const int room = 2 * p->room + 32;
    train_plan_row *rows = orr_realloc(p->rows, (size_t)room * sizeof *rows);
    ORR_CHECK(rows, ORR_ENOMEM, "plan: out of memory for %d layouts", room);
    p->rows = rows;
    p->room = room;
  }
  p->rows[p->count++] = *row;
  return ORR_OK;
}

// Plans one; *fits, and then it is kept.
static orr_code try_one(const train_plan_request *q, const train_layout *l, train_plan *p,
                        bool *fits) {
  train_plan_row row;
  *fits = false;
  const orr_code rc = train_plan_one(q, l, &row, p);
  if (rc == ORR_ECONFIG || rc == ORR_EINVAL) { // this layout cannot split the model
    orr_status_copy(p->refused, sizeof p->refused);
    orr_status_clear();
    return ORR_OK;
  }
  ORR_TRY(rc);
  p->planned++;
  *fits = (double)row.bytes <= q->memory;
  if (!*fits && (p->least.bytes == 0 || row.bytes < p->least.bytes)) p->least = row;
  return *fits ? keep(p, &row) : ORR_OK;
}

// The largest micro-batch that fits, from `from` down by factors; *found the one, 0 = none.
static orr_code largest_micro(const train_plan_request *q, train_layout l, int64_t clips,
                              train_plan *p, int64_t *found) {
  *found = 0;
  for (int64_t parts = 1; parts <= clips; parts++) {
    bool fits;
    if (clips % parts != 0) continue;
    l.micro = clips / parts;
    ORR_TRY(try_one(q, &l, p, &fits));
    if (!fits) continue;
    *found = l.micro;
    return ORR_OK;
  }
  return ORR_OK;
}

// More is computed again as long as that makes a larger micro-batch fit. *easy: all clips at once
// fit with nothing computed again.
static orr_code try_recompute(const train_plan_request *q, train_layout l, train_plan *p,
                              bool *easy) {
  const int64_t clips = q->c->train.batch / l.dp;
  int64_t before = 0;
  *easy = false;
  for (int r = CFG_RECOMPUTE_NONE; r <= CFG_RECOMPUTE_ALL; r++) {
    int64_t micro;
    l.recompute = r;
    ORR_TRY(largest_micro(q, l, clips, p, &micro));
    if (micro == clips && r == CFG_RECOMPUTE_NONE) *easy = true;
    if (micro == clips) return ORR_OK;
    if (micro > 0 && micro == before) return ORR_OK; // it only costs
    before = micro;
  }
  return ORR_OK;
}

// Bytes that a rank holds at least: weights, and what of gradients and states it keeps.
static double at_least(const train_plan_request *q, const train_layout *l, double params) {
  const bool bf16 = train_precision(q->c) == KERN_BF16;
  const double mine = params / l->tp,
               share = l->zero == 0 ? 1.0
                       : l->shard   ? l->shard
                                    : l->cp * l->dp,
               states = (q->c->optim.ema_decay > 0.0 ? 12.0 : 8.0) + (bf16 ? 4.0 : 0.0),
               weights = bf16 ? 2.0 : 4.0;
  return mine * ((l->zero == 3 ? weights / share : weights) + (l->zero >= 2 ? 4.0 / share : 4.0) +
                 states / share);
}

// Groups of the domain's replicas, where the replicas are more than one domain's.
static int domain_group(const train_plan_request *q, const train_layout *l) {
  const int inside = q->m->domain / (l->tp * l->cp), replicas = l->cp * l->dp;
  if (q->m->domain == 0 || inside < 2 || l->cp > 1) return 0;
  int shard = inside;
  while (shard > 1 && replicas % shard != 0) shard--;
  return shard > 1 && shard < replicas ? shard : 0;
}

static orr_code try_zero(const train_plan_request *q, train_layout l, train_plan *p,
                         double params) {
  const int replicas = l.cp * l.dp;
  for (l.zero = 0; l.zero <= (replicas > 1 ? 3 : 0); l.zero++) {
    if (q->zero >= 0 && l.zero != q->zero) continue;
    const int group = l.zero > 0 ? domain_group(q, &l) : 0;
    bool easy = false;
    for (int grouped = 0; grouped <= (group > 0); grouped++) {
      bool this_easy = false;
      l.shard = grouped ? group : 0;
      if (at_least(q, &l, params) > q->memory) continue;
      ORR_TRY(try_recompute(q, l, p, &this_easy));
      easy = easy || this_easy;
    }
    if (easy) return ORR_OK; // sharing more out only costs
  }
  return ORR_OK;
}

static bool divides(const cfg *c, int tp, int cp) {
  const cfg_blocks b = cfg_blocks_of(c);
  return b.heads % tp == 0 && b.hidden % tp == 0 &&
         (b.kv_heads % tp == 0 || tp % b.kv_heads == 0) && c->data.frames >= cp &&
         (c->data.frames_start == 0 || cp == 1);
}

static double count_params(const cfg *c) {
  train_params list;
  train_params_init(&list);
  const orr_code rc = train_stage_list(c, NULL, &list);
  const double n = rc == ORR_OK ? (double)train_params_elements(&list) : 0.0;
  if (rc != ORR_OK) orr_status_clear();
  train_params_release(&list);
  return n;
}

static int faster(const void *a, const void *b) {
  const train_plan_row *x = a, *y = b;
  return (x->time.step_s > y->time.step_s) - (x->time.step_s < y->time.step_s);
}

orr_code train_plan_make(const train_plan_request *q, train_plan *out) {
  const cfg *c = q->c;
  const double params = count_params(c);
  const int domain = q->m->domain > 0 && q->m->domain < q->ranks ? q->m->domain : q->ranks;
  int layouts = 0;
  *out = (train_plan){0};
  for (int tp = 1; tp <= domain; tp *= 2)
    for (int cp = 1; tp * cp <= domain; cp *= 2) {
      const train_layout l = {.tp = tp, .cp = cp, .dp = q->ranks / (tp * cp)};
      if ((q->tp && tp != q->tp) || (q->cp && cp != q->cp)) continue;
      if (q->ranks % (tp * cp) != 0 || !divides(c, tp, cp) || c->train.batch % l.dp != 0) continue;
      layouts++;
      const orr_code rc = try_zero(q, l, out, params);
      if (rc != ORR_OK) return rc;
    }
  ORR_CHECK(layouts > 0, ORR_ECONFIG,
            "plan: no tp x cp x dp of %d ranks divides the model and train.batch %" PRId64
            "; train.batch has to be a multiple of dp, the ranks left over by tp and cp",
            q->ranks, c->train.batch);
  if (out->count > 1) qsort(out->rows, (size_t)out->count, sizeof *out->rows, faster);
  return ORR_OK;
}
