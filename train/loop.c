// The order of events of a run. Everything that may fail on one rank alone ends in an agreement
// before the next collective, so that no rank waits for one that has left.
#include "train/loop.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "data/clip_batch.h"
#include "dist/watchdog.h"
#include "train/accounting.h"
#include "train/device.h"
#include "train/guard.h"
#include "train/lease.h"
#include "train/marks.h"
#include "train/observer.h"
#include "train/peak.h"
#include "train/replicas.h"
#include "train/remote_data.h"
#include "train/resume.h"
#include "train/run_data.h"
#include "train/same.h"
#include "train/saver.h"
#include "train/schedule.h"
#include "train/step.h"
#include "train/stop.h"
#include "train/store.h"

// A step that was issued, until its line is written. step 0 = none.
typedef struct {
  train_step_metrics s;
  train_guard_limits limits;
  bool judged; // its results are there
} pending_step;

typedef struct {
  const cfg *c;
  dist_world *world;
  dist_comm *all;
  train_axes axes;
  kern *k;
  train_step work;
  train_accounting accounting;
  data_remote *remote;
  int32_t branch_ids[64];
  data_mix_options mix_options;
  data_mix *mix;
  data_loader *loader;
  data_remote_counters fetched; // likewise
  data_loader_counters read;    // at the end of the step before
  train_saver *saver;
  train_observer *observer;
  train_lease *lease; // rank 0
  char *config_text;
  orr_hash128 config_hash;
  int64_t step;  // steps done
  int64_t ahead; // steps of data passed over, besides
  train_guard guard;
  int64_t rewinds; // of this process
  double peak, start_ms;
  dist_watchdog *watchdog;
  train_replicas *replicas; // NULL = not compared
  bool apart;               // between agreements: an error now is this rank's alone
  // On a device of its own a step's results are taken while the next one runs.
  bool late;
  pending_step pending;
  int64_t issued;        // steps by this process
  int64_t lined, saving; // last step with a line; step of the last save begun
  double smooth_ms;      // of a step
  orr_code logged;       // how this rank fared with its last line
} run;

// With o->dry_run plans only: nothing is allocated.
static orr_code plan_model(run *r, const train_loop_options *o) {
  const cfg *c = r->c;
  const kern_dtype act = c->run.precision == CFG_PRECISION_BF16 ? KERN_BF16 : KERN_F32;
  ORR_TRY(train_device_open(c, r->world, &r->k));
  ORR_TRY(
      train_axes_use_device(&r->axes, r->k, o->ranks > 0 ? NULL : r->world, c->dist.share_devices));
  ORR_TRY(train_step_plan(&r->work, c, &r->axes, r->k));
  ORR_TRY(train_accounting_plan(&r->accounting, &r->work));
  ORR_TRY(train_peak_plan(r->k, act));
  if (o->dry_run) return ORR_OK;
  ORR_TRY(train_step_commit(&r->work));
  return train_peak_measure(r->k, act, &r->peak);
}

// The run's folder, for this run alone.
static orr_code open_folder(run *r) {
  ORR_TRY(orr_fs_mkdirs(r->c->run.dir));
  return train_lease_take(&(train_lease_options){.dir = r->c->run.dir,
                                                 .job = dist_job_number(),
                                                 .beat_s = TRAIN_LEASE_BEAT_S},
                          &r->lease);
}

// Written once weights, data and outputs are there: a call that fails before that leaves the words
// of the run as they were.
static orr_code write_config(run *r) {
  char path[4096];
  ORR_TRY(orr_fs_join(path, sizeof path, r->c->run.dir, "config.yaml"));
  return orr_fs_write_atomic(path, r->config_text, strlen(r->config_text));
}

static orr_code load_base(run *r, const char *path) {
  ckpt_reader *reader;
  ORR_TRY(ckpt_open(path, &reader));
  bool ema = false;
  orr_code rc = train_store_load_weights(&r->work.state, reader, true, &ema);
  if (rc == ORR_OK && r->world->grid.rank == 0)
    ORR_INFO("weights from %s%s", ckpt_reader_path(reader), ema ? " (moving average)" : "");
  ckpt_close(reader);
  return rc;
}

static orr_code load(run *r, ckpt_reader *reader) {
  ORR_TRY(train_store_load(&r->work.state, reader));
  r->step = ckpt_reader_step(reader);
  r->ahead = train_resume_ahead(reader);
  train_guard_load(&r->guard, json_object_get(ckpt_reader_meta(reader), "guard"));
  return ORR_OK;
}

// Weights from a checkpoint of this run, from the base named by train.init_from, or from the seed.
static orr_code restore(run *r, const char *resume) {
  ckpt_reader *reader = NULL;
  ORR_TRY(train_resume_open(r->all, r->c->run.dir, resume, &reader));
  if (!reader) {
    ORR_TRY(train_state_fill(&r->work.state, (uint64_t)r->c->run.seed));
    return r->c->train.init_from[0] ? load_base(r, r->c->train.init_from) : ORR_OK;
  }
  orr_code rc = train_resume_check(r->c, reader, r->world->grid.rank == 0);
  if (rc == ORR_OK) rc = load(r, reader);
  if (rc == ORR_OK && r->world->grid.rank == 0)
    ORR_INFO("resumed from %s at step %lld", ckpt_reader_path(reader), (long long)r->step);
  ckpt_close(reader);
  return rc;
}

static orr_code open_loader(run *r) {
  const cfg *c = r->c;
  const data_loader_options o = {.first_step = (uint64_t)(r->step + r->ahead),
                                 .batch = c->train.batch,
                                 .rank = r->world->grid.dp_i,
                                 .ranks = r->world->grid.dp,
                                 .prefetch = c->data.prefetch,
                                 .prefetch_bytes = (size_t)c->data.prefetch_bytes,
                                 .workers = (int)c->data.unpack_threads};
  ORR_TRY(data_loader_create(r->mix, &r->mix_options, &o, &r->loader));
  data_loader_count(r->loader, &r->read);
  return ORR_OK;
}

static orr_code open_data(run *r) {
  const cfg *c = r->c;
  ORR_CHECK(c->data.train.n <= 64, ORR_ECONFIG, "data.train names %d folders: 64 at most",
            c->data.train.n);
  ORR_TRY(train_remote_create(c, &r->remote));
  ORR_TRY(train_run_data_options(c, r->remote, r->branch_ids, &r->mix_options));
  ORR_TRY(data_mix_open(&r->mix_options, (uint64_t)c->run.seed, &r->mix));
  return open_loader(r);
}

static orr_code open_outputs(run *r) {
  ORR_TRY(train_observer_create(r->c, r->world, &r->accounting, r->step, &r->observer));
  r->axes.profile = train_observer_profile(r->observer);
  ORR_TRY(train_saver_create(r->c, &r->axes, &r->work.state, &r->saver));
  return train_replicas_create(r->c, r->world, &r->work.state, &r->replicas);
}

static json_t *checkpoint_meta(run *r) {
  const cfg *c = r->c;
  const int64_t samples = (r->step + r->ahead) * c->train.batch;
  const uint64_t clips = data_mix_clips(r->mix);
  return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:o, s:{s:i, s:i, s:i}}", "stage",
                   r->work.stage->table->name, "config", r->config_text, "config_hash",
                   orr_hash_to_hex(r->config_hash).s, "samples", (json_int_t)samples, "epoch",
                   (json_int_t)(clips ? (uint64_t)samples / clips : 0), "seed",
                   (json_int_t)c->run.seed, "ahead_steps", (json_int_t)r->ahead, "guard",
                   train_guard_save(&r->guard), "layout", "tp", r->world->grid.tp, "cp",
                   r->world->grid.cp, "dp", r->world->grid.dp);
}

static bool out_of_time(const run *r) {
  return r->c->train.max_wall_s > 0.0 &&
         orr_clock_ms() - r->start_ms > 1e3 * r->c->train.max_wall_s;
}

static orr_code vote(run *r, train_step_votes *v) {
  const train_save_state save = train_saver_poll(r->saver);
  *v = (train_step_votes){.written = save == TRAIN_SAVE_WRITTEN,
                          .failed = save == TRAIN_SAVE_FAILED,
                          .stop = train_stop_requested() || out_of_time(r)};
  return train_step_vote(&r->work, v);
}

// Ahead of the update, which makes anew what is derived (bfloat16 copies, and all weights where
// states are shared out) and would cover what differed. The outcome is everyone's: only one group
// of replicas may have found it.
static orr_code compare_replicas(run *r, int64_t step) {
  if (!r->replicas || step % r->c->dist.check_replicas != 0) return ORR_OK;
  ORR_TRY(train_axes_sync(&r->axes, r->k)); // the weights are there; what hangs, hangs in sight
  orr_code rc = dist_agree(r->all, train_replicas_check(r->replicas), "compare replicas");
  r->apart = rc == ORR_OK;
  return rc;
}

static void finish_metrics(run *r, train_step_metrics *s) {
  const double clips = (double)r->c->train.batch, seconds = 1e-3 * s->step_ms;
  s->tokens = (double)s->step * clips * r->work.stage->tokens_per_clip;
  s->tokens_per_s = clips * r->work.stage->tokens_per_clip / seconds;
  s->frames_per_s = clips * r->work.stage->frames_per_clip / seconds;
  data_loader_counters now;
  data_loader_count(r->loader, &now);
  s->data_bytes = (double)(now.bytes_read - r->read.bytes_read);
  s->data_unpacked_bytes = (double)(now.bytes_unpacked - r->read.bytes_unpacked);
  s->data_chunks = (double)(now.chunk_reads - r->read.chunk_reads);
  s->data_chunk_hits = (double)(now.chunk_hits - r->read.chunk_hits);
  s->data_queue = (double)now.queue;
  r->read = now;
  train_remote_metrics(r->c, r->remote, &r->fetched, s);
  s->mfu = clips * r->work.stage->flops_per_clip / seconds / (r->peak * r->world->grid.ranks);
}

// The mark at the end of the n-th step issued by this process; n = -1: at the beginning.
static int end_mark(int64_t n) {
  return TRAIN_MARK_END + (int)(n & 1);
}

// What the n-th step has found out, when it is over. A bad step skipped the update: a result, not
// an error.
static orr_code judge(run *r) {
  train_step_metrics *s = &r->pending.s;
  const train_guard_limits *limits = &r->pending.limits;
  train_step_result x;
  if (s->step == 0 || r->pending.judged) return ORR_OK;
  ORR_TRY(train_step_results(&r->work, &x));
  s->loss = x.loss;
  s->grad_norm = x.grad_norm;
  s->skipped = x.skipped;
  s->comm_ms = x.timed_ms[TRAIN_TIMED_COMMUNICATION];
  r->pending.judged = true;
  train_guard_note(&r->guard, !x.skipped, x.loss, x.grad_norm);
  if (x.skipped)
    train_observer_tell_step(r->observer, "skipped", s->step,
                             "%s: loss %g (at most %g), gradient norm %g (at most %g); update "
                             "skipped, %lld in a row",
                             train_guard_reason(limits, x.loss, x.grad_norm), x.loss, limits->loss,
                             x.grad_norm, limits->norm, (long long)r->guard.skipped);
  return ORR_OK;
}

// The time of the n-th step, from the end of the one before to its own.
static orr_code clock_step(run *r, int64_t n) {
  train_step_metrics *s = &r->pending.s;
  if (s->step == 0) return ORR_OK;
  ORR_TRY(kern_await(r->k, end_mark(n)));
  ORR_TRY(kern_elapsed(r->k, end_mark(n - 1), end_mark(n), &s->step_ms));
  finish_metrics(r, s);
  return ORR_OK;
}

// Concludes a save that every rank has written, and begins the one that is due behind this step. A
// checkpoint is committed behind the lines of all steps that it holds.
static orr_code save(run *r, const train_step_votes *v, bool begin, double *stall_ms) {
  const bool failed = v->failed > 0.0, written = v->written == r->world->grid.ranks;
  train_profile_enter(r->axes.profile, TRAIN_PHASE_CHECKPOINT, "checkpoint", -1);
  if (failed || (written && r->lined >= r->saving))
    ORR_TRY(train_saver_conclude(r->saver, failed, stall_ms));
  if (begin) {
    ORR_TRY(train_saver_begin(r->saver, r->step, checkpoint_meta(r), stall_ms));
    r->saving = r->step;
  }
  train_profile_leave(r->axes.profile);
  return ORR_OK;
}

// The batch of step `step`; what failed on one rank ends all of them before the next collective.
static orr_code read_batch(run *r, const data_clip_batch **batch, double *wait_ms) {
  const bool reads = r->logged == ORR_OK;
  train_profile_enter(r->axes.profile, TRAIN_PHASE_DATA, "data", -1);
  orr_code rc = reads ? data_loader_next(r->loader, batch, wait_ms) : r->logged;
  train_profile_leave(r->axes.profile);
  return train_axes_agree(&r->axes, rc, reads ? "read data" : "write metrics");
}

// Issues a step as `now`, and settles the one before while it runs.
static orr_code issue(run *r, pending_step *now, train_step_votes *v) {
  train_step_metrics *s = &now->s;
  const data_clip_batch *batch = NULL;
  ORR_TRY(read_batch(r, &batch, &s->data_wait_ms));
  r->apart = true;
  ORR_TRY(compare_replicas(r, s->step));
  now->limits = train_guard_limits_of(&r->guard);
  s->lr = train_schedule_lr(r->c, s->step);
  ORR_TRY(train_step_run(&r->work, batch,
                         &(train_step_request){.step = s->step,
                                               .lr = s->lr,
                                               .most_loss = now->limits.loss,
                                               .most_norm = now->limits.norm}));
  ORR_TRY(vote(r, v));
  ORR_TRY(judge(r));
  return clock_step(r, r->issued - 1);
}

// One step. *line (=) the step whose line is now to be written; none, step 0, in the first one on a
// device.
static orr_code one_step(run *r, train_step_metrics *line, bool *stop) {
  const cfg *c = r->c;
  pending_step now = {.s = {.step = r->step + 1}};
  train_step_votes v;
  ORR_TRY(issue(r, &now, &v));
  *line = r->pending.s;
  r->pending = now;
  r->step = now.s.step;
  *stop = v.stop > 0.0;
  const bool last = r->step == c->train.steps || *stop,
             due = c->ckpt.every > 0 && r->step % c->ckpt.every == 0;
  // What a checkpoint holds is judged before: its window decides as that of a run that goes on.
  if (!r->late || last || due) ORR_TRY(judge(r));
  // Not among bad steps: what a run goes back to lies before the first of them.
  ORR_TRY(save(r, &v, last || (due && r->guard.skipped == 0), &r->pending.s.ckpt_stall_ms));
  ORR_TRY(kern_mark(r->k, end_mark(r->issued++)));
  if (!r->late) {
    ORR_TRY(clock_step(r, r->issued - 1));
    *line = r->pending.s;
    r->pending = (pending_step){0};
  }
  r->apart = false;
  return ORR_OK;
}

// Collective over the world. `last`: no step follows.
static orr_code write_line(run *r, const train_step_metrics *s, bool last) {
  if (s->step == 0) return ORR_OK;
  r->smooth_ms = r->smooth_ms > 0.0 ? 0.95 * r->smooth_ms + 0.05 * s->step_ms : s->step_ms;
  r->logged = r->lease ? train_lease_held(r->lease) : ORR_OK;
  ORR_TRY(train_observer_end(r->observer, s, &r->logged));
  r->lined = s->step;
  orr_progress(last, "%s: step %lld/%lld  loss %.4f  lr %.2e  %.0f tokens/s  %.0f s left",
               r->work.stage->table->name, (long long)s->step, (long long)r->c->train.steps,
               s->loss, s->lr, s->tokens_per_s,
               1e-3 * r->smooth_ms * (double)(r->c->train.steps - s->step));
  return ORR_OK;
}

static orr_code rewind_to(run *r, ckpt_reader *reader) {
  const int64_t reached = r->step + r->ahead;
  ORR_TRY(load(r, reader));
  r->ahead = reached - r->step;
  r->guard.skipped = 0;
  r->lined = r->saving = r->step;
  data_loader_destroy(r->loader);
  r->loader = NULL;
  ORR_TRY(open_loader(r));
  return train_observer_rewind(r->observer, r->step);
}

// Collective over the world. Too many bad steps in a row: the weights may be bad already. Back to
// the last checkpoint, and on with the data behind the bad steps.
static orr_code rewind_run(run *r) {
  const int64_t from = r->step, bad = r->guard.skipped;
  ckpt_reader *reader = NULL;
  ORR_CHECK(
      r->rewinds < r->c->guard.rewinds, ORR_EINVAL,
      "step %lld: %lld steps in a row were skipped, and the run went back %lld times already "
      "(guard.rewinds): look at the data and the learning rate, history.jsonl has the reasons",
      (long long)from, (long long)bad, (long long)r->rewinds);
  r->rewinds++;
  train_saver_finish(r->saver);
  ORR_TRY(train_resume_open(r->all, r->c->run.dir, "auto", &reader));
  ORR_CHECK(
      reader, ORR_ENOTFOUND,
      "step %lld: %lld steps in a row were skipped, and there is no checkpoint to go back to: "
      "set ckpt.every, or look at the data and the learning rate",
      (long long)from, (long long)bad);
  const orr_code rc = dist_agree(r->all, rewind_to(r, reader), "go back to a checkpoint");
  ckpt_close(reader);
  if (rc == ORR_OK)
    train_observer_tell_step(r->observer, "rewound", r->step,
                             "%lld steps in a row were skipped: from step %lld back to step %lld, "
                             "and on with data %lld steps further",
                             (long long)bad, (long long)from, (long long)r->step,
                             (long long)r->ahead);
  return rc;
}

// Collective over the world. The line of a step that is still pending.
static orr_code end_pending(run *r) {
  orr_code rc = judge(r);
  if (rc == ORR_OK) rc = clock_step(r, r->issued - 1);
  ORR_TRY(dist_agree(r->all, rc, "end a step"));
  const train_step_metrics s = r->pending.s;
  r->pending = (pending_step){0};
  return write_line(r, &s, true);
}

static orr_code steps(run *r) {
  bool stop = false;
  r->late = r->k->apart;
  ORR_TRY(kern_mark(r->k, end_mark(-1)));
  while (r->step < r->c->train.steps && !stop) {
    train_step_metrics line;
    if (r->logged == ORR_OK) r->logged = train_observer_begin(r->observer, r->step + 1);
    ORR_TRY(one_step(r, &line, &stop));
    ORR_TRY(write_line(r, &line, r->step == r->c->train.steps || stop));
    if (!train_guard_lost(&r->guard) || stop) continue;
    ORR_TRY(end_pending(r));
    ORR_TRY(rewind_run(r));
  }
  ORR_TRY(end_pending(r));
  ORR_TRY(dist_agree(r->all, r->logged, "write metrics"));
  orr_code saved = train_saver_finish(r->saver);
  ORR_CHECK(saved == ORR_OK, saved, "the last checkpoint was not written: %s",
            orr_status_message());
  return stop && r->step < r->c->train.steps
             ? ORR_FAIL(ORR_ESTOPPED, "stopped on request after step %lld; checkpoint written",
                        (long long)r->step)
             : ORR_OK;
}

static orr_code watch(run *r) {
  char report[4096];
  ORR_TRY(orr_fs_join(report, sizeof report, r->c->run.dir, "hang-report.txt"));
  return dist_watchdog_start(
      r->world, &(dist_watchdog_options){.timeout_s = r->c->dist.timeout_s, .report = report},
      &r->watchdog);
}

static void run_close(run *r) {
  dist_watchdog_stop(r->watchdog);
  train_observer_destroy(r->observer);
  train_replicas_destroy(r->replicas);
  train_saver_destroy(r->saver);
  data_remote_interrupt(r->remote); // or a reader would wait for its download
  data_loader_destroy(r->loader);
  data_mix_close(r->mix);
  data_remote_destroy(r->remote);
  train_guard_release(&r->guard);
  dist_world_leave_device(r->world);
  train_step_release(&r->work);
  kern_destroy(r->k);
  train_lease_release(r->lease);
  orr_free(r->config_text);
}

static orr_code run_all(run *r, const train_loop_options *o) {
  ORR_TRY(dist_agree(r->all, plan_model(r, o), "plan the model"));
  if (r->world->grid.rank == 0) train_accounting_log(&r->accounting);
  if (o->dry_run) return ORR_OK;
  orr_code rc = train_guard_init(&r->guard, r->c);
  if (rc == ORR_OK && r->world->grid.rank == 0) rc = open_folder(r);
  ORR_TRY(dist_agree(r->all, rc, "open the run's folder"));
  ORR_TRY(dist_agree(r->all, restore(r, o->resume), "load weights"));
  ORR_TRY(dist_agree(r->all, open_data(r), "open data"));
  ORR_TRY(train_same_data(r->all, r->mix));
  ORR_TRY(dist_agree(r->all, open_outputs(r), "open outputs"));
  if (r->step >= r->c->train.steps) {
    if (r->world->grid.rank == 0)
      ORR_INFO("nothing to do: the run is at step %lld already", (long long)r->step);
    return ORR_OK;
  }
  rc = r->world->grid.rank == 0 ? write_config(r) : ORR_OK;
  ORR_TRY(dist_agree(r->all, rc, "write config.yaml"));
  ORR_TRY(watch(r));
  train_observer_tell(r->observer, "ready", r->step, "training begins");
  return steps(r);
}

// The layout of this world, or, for a dry run, a rank's place in another one.
static orr_code open_axes(run *r, const train_loop_options *o) {
  const int tp = (int)r->c->dist.tp, cp = (int)r->c->dist.cp, dp = (int)r->c->dist.dp;
  dist_world *w = r->world;
  if (o->ranks > 0) {
    dist_grid grid;
    ORR_TRY(dist_grid_init(tp, cp, dp, o->as_rank, o->ranks, &grid));
    train_axes_init(&r->axes, &grid, NULL);
  } else {
    ORR_TRY(dist_world_split(w, tp, cp, dp));
    train_axes_init(&r->axes, &w->grid, w);
  }
  r->all = w->axis[DIST_AXIS_WORLD];
  return ORR_OK;
}

// Before the axes are split: ranks that differ would make different communicators.
static orr_code agree_on_run(run *r) {
  orr_code rc = cfg_print(r->c, &r->config_text);
  if (rc == ORR_OK) rc = cfg_hash(r->c, &r->config_hash);
  r->all = r->world->axis[DIST_AXIS_WORLD];
  ORR_TRY(dist_agree(r->all, rc, "print the configuration"));
  return train_same_check(r->all, r->config_text);
}

orr_code train_loop(const cfg *c, const train_loop_options *o, dist_world *world) {
  run r = {.c = c, .world = world, .start_ms = orr_clock_ms()};
  train_stop_install();
  orr_code rc = agree_on_run(&r);
  if (rc == ORR_OK) rc = open_axes(&r, o);
  if (rc == ORR_OK) rc = run_all(&r, o);
  train_observer_tell(r.observer,
                      rc == ORR_OK         ? "finished"
                      : rc == ORR_ESTOPPED ? "stopped"
                                           : "failed",
                      r.step, rc == ORR_OK ? "all steps are done" : orr_status_message());
  if (rc != ORR_OK && r.apart && world->grid.ranks > 1) {
    // The other ranks are waiting in a collective that this one will not enter. It says why here,
    // so the watchdogs need not.
    ORR_ERROR("%s", orr_status_message());
    dist_watchdog_stop(r.watchdog);
    dist_world_abort(world, 1);
  }
  run_close(&r);
  train_stop_clear();
  return rc;
}
