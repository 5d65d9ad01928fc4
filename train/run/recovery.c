#include "train/run/recovery.h"

#include <inttypes.h>

#include "base/log.h"
#include "train/run/probe.h"
#include "train/save/resume.h"

static orr_code rewind_to(train_run *r, ckpt_reader *reader) {
  const int64_t reached = r->step + r->ahead;
  ORR_TRY(train_run_load(r, reader));
  r->ahead = reached - r->step;
  train_guard_forget_skipped(&r->guard);
  ORR_TRY(train_run_open_loader(r));
  train_fingerprint_log_start(r->record, r->step, r->ahead);
  return train_observer_rewind(r->observer, r->step);
}

// The data goes on as what was refused: better trained on than no training at all.
static orr_code yield(train_run *r, const char *why, orr_code rc) {
  const int64_t bad = r->guard.skipped;
  if (!train_guard_yield(&r->guard))
    return ORR_FAIL(rc, "step %" PRId64 ": %" PRId64 " steps in a row were skipped, and %s",
                    r->step, bad, why);
  const train_guard_limits limits = train_guard_limits_of(&r->guard);
  train_observer_tell_step(
      r->observer, "accepting", r->step,
      "%" PRId64 " steps in a row were skipped, and %s; all of them had a finite loss, "
      "so such steps are accepted from now on: loss up to %g, gradient norm up "
      "to %g",
      bad, why, limits.loss, limits.norm);
  return ORR_OK;
}

orr_code train_recovery_rewind(train_run *r, int64_t times, bool *went) {
  *went = false;
  const int64_t from = r->step, bad = r->guard.skipped;
  ckpt_reader *reader = NULL;
  char often[160];
  snprintf(often, sizeof often,
           "the run went back %" PRId64 " times already (guard.rewinds): look at the data and the "
           "learning rate, history.jsonl has the reasons",
           times);
  if (times >= r->c->guard.rewinds) return yield(r, often, ORR_EINVAL);
  ORR_TRY(train_resume_open(r->all, r->c->run.dir, "auto", &reader));
  if (!reader)
    return yield(r,
                 "there is no checkpoint to go back to: set ckpt.every, or look at the data and "
                 "the learning rate",
                 ORR_ENOTFOUND);
  const orr_code rc = dist_agree(r->all, rewind_to(r, reader), "go back to a checkpoint");
  ckpt_close(reader);
  *went = rc == ORR_OK;
  if (rc == ORR_OK)
    train_observer_tell_step(r->observer, "rewound", r->step,
                             "%" PRId64 " steps in a row were skipped: from step %" PRId64
                             " back to step %" PRId64 ", "
                             "and on with data %" PRId64 " steps further",
                             bad, from, r->step, r->ahead);
  return rc;
}

orr_code train_recovery_doubt(train_run *r, bool *tried, bool *unagreed) {
  train_probe p;
  ORR_TRY(train_probe_run(r, &p, tried, unagreed));
  if (!*tried) return ORR_OK;
  const train_guard_limits limits = train_guard_limits_of(&r->guard);
  if (p.weights)
    train_observer_tell_step(
        r->observer, "accepting", r->step,
        "batch %" PRId64 ", accepted before with loss %g and gradient norm %g, has %g "
        "and %g now: the weights are at fault, not the batches, and training "
        "on repairs them; loss up to %g, gradient norm up to %g is accepted",
        p.batch, p.was.loss, p.was.norm, p.now.loss, p.now.norm, limits.loss, limits.norm);
  else if (r->world->grid.rank == 0)
    ORR_INFO("step %" PRId64 ": batch %" PRId64
             ", accepted before with loss %g, has %g now: the weights are not "
             "at fault, the batches refused since are unlike it",
             r->step, p.batch, p.was.loss, p.now.loss);
  return ORR_OK;
}
