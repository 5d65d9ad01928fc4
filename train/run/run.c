#include "train/run/run.h"

#include <inttypes.h>
#include <string.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "train/model/precision.h"
#include "train/observe/history.h"
#include "train/setup/device.h"
#include "train/step/peak.h"
#include "train/setup/remote_data.h"
#include "train/save/resume.h"
#include "train/setup/run_data.h"
#include "train/run/folder.h"
#include "train/run/rank_agreement.h"
#include "train/save/store.h"

// -- the plan -------------------------------------------------------------------------------

static orr_code print_config(train_run *r) {
  orr_free(r->config_text);
  r->config_text = NULL;
  ORR_TRY(cfg_print(r->c, &r->config_text));
  return cfg_hash(r->c, &r->config_hash);
}

// Before the axes are split: ranks that differ would make different communicators.
static orr_code agree_on_run(train_run *r) {
  orr_code rc = print_config(r);
  r->all = r->world->axis[DIST_AXIS_WORLD];
  ORR_TRY(dist_agree(r->all, rc, "print the configuration"));
  return train_rank_agreement_check(r->all, r->config_text);
}

// The layout of this world, or, for a dry run, a rank's place in another one.
static orr_code open_axes(train_run *r, const train_run_options *o) {
  const int tp = (int)r->c->dist.tp, cp = (int)r->c->dist.cp, dp = (int)r->c->dist.dp,
            shard = r->c->dist.zero ? (int)r->c->dist.shard : 0;
  dist_world *w = r->world;
  if (o->ranks > 0) {
    dist_grid grid;
    ORR_TRY(dist_grid_init(tp, cp, dp, o->as_rank, o->ranks, &grid));
    ORR_TRY(dist_grid_cut(&grid, shard));
    train_axes_init(&r->axes, &grid, NULL);
  } else {
    ORR_TRY(dist_world_split_shards(w, tp, cp, dp, shard));
    train_axes_init(&r->axes, &w->grid, w);
  }
  r->all = w->axis[DIST_AXIS_WORLD];
  return ORR_OK;
}

// What the run's device decided when it began stays so, wherever it goes on.
static orr_code keep_decisions(train_run *r, const char *resume) {
  cfg *then = NULL;
  if (r->c->run.precision != CFG_PRECISION_AUTO || strcmp(resume, "none") == 0) return ORR_OK;
  ORR_TRY(train_resume_config(r->all, r->c->run.dir, resume, &then));
  if (then) r->c->run.precision = then->run.precision;
  cfg_destroy(then);
  return ORR_OK;
}

// With o->dry_run plans only: nothing is allocated.
static orr_code plan_model(train_run *r, const train_run_options *o) {
  cfg *c = r->c;
  ORR_TRY(keep_decisions(r, o->resume));
  ORR_TRY(train_device_open(c, r->world, &r->k));
  ORR_TRY(print_config(r));
  r->act = train_precision(c);
  ORR_TRY(train_axes_use_device(&r->axes, r->k, o->ranks > 0 ? NULL : r->world, c));
  ORR_TRY(train_step_plan(&r->work, c, &r->axes, r->k));
  ORR_TRY(train_accounting_plan(&r->accounting, &r->work));
  ORR_TRY(train_peak_plan(r->k, r->act));
  if (o->dry_run) return ORR_OK;
  ORR_TRY(train_step_commit(&r->work));
  return train_peak_measure(r->k, r->act, &r->peak);
}

orr_code train_run_plan(train_run *r, const train_run_options *o) {
  ORR_TRY(dist_watchdog_start(
      r->world, &(dist_watchdog_options){.timeout_s = r->c->dist.timeout_s, .early = true},
      &r->watchdog));
  ORR_TRY(agree_on_run(r));
  ORR_TRY(open_axes(r, o));
  ORR_TRY(dist_agree(r->all, plan_model(r, o), "plan the model"));
  train_device_tell_attention(r->world, r->k);
  if (r->world->grid.rank == 0) train_accounting_log(&r->accounting);
  return ORR_OK;
}

// -- opening --------------------------------------------------------------------------------

// The run's folder, for this run alone.
static orr_code open_folder(train_run *r, const char *resume) {
  ORR_TRY(train_holding_take(&r->holding, r->c));
  return train_folder_check(r->c->run.dir, resume);
}

// What the weights learned before, for the words about it.
static orr_code note_origin(train_run *r, const ckpt_reader *reader) {
  r->taught = train_token_maker_taught(reader);
  orr_free(r->origin);
  r->origin = orr_strdup(ckpt_reader_path(reader));
  ORR_CHECK(r->origin, ORR_ENOMEM, "%s: out of memory", ckpt_reader_path(reader));
  return ORR_OK;
}

static orr_code load_weights(train_run *r, ckpt_reader *reader) {
  bool ema = false;
  train_base base;
  ORR_TRY(train_base_compare(r->c, reader, &base));
  orr_code rc = train_store_load_weights(train_step_model(&r->work), reader, true, &base, &ema);
  if (rc == ORR_OK) rc = note_origin(r, reader);
  if (rc == ORR_OK && r->work.adapter && r->world->grid.rank == 0)
    rc = train_base_hash(reader, ema, &r->base_hash);
  if (rc == ORR_OK && r->world->grid.rank == 0)
    ORR_INFO("weights from %s%s%s%s", ckpt_reader_path(reader), ema ? " (moving average)" : "",
             base.words[0] ? "; " : "", base.words);
  train_base_release(&base);
  return rc;
}

static orr_code load_base(train_run *r, const char *path) {
  ckpt_reader *reader;
  ORR_TRY(ckpt_open_weights(path, &reader));
  const orr_code rc = load_weights(r, reader);
  ckpt_close(reader);
  return rc;
}

// The adapter on its base, which is loaded once: a run that goes back has it. `reader`: the
// checkpoint that the adapter came from, NULL when it begins.
static orr_code adapt(train_run *r, const ckpt_reader *reader) {
  const bool base_too = !r->has_base;
  if (base_too) ORR_TRY(load_base(r, r->c->train.init_from));
  if (reader && r->world->grid.rank == 0)
    ORR_TRY(train_base_is(reader, &r->base_hash, r->c->train.init_from));
  r->has_base = true;
  return train_step_adapt(&r->work, !reader, base_too);
}

// From the base named by train.init_from, or from the seed.
static orr_code begin_anew(train_run *r) {
  r->step = r->ahead = 0;
  train_guard_load(&r->guard, NULL);
  ORR_TRY(train_state_fill(&r->work.state, (uint64_t)r->c->run.seed));
  if (r->work.adapter) return adapt(r, NULL);
  return r->c->train.init_from[0] ? load_base(r, r->c->train.init_from) : ORR_OK;
}

orr_code train_run_load(train_run *r, ckpt_reader *reader) {
  if (!reader) return begin_anew(r);
  ORR_TRY(train_store_load(&r->work.state, reader));
  if (r->work.adapter) ORR_TRY(adapt(r, reader));
  r->step = ckpt_reader_step(reader);
  r->ahead = train_resume_ahead(reader);
  train_guard_load(&r->guard, json_object_get(ckpt_reader_meta(reader), "guard"));
  return note_origin(r, reader);
}

// Weights from a checkpoint of this run, if there is one to resume.
static orr_code restore(train_run *r, const char *resume) {
  ckpt_reader *reader = NULL;
  ORR_TRY(train_resume_open(r->all, r->c->run.dir, resume, &reader));
  orr_code rc = reader ? train_resume_check(r->c, reader, r->world->grid.rank == 0) : ORR_OK;
  if (rc == ORR_OK) rc = train_run_load(r, reader);
  if (rc == ORR_OK && reader && r->world->grid.rank == 0)
    ORR_INFO("resumed from %s at step %" PRId64, ckpt_reader_path(reader), r->step);
  ckpt_close(reader);
  return rc;
}

orr_code train_run_open_loader_at(train_run *r, int64_t batch) {
  const cfg *c = r->c;
  data_loader_destroy(r->loader);
  r->loader = NULL;
  const data_loader_options o = {.first_step = (uint64_t)batch,
                                 .batch = c->train.batch,
                                 .rank = r->world->grid.dp_i,
                                 .ranks = r->world->grid.dp,
                                 .turn = r->axes.turn,
                                 .prefetch = c->data.prefetch,
                                 .prefetch_bytes = (size_t)c->data.prefetch_bytes,
                                 .workers = (int)c->data.unpack_threads};
  return data_loader_create(r->mix, &r->mix_options, &o, &r->loader);
}

orr_code train_run_open_loader(train_run *r) {
  return train_run_open_loader_at(r, r->step + r->ahead);
}

static orr_code open_data(train_run *r) {
  const cfg *c = r->c;
  ORR_CHECK(c->data.train.n <= TRAIN_RUN_FOLDERS, ORR_ECONFIG,
            "data.train names %d folders: %d at most", c->data.train.n, TRAIN_RUN_FOLDERS);
  ORR_TRY(train_remote_create(c, &r->remote));
  ORR_TRY(train_run_data_options(c, r->remote, r->branch_ids, &r->mix_options));
  ORR_TRY(data_mix_open(&r->mix_options, (uint64_t)c->run.seed, &r->mix));
  return train_run_open_loader(r);
}

orr_code train_run_open_data(train_run *r) {
  ORR_TRY(dist_agree(r->all, open_data(r), "open data"));
  return train_rank_agreement_data(r->all, r->mix);
}

// Rank 0: tokens, tokenizer and weights belong together.
static orr_code check_tokens(train_run *r) {
  if (r->world->grid.rank != 0) return ORR_OK;
  ORR_TRY(train_token_maker_check(r->c, r->remote, r->origin, &r->taught, &r->tokens_by));
  if (!r->tokens_by.s[0]) r->tokens_by = r->taught;
  return ORR_OK;
}

static orr_code open_outputs(train_run *r) {
  ORR_TRY(train_observer_create(r->c, r->world, &r->accounting, r->begun_ms, r->step,
                                &r->holding.outage, &r->observer));
  r->axes.profile = train_observer_profile(r->observer);
  ORR_TRY(train_saver_create(r->c, &r->axes, &r->work.state, &r->saver));
  ORR_TRY(train_copies_create(r->c, &r->axes, &r->work.state, &r->copies));
  return train_replica_check_create(r->c, r->world, &r->work.state, &r->replicas);
}

bool train_run_done(const train_run *r) {
  return r->step >= r->c->train.steps;
}

orr_code train_run_open(train_run *r, const char *resume) {
  orr_code rc = train_guard_init(&r->guard, r->c);
  if (rc == ORR_OK && r->world->grid.rank == 0) rc = open_folder(r, resume);
  ORR_TRY(dist_agree(r->all, rc, "open the run's folder"));
  ORR_TRY(dist_agree(r->all, restore(r, resume), "load weights"));
  if (train_run_done(r)) return ORR_OK;
  ORR_TRY(train_run_open_data(r));
  ORR_TRY(dist_agree(r->all, check_tokens(r), "compare tokenizers"));
  ORR_TRY(dist_agree(r->all, train_folder_try(r->c->run.dir, r->world->grid.rank),
                     "write to the folder of checkpoints"));
  ORR_TRY(dist_agree(r->all, open_outputs(r), "open outputs"));
  ORR_TRY(
      train_fingerprint_log_create(&(train_fingerprint_log_options){.c = r->c,
                                                                    .config_text = r->config_text,
                                                                    .world = r->world,
                                                                    .k = r->k,
                                                                    .outage = &r->holding.outage},
                                   &r->record));
  return ORR_OK;
}

// -- the first step -------------------------------------------------------------------------

static void tell_end(void *run, const char *report) {
  train_run *r = run;
  train_history_add_report(r->c->run.dir, atomic_load(&r->reached), report);
}

// A report that lies there is of a process before this one, which goes on where that hung.
static orr_code watch_steps(train_run *r) {
  orr_path report, old;
  ORR_TRY(orr_fs_join(report, sizeof report, r->c->run.dir, "hang-report.txt"));
  ORR_TRY(orr_fs_join(old, sizeof old, r->c->run.dir, "hang-report.old.txt"));
  if (r->world->grid.rank == 0 && orr_fs_exists(report)) ORR_TRY(orr_fs_rename(report, old));
  atomic_store(&r->reached, r->step);
  return dist_watchdog_settle(r->watchdog, report, tell_end, r);
}

// config.yaml is written once weights, data and outputs are there: a call that fails before that
// leaves the words of the run as they were.
orr_code train_run_begin(train_run *r) {
  const orr_code rc = r->world->grid.rank == 0
                          ? train_holding_write_config(&r->holding, r->c, r->config_text)
                          : ORR_OK;
  ORR_TRY(dist_agree(r->all, rc, "write config.yaml"));
  train_fingerprint_log_start(r->record, r->step, r->ahead);
  return dist_agree(r->all, watch_steps(r), "watch the steps");
}

json_t *train_run_meta(train_run *r) {
  const cfg *c = r->c;
  const int64_t samples = (r->step + r->ahead) * c->train.batch;
  const uint64_t clips = data_mix_clips(r->mix);
  const char *tokens_by = r->tokens_by.s[0] ? r->tokens_by.s : NULL;
  orr_hash_hex chain;
  int64_t chained = 0;
  const bool has = train_fingerprint_log_chain(r->record, &chained, &chain);
  json_t *link = has ? json_pack("{s:I, s:s}", "step", (json_int_t)chained, "hash", chain.s) : NULL;
  return json_pack(
      "{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:s*, s:s*, s:o, s:{s:i, s:i, s:i}, s:b, s:o*}", "stage",
      r->work.stage->ops->name, "config", r->config_text, "config_hash",
      orr_hash_to_hex(r->config_hash).s, "samples", (json_int_t)samples, "epoch",
      (json_int_t)(clips ? (uint64_t)samples / clips : 0), "seed", (json_int_t)c->run.seed,
      "ahead_steps", (json_int_t)r->ahead, "tokens_by", tokens_by, "base_hash",
      r->base_hash.s[0] ? r->base_hash.s : NULL, "guard", train_guard_save(&r->guard), "layout",
      "tp", r->world->grid.tp, "cp", r->world->grid.cp, "dp", r->world->grid.dp, "exact",
      (int)c->run.exact, "chain", link);
}

void train_run_close(train_run *r) {
  char message[ORR_STATUS_MESSAGE_MAX]; // the one that ends the run, not one of a part that is
                                        // closed
  orr_status_copy(message, sizeof message);
  dist_watchdog_keep(r->watchdog);
  train_observer_destroy(r->observer);
  train_fingerprint_log_destroy(r->record);
  train_replica_check_destroy(r->replicas);
  train_copies_destroy(r->copies);
  train_saver_destroy(r->saver);
  data_remote_interrupt(r->remote); // or a reader would wait for its download
  data_loader_destroy(r->loader);
  data_mix_close(r->mix);
  data_remote_destroy(r->remote);
  train_guard_release(&r->guard);
  train_step_leave_device(&r->work, r->world);
  train_step_release(&r->work);
  kern_destroy(r->k);
  train_holding_leave(&r->holding, r->c);
  orr_status_set(message);
  orr_free(r->origin);
  orr_free(r->config_text);
}
