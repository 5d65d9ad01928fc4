// The order of events of a run. Everything that may fail on one rank alone ends in an agreement
// before the next collective, so that no rank waits for one that has left.
#include "train/run/loop.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "data/clips/clip_batch.h"
#include "data/clips/loader.h"
#include "data/clips/mix.h"
#include "train/timing/marks.h"
#include "train/setup/run_data.h"
#include "train/run/action_scale.h"
#include "train/run/recovery.h"
#include "train/run/forecast.h"
#include "train/run/run.h"
#include "train/step/schedule.h"
#include "train/run/step_figures.h"
#include "train/run/stop.h"

// A step that was issued, until its line is written. step 0 = none.
typedef struct {
  train_step_metrics s;
  train_guard_limits limits;
  int64_t batch_number; // in the order of the data
  bool judged;          // its results are there
  char bad[256];        // which of this rank's clips holds actions that are not finite; "" = none
  uint64_t batch;       // its fingerprint, of a step that is recorded
  train_fingerprint fingerprint;
} pending_step;

// The steps of a run.
typedef struct {
  train_run run;
  bool results_lag; // on a device of its own a step's results are taken while the next one runs
  bool unagreed;    // between agreements: an error now is this rank's alone
  pending_step pending;
  int64_t issued;             // steps by this process
  int64_t lined;              // last step with a line
  int64_t copying;            // step of the copies that are not concluded; 0 = none
  int64_t saving;             // step of the last save begun
  bool saved;                 // an earlier one is in its place
  int64_t rewinds;            // of this process
  double smooth_ms;           // of a step
  train_step_figures figures; // of its lines
  orr_code logged;            // how this rank fared with its last line
  train_action_scale scale;   // of the actions
  orr_code held;              // rank 0: whether the folder is still this run's
} loop;

static bool out_of_time(const loop *l) {
  const train_run *r = &l->run;
  return r->c->train.max_wall_s > 0.0 &&
         orr_clock_ms() - r->begun_ms > 1e3 * r->c->train.max_wall_s;
}

static orr_code vote(loop *l, train_step_votes *v) {
  train_run *r = &l->run;
  const train_save_state save = train_saver_poll(r->saver);
  l->held = train_holding_held(&r->holding);
  *v = (train_step_votes){.written = save == TRAIN_SAVE_WRITTEN,
                          .failed = save == TRAIN_SAVE_FAILED,
                          .stop = train_stop_requested() || out_of_time(l),
                          .lost = l->held != ORR_OK};
  return train_step_vote(&r->work, v);
}

// Ahead of the update, which makes anew what is derived (bfloat16 copies, and all weights where
// states are shared out) and would cover what differed. The outcome is everyone's: only one group
// of replicas may have found it.
static orr_code compare_replicas(loop *l, int64_t step) {
  train_run *r = &l->run;
  if (!r->replicas || step % r->c->dist.check_replicas != 0) return ORR_OK;
  ORR_TRY(train_axes_sync(&r->axes, r->k)); // the weights are there; what hangs, hangs in sight
  orr_code rc = dist_agree(r->all, train_replica_check_run(r->replicas), "compare replicas");
  l->unagreed = rc == ORR_OK;
  return rc;
}

// The mark at the end of the n-th step issued by this process; n = -1: at the beginning.
static int end_mark(int64_t n) {
  return TRAIN_MARK_END + (int)(n & 1);
}

// Collective over the world: rank 0 tells of clips whose actions are not finite.
static orr_code tell_bad_clips(loop *l) {
  train_run *r = &l->run;
  const train_step_metrics *s = &l->pending.s;
  char **places = NULL;
  ORR_TRY(dist_gather_text(r->all, l->pending.bad, 0, &places));
  int first = 0;
  while (places && first < r->world->grid.ranks - 1 && !places[first][0]) first++;
  if (places)
    train_observer_tell_step(r->observer, "skipped", s->step,
                             "actions that are not finite in %" PRId64
                             " of its clips, first in %s; update "
                             "skipped, %" PRId64 " in a row",
                             s->bad_clips, places[first], r->guard.skipped);
  dist_texts_free(places, r->world->grid.ranks);
  return ORR_OK;
}

// What the n-th step has found out, when it is over. A bad step skipped the update: a result, not
// an error.
static orr_code judge(loop *l) {
  train_run *r = &l->run;
  train_step_metrics *s = &l->pending.s;
  const train_guard_limits *limits = &l->pending.limits;
  train_step_result x;
  if (s->step == 0 || l->pending.judged) return ORR_OK;
  ORR_TRY(train_step_results(&r->work, &x));
  s->loss = x.loss;
  s->grad_norm = x.grad_norm;
  for (int o = 0; o < TRAIN_OUTCOMES; o++) {
    s->outcomes[o] = x.outcomes[o];
    s->outcome[o] = r->work.stage->outcome_weight[o] > 0.0;
  }
  s->skipped = x.skipped;
  s->bad_clips = x.bad_clips;
  s->device = r->k->device_memory;
  memcpy(s->timed_ms, x.timed_ms, sizeof s->timed_ms);
  s->comm_ms = x.timed_ms[TRAIN_TIMED_COMMUNICATION];
  l->pending.judged = true;
  l->pending.fingerprint = train_fingerprint_of(l->pending.batch, &x);
  train_guard_note(&r->guard, !x.skipped, l->pending.batch_number, x.bad_clips > 0 ? NAN : x.loss,
                   x.grad_norm);
  if (x.bad_clips > 0) return tell_bad_clips(l);
  if (x.skipped)
    train_observer_tell_step(r->observer, "skipped", s->step,
                             "%s: loss %g (at most %g), gradient norm %g (at most %g); update "
                             "skipped, %" PRId64 " in a row",
                             train_guard_reason(limits, x.loss, x.grad_norm), x.loss, limits->loss,
                             x.grad_norm, limits->norm, r->guard.skipped);
  return ORR_OK;
}

// The time of the n-th step, from the end of the one before to its own.
static orr_code clock_step(loop *l, int64_t n) {
  train_run *r = &l->run;
  train_step_metrics *s = &l->pending.s;
  if (s->step == 0) return ORR_OK;
  ORR_TRY(kern_await(r->k, end_mark(n)));
  ORR_TRY(kern_elapsed(r->k, end_mark(n - 1), end_mark(n), &s->step_ms));
  const double phases_ms = train_observer_step_ms(r->observer);
  if (!l->results_lag && isfinite(phases_ms)) s->step_ms = phases_ms;
  return train_step_figures_fill(&l->figures, r, s);
}

// A save that failed is an event of the run, and so is the first that did not: from then on there
// are checkpoints that may be missed (train/run/folder.h).
static void tell_saves(loop *l) {
  char words[512];
  const int64_t saved = l->run.world->grid.rank == 0 ? train_saver_saved(l->run.saver) : 0;
  if (saved > 0) train_observer_saved(l->run.observer, saved);
  if (!l->saved && saved > 0) {
    l->saved = true;
    train_observer_note(l->run.observer, "saved", l->saving);
  }
  if (train_saver_failure(l->run.saver, words, sizeof words))
    train_observer_tell(l->run.observer, "save_failed", l->run.step, words);
}

// Copies in the nodes' memory (train/save/copies.h), but where a checkpoint begins. They count once
// the lines of all steps that they hold are written.
static orr_code copy(loop *l, bool saves) {
  train_run *r = &l->run;
  if (!r->copies) return ORR_OK;
  if (l->copying > 0 && l->lined >= l->copying) {
    ORR_TRY(train_copies_conclude(r->copies));
    l->copying = 0;
  }
  if (saves || r->step % r->c->ckpt.copies_every != 0) return ORR_OK;
  l->copying = r->step;
  return train_copies_make(r->copies, r->step, train_run_meta(r));
}

// Concludes a save that every rank has written, and begins the one that is due after this step. A
// checkpoint is committed after the lines of all steps that it holds.
static orr_code save(loop *l, const train_step_votes *v, bool begin, double *stall_ms) {
  train_run *r = &l->run;
  const bool failed = v->failed > 0.0, written = v->written == r->world->grid.ranks;
  train_profile_enter(r->axes.profile, TRAIN_PHASE_CHECKPOINT, "checkpoint", -1);
  if (failed || (written && l->lined >= l->saving))
    ORR_TRY(train_saver_conclude(r->saver, failed, stall_ms));
  if (begin) {
    ORR_TRY(train_saver_begin(r->saver, r->step, train_run_meta(r), stall_ms));
    l->saving = r->step;
  }
  ORR_TRY(copy(l, begin));
  train_profile_leave(r->axes.profile);
  tell_saves(l);
  return ORR_OK;
}

// The next batch; what failed on one rank ends all of them before the next collective.
static orr_code read_batch(loop *l, const data_clip_batch **batch, double *wait_ms) {
  train_run *r = &l->run;
  const bool reads = l->logged == ORR_OK;
  train_profile_enter(r->axes.profile, TRAIN_PHASE_DATA, "data", -1);
  orr_code rc = reads ? data_loader_next(r->loader, batch, wait_ms) : l->logged;
  train_profile_leave(r->axes.profile);
  return train_axes_agree(&r->axes, rc, reads ? "read data" : "write metrics");
}

// Tells of actions that are far too large to be learned from.
static void tell_scale(loop *l, const data_clip_batch *batch, int64_t step) {
  float value = 0;
  int64_t component = 0;
  if (l->run.c->train.stage != CFG_STAGE_DYNAMICS) return;
  if (train_action_scale_look(&l->scale, batch, &value, &component))
    train_observer_tell_step(l->run.observer, "actions", step,
                             "action component %" PRId64
                             " is %g in these clips; models learn little from actions far outside "
                             "of -1 to 1: import with --action-range auto (`orrery data inspect` "
                             "shows the ranges)",
                             component, (double)value);
}

// Issues a step as `now`, and settles the one before while it runs.
static orr_code issue(loop *l, pending_step *now, train_step_votes *v) {
  train_run *r = &l->run;
  train_step_metrics *s = &now->s;
  const data_clip_batch *batch = NULL;
  ORR_TRY(read_batch(l, &batch, &s->data_wait_ms));
  l->unagreed = true;
  ORR_TRY(compare_replicas(l, s->step));
  const bool fingerprint = train_fingerprint_log_wants(r->record, s->step);
  data_mix_tell_bad(r->mix, batch, now->bad, sizeof now->bad);
  tell_scale(l, batch, s->step);
  if (fingerprint) now->batch = train_fingerprint_batch(batch, &r->axes);
  now->batch_number = r->step + r->ahead;
  now->limits = train_guard_limits_of(&r->guard);
  s->lr = train_schedule_lr(r->c, s->step);
  ORR_TRY(train_step_run(&r->work, batch,
                         &(train_step_request){.step = s->step,
                                               .lr = s->lr,
                                               .most_loss = now->limits.loss,
                                               .most_norm = now->limits.norm,
                                               .fingerprint = fingerprint}));
  ORR_TRY(vote(l, v));
  ORR_TRY(judge(l));
  return clock_step(l, l->issued - 1);
}

// Collective over the world, before anything of the step is written.
static orr_code leave_folder(loop *l) {
  l->unagreed = false;
  return dist_agree(l->run.all, l->held, "keep the run's folder");
}

// One step. *line (=) the step whose line is now to be written; none, step 0, in the first one on a
// device.
static orr_code one_step(loop *l, pending_step *line, bool *stop) {
  train_run *r = &l->run;
  const cfg *c = r->c;
  pending_step now = {.s = {.step = r->step + 1}};
  train_step_votes v;
  ORR_TRY(issue(l, &now, &v));
  if (v.lost > 0.0) return leave_folder(l);
  *line = l->pending;
  l->pending = now;
  r->step = now.s.step;
  atomic_store(&r->reached, r->step);
  *stop = v.stop > 0.0;
  const bool last = r->step == c->train.steps || *stop,
             due = c->ckpt.every > 0 && r->step % c->ckpt.every == 0;
  // What a checkpoint holds is judged before: its window decides as that of a run that goes on.
  if (!l->results_lag || last || due) ORR_TRY(judge(l));
  // Not among bad steps: what a run goes back to lies before the first of them.
  ORR_TRY(save(l, &v, last || (due && r->guard.skipped == 0), &l->pending.s.ckpt_stall_ms));
  ORR_TRY(kern_mark(r->k, end_mark(l->issued++)));
  if (l->logged == ORR_OK) l->logged = train_observer_turn(r->observer, r->step + 1);
  if (!l->results_lag) {
    ORR_TRY(clock_step(l, l->issued - 1));
    *line = l->pending;
    l->pending = (pending_step){0};
  }
  l->unagreed = false;
  return ORR_OK;
}

// Collective over the world. `last`: no step follows.
static orr_code write_line(loop *l, const pending_step *of, bool last) {
  train_run *r = &l->run;
  const train_step_metrics *s = &of->s;
  if (s->step == 0) return ORR_OK;
  l->smooth_ms = l->smooth_ms > 0.0 ? 0.95 * l->smooth_ms + 0.05 * s->step_ms : s->step_ms;
  ORR_TRY(train_observer_end(r->observer, s, &l->logged));
  ORR_TRY(train_fingerprint_log_step(r->record, s->step, &of->fingerprint));
  l->lined = s->step;
  orr_progress(last,
               "%s: step %" PRId64 "/%" PRId64 "  loss %.4f  lr %.2e  %.0f tokens/s  %.0f s left",
               r->work.stage->ops->name, s->step, r->c->train.steps, s->loss, s->lr,
               s->tokens_per_s, 1e-3 * l->smooth_ms * (double)(r->c->train.steps - s->step));
  return ORR_OK;
}

// Collective over the world. Back to the last checkpoint, as often as guard.rewinds has it.
static orr_code rewind_run(loop *l) {
  train_run *r = &l->run;
  bool went;
  if (l->rewinds < r->c->guard.rewinds) {
    train_saver_finish(r->saver);
    tell_saves(l);
  }
  ORR_TRY(train_recovery_rewind(r, l->rewinds, &went));
  if (!went) return ORR_OK;
  l->rewinds++;
  l->lined = l->saving = r->step;
  l->copying = 0;
  train_step_figures_restart(&l->figures, r);
  return ORR_OK;
}

// Collective over the world. *line (=) that of a step that is still pending; step 0 = none.
static orr_code settle(loop *l, pending_step *line) {
  orr_code rc = judge(l);
  if (rc == ORR_OK) rc = clock_step(l, l->issued - 1);
  ORR_TRY(dist_agree(l->run.all, rc, "end a step"));
  *line = l->pending;
  l->pending = (pending_step){0};
  return ORR_OK;
}

static orr_code end_pending(loop *l) {
  pending_step line;
  ORR_TRY(settle(l, &line));
  return write_line(l, &line, true);
}

// The time of the next step begins.
static orr_code begin_steps(loop *l) {
  ORR_TRY(kern_mark(l->run.k, end_mark(l->issued - 1)));
  if (l->logged == ORR_OK) l->logged = train_observer_begin(l->run.observer, l->run.step + 1);
  return ORR_OK;
}

// Collective over the world, before a step, so that a run that was resumed here does the same. A
// step that is still pending has its say before.
static orr_code consider_guard(loop *l) {
  train_run *r = &l->run;
  int64_t batch;
  bool tried;
  train_guard_limits was;
  if (!train_guard_doubts(&r->guard, &batch, &was) && !train_guard_lost(&r->guard)) return ORR_OK;
  ORR_TRY(end_pending(l));
  ORR_TRY(train_recovery_doubt(r, &tried, &l->unagreed));
  if (tried) train_step_figures_restart(&l->figures, r);
  if (train_guard_lost(&r->guard)) ORR_TRY(rewind_run(l));
  return begin_steps(l); // what this took is no step's time
}

// Adds what a look tells to a line, as far as there is room.
static void add_figures(const train_look_figures *f, pending_step *line) {
  for (int i = 0; i < f->n && line->s.figures < TRAIN_METRICS_FIGURES; i++)
    line->s.figure[line->s.figures++] = f->v[i];
}

static bool is_due(const train_run *r, const train_look *o) {
  return o->every > 0 && (r->step % o->every == 0 || r->step == r->c->train.steps);
}

// Collective over the world. Looks at the run where some are due: the line of the step before it
// has their figures, and what they took is no step's time.
static orr_code look(loop *l, const train_look *looks, pending_step *line) {
  train_run *r = &l->run;
  bool due = false;
  for (int i = 0; i < TRAIN_LOOKS; i++) due |= is_due(r, &looks[i]);
  if (!due) return ORR_OK;
  if (l->results_lag) { // the line of the step before that one
    ORR_TRY(write_line(l, line, false));
    ORR_TRY(settle(l, line));
  }
  const double begun_ms = orr_clock_ms();
  line->s.figures = 0;
  for (int i = 0; i < TRAIN_LOOKS; i++) {
    train_look_figures figures;
    if (!is_due(r, &looks[i])) continue;
    ORR_TRY(looks[i].at(looks[i].ctx, r, r->step, &figures));
    add_figures(&figures, line);
    if (figures.picture[0]) train_observer_show(r->observer, "held_out", r->step, figures.picture);
  }
  line->s.eval_ms = orr_clock_ms() - begun_ms;
  return begin_steps(l);
}

static orr_code steps(loop *l, const train_look *looks) {
  train_run *r = &l->run;
  bool stop = false;
  l->results_lag = r->k->device_memory;
  l->saved = r->step > 0;
  ORR_TRY(begin_steps(l));
  while (r->step < r->c->train.steps && !stop) {
    pending_step line;
    ORR_TRY(consider_guard(l));
    ORR_TRY(one_step(l, &line, &stop));
    if (!stop) ORR_TRY(look(l, looks, &line));
    ORR_TRY(write_line(l, &line, r->step == r->c->train.steps || stop));
  }
  ORR_TRY(end_pending(l));
  ORR_TRY(dist_agree(r->all, l->logged, "write metrics"));
  ORR_TRY(train_observer_finish(r->observer));
  orr_code saved = train_saver_finish(r->saver);
  tell_saves(l);
  ORR_CHECK(saved == ORR_OK, saved, "the last checkpoint was not written: %s",
            orr_status_message());
  return stop && r->step < r->c->train.steps
             ? ORR_FAIL(ORR_ESTOPPED,
                        "stopped on request after step %" PRId64 "; checkpoint written", r->step)
             : ORR_OK;
}

// How long training takes, and what would end it before its first step, where the data is here.
static orr_code look_at_data(loop *l, const train_run_options *o) {
  train_run *r = &l->run;
  orr_faults f = {0};
  orr_code rc = ORR_OK;
  if (o->ranks == 0) ORR_TRY(dist_agree(r->all, train_run_forecast(r), "measure the machine"));
  if (r->world->grid.rank == 0) rc = train_run_data_look(r->c, o->ranks > 0, &f);
  if (rc == ORR_OK) rc = orr_faults_end(&f);
  return dist_agree(r->all, rc, "look at the data");
}

static orr_code run_all(loop *l, const train_run_options *o) {
  train_run *r = &l->run;
  ORR_TRY(train_run_plan(r, o));
  if (o->dry_run) return look_at_data(l, o);
  ORR_TRY(train_run_open(r, o->resume));
  if (train_run_done(r)) {
    if (r->world->grid.rank == 0)
      ORR_INFO("nothing to do: the run is at step %" PRId64 " already", r->step);
    return ORR_OK;
  }
  for (int i = 0; i < TRAIN_LOOKS; i++)
    if (o->look[i].every > 0) ORR_TRY(o->look[i].open(o->look[i].ctx, r));
  ORR_TRY(train_run_begin(r));
  train_observer_tell(r->observer, "ready", r->step, "training begins");
  return steps(l, o->look);
}

orr_code train_loop(cfg *c, const train_run_options *o, dist_world *world) {
  loop l = {.run = {.c = c,
                    .world = world,
                    .begun_ms = o->begun_ms > 0.0 ? o->begun_ms : orr_clock_ms()}};
  train_run *r = &l.run;
  train_stop_install();
  const orr_code rc = run_all(&l, o);
  train_observer_tell(r->observer,
                      rc == ORR_OK         ? "finished"
                      : rc == ORR_ESTOPPED ? "stopped"
                                           : "failed",
                      r->step, rc == ORR_OK ? "all steps are done" : orr_status_message());
  if (rc != ORR_OK && l.unagreed && world->grid.ranks > 1) {
    // The other ranks are waiting in a collective that this one will not enter. It says why here,
    // so the watchdogs need not.
    ORR_ERROR("%s", orr_status_message());
    dist_watchdog_stop(r->watchdog);
    dist_world_abort(world, 1);
  }
  for (int i = 0; i < TRAIN_LOOKS; i++)
    if (o->look[i].every > 0) o->look[i].close(o->look[i].ctx);
  train_run_close(r);
  train_stop_clear();
  return rc;
}
