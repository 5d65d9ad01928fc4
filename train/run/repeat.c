#include "train/run/repeat.h"

#include <math.h>

#include "train/run/probe.h"
#include "train/step/schedule.h"

// Collective over the world: takes the results of the step that is pending, and has them compared.
static orr_code settle(train_repeat *r) {
  train_run *run = &r->run;
  train_step_result x;
  bool stop = false;
  if (r->pending.step == 0) return ORR_OK;
  ORR_TRY(dist_agree(run->all, train_step_results(&run->work, &x), "end a step"));
  train_guard_note(&run->guard, !x.skipped, r->pending.batch_number, x.bad_clips > 0 ? NAN : x.loss,
                   x.grad_norm);
  const train_fingerprint mine = train_fingerprint_of(r->pending.batch, &x);
  ORR_TRY(r->compare(r->ctx, r->pending.step, &x, &mine, &stop));
  r->pending.step = 0;
  int64_t all = stop;
  ORR_TRY(dist_broadcast(run->all, &all, 1, DIST_I64, 0));
  r->stopped = all != 0;
  return ORR_OK;
}

// Results come when they came in the run: what a step's limits are depends on it.
static orr_code repeat_step(train_repeat *r, int64_t step) {
  train_run *run = &r->run;
  const cfg *c = run->c;
  const data_clip_batch *batch = NULL;
  const int64_t number = run->step + run->ahead;
  ORR_TRY(dist_agree(run->all, data_loader_next(run->loader, &batch, NULL), "read data"));
  const train_guard_limits limits = train_guard_limits_of(&run->guard);
  const uint64_t fingerprint = train_fingerprint_batch(batch, &run->axes);
  ORR_TRY(train_step_run(&run->work, batch,
                         &(train_step_request){.step = step,
                                               .lr = train_schedule_lr(c, step),
                                               .most_loss = limits.loss,
                                               .most_norm = limits.norm,
                                               .fingerprint = true}));
  ORR_TRY(settle(r));
  r->pending.step = step;
  r->pending.batch_number = number;
  r->pending.batch = fingerprint;
  run->step = step;
  const bool due = c->ckpt.every > 0 && step % c->ckpt.every == 0;
  return run->k->device_memory && !due && step < r->to ? ORR_OK : settle(r);
}

// As the run did where steps were refused (train/run/loop.c). A run that went back repeated the
// steps since its checkpoint, so none of those that are recorded is lost.
static orr_code consider_guard(train_repeat *r) {
  train_run *run = &r->run;
  int64_t batch;
  train_guard_limits was;
  train_probe probe;
  bool tried, unagreed;
  if (!train_guard_doubts(&run->guard, &batch, &was) && !train_guard_lost(&run->guard))
    return ORR_OK;
  ORR_TRY(settle(r));
  ORR_TRY(train_probe_run(run, &probe, &tried, &unagreed));
  if (train_guard_lost(&run->guard)) train_guard_yield(&run->guard);
  return ORR_OK;
}

orr_code train_repeat_steps(train_repeat *r, ckpt_reader *reader) {
  train_run *run = &r->run;
  r->stopped = false;
  r->pending.step = 0;
  ORR_TRY(dist_agree(run->all, train_run_load(run, reader), "load weights"));
  for (int64_t step = r->from + 1; step <= r->to && !r->stopped; step++) {
    ORR_TRY(consider_guard(r));
    const int64_t ahead = r->ahead[step - r->from - 1];
    if (step == r->from + 1 || ahead != run->ahead) {
      run->ahead = ahead;
      ORR_TRY(dist_agree(run->all, train_run_open_loader(run), "open data"));
    }
    ORR_TRY(repeat_step(r, step));
  }
  return settle(r);
}
