#include "train/run/probe.h"

#include <math.h>

// No loss is below the largest one accepted: nothing is updated.
static orr_code try_again(train_run *r, train_probe *p, bool *unagreed) {
  const data_clip_batch *batch = NULL;
  train_step_result x;
  orr_code rc = train_run_open_loader_at(r, p->batch);
  if (rc == ORR_OK) rc = data_loader_next(r->loader, &batch, NULL);
  ORR_TRY(dist_agree(r->all, rc, "read a batch again"));
  *unagreed = true;
  ORR_TRY(train_step_run(
      &r->work, batch,
      &(train_step_request){.step = r->step + 1, .most_loss = -INFINITY, .most_norm = -INFINITY}));
  ORR_TRY(train_step_results(&r->work, &x));
  *unagreed = false;
  p->now = (train_guard_limits){x.loss, x.grad_norm};
  return ORR_OK;
}

orr_code train_probe_run(train_run *r, train_probe *out, bool *tried, bool *unagreed) {
  train_profile *profile = r->axes.profile;
  *out = (train_probe){0};
  *unagreed = false;
  *tried = train_guard_doubts(&r->guard, &out->batch, &out->was);
  if (!*tried) return ORR_OK;
  r->axes.profile = NULL; // it is not a step's time
  const orr_code rc = try_again(r, out, unagreed);
  r->axes.profile = profile;
  ORR_TRY(rc);
  out->weights = train_guard_tried(&r->guard, out->now.loss, out->now.norm);
  return dist_agree(r->all, train_run_open_loader(r), "open data");
}
