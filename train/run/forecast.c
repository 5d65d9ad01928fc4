#include "train/run/forecast.h"

#include <inttypes.h>

#include "base/log.h"
#include "train/step/peak.h"
#include "train/timing/forecast.h"

orr_code train_run_forecast(const train_run *r) {
  const cfg *c = r->c;
  const dist_world *w = r->world;
  double rate = 0.0;
  char step[32], all[32];
  ORR_TRY(train_peak_try(&(kern_setup){.device = (kern_device)c->run.device,
                                       .isa = (kern_isa)c->run.isa,
                                       .threads = r->k->threads,
                                       .node_rank = w->node_rank,
                                       .node_ranks = w->node_ranks,
                                       .share_devices = c->dist.share_devices,
                                       .attention = (kern_attention)c->run.attention},
                         r->act, &rate));
  if (w->grid.rank != 0) return ORR_OK;
  const double flops = (double)c->train.batch * r->work.stage->flops_per_clip / w->grid.ranks,
               each = train_forecast_step_s(flops, rate);
  train_forecast_words(each, step, sizeof step);
  train_forecast_words(each * (double)c->train.steps, all, sizeof all);
  ORR_INFO("training takes about %s: %" PRId64 " steps of %s, at half of the rate that a matrix "
           "product had just now (%.3g GFLOP/s a rank)",
           all, c->train.steps, step, rate / 1e9);
  return ORR_OK;
}
