#include "train/run/audit.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "train/run/repeat.h"
#include "train/run/stop.h"

// Steps that are trained again at a stretch. path "": from the beginning.
typedef struct {
  int64_t from, to;
  char path[4096];
} segment;

typedef struct {
  train_repeat steps;
  const train_audit_options *o;
  train_fingerprint *all; // [ranks]
  int64_t segments;
  // Rank 0.
  train_fingerprint_log_reader *record;
  int64_t first, last; // of the record: steps first+1 to last
  segment *list;
  int64_t repeated, compared, differing;
  char words[2048]; // steps that differ
} audit;

void train_audit_draw(int64_t count, double share, uint64_t seed, bool *chosen) {
  int64_t wanted = (int64_t)ceil(share * (double)count);
  if (wanted < 1) wanted = 1;
  // Each step's chance is what is still wanted, of those that are left (Knuth, algorithm S).
  for (int64_t i = 0; i < count; i++) {
    chosen[i] = (double)(count - i) * orr_rng_uniform(seed, ORR_STREAM_AUDIT, 0, (uint64_t)i) <
                (double)wanted;
    wanted -= chosen[i];
  }
}

// -- the record -----------------------------------------------------------------------------

static void note(audit *a, int64_t step, const char *words) {
  size_t n = strlen(a->words);
  if (a->differing++ < 16)
    snprintf(a->words + n, sizeof a->words - n, "%sstep %" PRId64 ": %s", n ? "; " : "", step,
             words);
  printf("step %-8" PRId64 " %s\n", step, words);
  fflush(stdout);
}

// Follows the chain. Rank 0.
static orr_code check_chain(audit *a) {
  const cfg *c = a->steps.run.c;
  orr_hash128 before = {0};
  bool known = a->first == 0;
  if (known) ORR_TRY(train_fingerprint_log_first(c, &before));
  for (int64_t step = a->first + 1; step <= a->last; step++) {
    train_fingerprint whole;
    orr_hash_hex told;
    orr_hash128 chain;
    if (!train_fingerprint_log_whole(a->record, step, &whole, &told)) continue;
    ORR_CHECK(orr_hash_from_hex(told.s, &chain) == ORR_OK, ORR_EFORMAT,
              "%s/record.jsonl: step %" PRId64
              " has no \"chain\": it is not of an exact run, or was "
              "changed",
              c->run.dir, step);
    if (known && !orr_hash_equal(train_fingerprint_chain(before, step, &whole), chain))
      note(a, step, "its line in record.jsonl is not the one that was written");
    before = chain;
    known = true;
  }
  return ORR_OK;
}

// The link that a checkpoint holds. Rank 0.
static void check_link(audit *a, const ckpt_reader *r) {
  const json_t *link = json_object_get(ckpt_reader_meta(r), "chain");
  const int64_t step = json_integer_value(json_object_get(link, "step"));
  const char *hash = json_string_value(json_object_get(link, "hash"));
  train_fingerprint whole;
  orr_hash_hex told;
  if (!hash || step <= a->first || step > a->last) return;
  if (!train_fingerprint_log_whole(a->record, step, &whole, &told) || strcmp(told.s, hash) != 0)
    note(a, step, "the checkpoint after it holds another link of the chain than record.jsonl");
}

// -- what is trained again ------------------------------------------------------------------

// The segment that the checkpoint before `step` begins. Rank 0.
static orr_code segment_of(audit *a, int64_t step, segment *out) {
  ckpt_reader *r = NULL;
  *out = (segment){.to = step};
  const orr_code rc = ckpt_open_until(a->steps.run.c->run.dir, step - 1, &r);
  if (rc == ORR_ENOTFOUND) {
    orr_status_clear();
    return ORR_OK;
  }
  ORR_TRY(rc);
  out->from = ckpt_reader_step(r);
  snprintf(out->path, sizeof out->path, "%s", ckpt_reader_path(r));
  check_link(a, r);
  ckpt_close(r);
  return ORR_OK;
}

// Extends the last segment, or begins another one.
static orr_code add_step(audit *a, int64_t step) {
  segment *last = a->segments ? &a->list[a->segments - 1] : NULL;
  segment s;
  ORR_TRY(segment_of(a, step, &s));
  ORR_CHECK(s.from >= a->first, ORR_ENOTFOUND,
            "%s/record.jsonl begins after step %" PRId64 ", and no checkpoint after that lies "
            "before step %" PRId64 "; raise ckpt.keep_every or guard.record_bytes",
            a->steps.run.c->run.dir, a->first, step);
  if (last && last->from == s.from)
    last->to = step;
  else
    a->list[a->segments++] = s;
  return ORR_OK;
}

// Those of a share of the recorded steps. Rank 0.
static orr_code choose(audit *a) {
  const int64_t span = a->last - a->first;
  bool *chosen = orr_calloc((size_t)span, sizeof *chosen);
  int64_t *recorded = orr_calloc((size_t)span, sizeof *recorded), count = 0;
  a->list = orr_calloc((size_t)span, sizeof *a->list);
  orr_code rc =
      chosen && recorded && a->list ? ORR_OK : ORR_FAIL(ORR_ENOMEM, "audit: out of memory");
  for (int64_t step = a->first + 1; rc == ORR_OK && step <= a->last; step++) {
    train_fingerprint whole;
    orr_hash_hex chain;
    if (train_fingerprint_log_whole(a->record, step, &whole, &chain)) recorded[count++] = step;
  }
  if (rc == ORR_OK && count == 0) rc = ORR_FAIL(ORR_ENOTFOUND, "audit: no step is recorded");
  if (rc == ORR_OK) train_audit_draw(count, a->o->share, a->o->seed, chosen);
  for (int64_t i = 0; rc == ORR_OK && i < count; i++)
    if (chosen[i]) rc = add_step(a, recorded[i]);
  orr_free(recorded);
  orr_free(chosen);
  return rc;
}

// What gives other bits than those of the step's start line: all but the layout. Rank 0.
static orr_code check_head(const audit *a, int64_t step) {
  static const char *const keys[] = {"run.device", "instructions"};
  const train_run *run = &a->steps.run;
  const json_t *then = json_object_get(train_fingerprint_log_head(a->record, step), "bits");
  json_t *now = train_fingerprint_log_bits(run->c, run->world, run->k);
  orr_code rc = now ? ORR_OK : ORR_FAIL(ORR_ENOMEM, "audit: out of memory");
  for (size_t i = 0; rc == ORR_OK && i < sizeof keys / sizeof *keys; i++) {
    const char *was = json_string_value(json_object_get(then, keys[i])),
               *is = json_string_value(json_object_get(now, keys[i]));
    if (!was || strcmp(was, is) != 0)
      rc =
          ORR_FAIL(ORR_ECONFIG,
                   "%s: step %" PRId64 " was trained with %s %s, here it is %s: bits would differ; "
                   "choose it by run.device and run.isa, or take another machine",
                   run->c->run.dir, step, keys[i], was ? was : "unknown", is);
  }
  json_decref(now);
  return rc;
}

static orr_code open_record(audit *a) {
  const char *dir = a->steps.run.c->run.dir;
  ORR_TRY(train_fingerprint_log_span(dir, &a->first, &a->last));
  ORR_TRY(train_fingerprint_log_open(dir, a->first, a->last, &a->record));
  ORR_TRY(check_chain(a));
  ORR_TRY(choose(a));
  for (int64_t i = 0; i < a->segments; i++) ORR_TRY(check_head(a, a->list[i].to));
  return ORR_OK;
}

// -- the steps ------------------------------------------------------------------------------

// Rank 0: this rank's sums are those of the whole step.
static bool is_recorded(audit *a, int64_t step, train_fingerprint *was) {
  orr_hash_hex chain;
  return step > a->first && step <= a->last &&
         train_fingerprint_log_whole(a->record, step, was, &chain);
}

static void compare(audit *a, int64_t step, const train_fingerprint *is, bool *stop) {
  train_fingerprint was;
  char words[128];
  a->repeated++;
  if (!is_recorded(a, step, &was)) return;
  a->compared++;
  for (int p = 0; p < TRAIN_FINGERPRINT_PARTS && !*stop; p++) {
    *stop = was.v[p] != is->v[p];
    snprintf(words, sizeof words, "%s of the record cannot be reproduced",
             train_fingerprint_part_name((train_fingerprint_part)p));
  }
  if (*stop)
    note(a, step, words);
  else
    printf("step %-8" PRId64 " equal\n", step);
  fflush(stdout);
}

// As train_repeat_fn.
static orr_code compare_step(void *ctx, int64_t step, const train_step_result *x,
                             const train_fingerprint *mine, bool *stop) {
  audit *a = ctx;
  train_run *run = &a->steps.run;
  ORR_TRY(dist_all_gather(run->all, mine, a->all, TRAIN_FINGERPRINT_PARTS, DIST_I64));
  if (run->world->grid.rank != 0) return ORR_OK;
  const train_fingerprint whole = train_fingerprint_whole(a->all, run->world->grid.ranks);
  compare(a, step, &whole, stop);
  return ORR_OK;
}

// The weights that a checkpoint holds against those that its step was recorded with.
static orr_code check_weights(audit *a, ckpt_reader *reader) {
  train_run *run = &a->steps.run;
  train_fingerprint mine = {0}, was;
  ORR_TRY(dist_agree(run->all, train_run_load(run, reader), "load weights"));
  orr_code rc = train_step_weights(&run->work, &mine.v[TRAIN_FINGERPRINT_WEIGHTS]);
  ORR_TRY(dist_agree(run->all, rc, "look at the weights"));
  ORR_TRY(dist_all_gather(run->all, &mine, a->all, TRAIN_FINGERPRINT_PARTS, DIST_I64));
  if (run->world->grid.rank != 0 || !is_recorded(a, a->steps.from, &was)) return ORR_OK;
  const train_fingerprint is = train_fingerprint_whole(a->all, run->world->grid.ranks);
  if (is.v[TRAIN_FINGERPRINT_WEIGHTS] != was.v[TRAIN_FINGERPRINT_WEIGHTS])
    note(a, a->steps.from, "the weights in its checkpoint are not those that were recorded");
  return ORR_OK;
}

// Everyone learns what rank 0 has in its list.
static orr_code share_segment(audit *a, int64_t i, segment *s, ckpt_reader **reader) {
  train_run *run = &a->steps.run;
  if (run->world->grid.rank == 0) *s = a->list[i];
  ORR_TRY(dist_broadcast(run->all, s, sizeof *s, DIST_U8, 0));
  a->steps.from = s->from;
  a->steps.to = s->to;
  orr_free(a->steps.ahead);
  a->steps.ahead = orr_calloc((size_t)(s->to - s->from), sizeof *a->steps.ahead);
  orr_code rc = a->steps.ahead ? ORR_OK : ORR_FAIL(ORR_ENOMEM, "audit: out of memory");
  for (int64_t step = s->from + 1; rc == ORR_OK && a->record && step <= s->to; step++)
    a->steps.ahead[step - s->from - 1] = train_fingerprint_log_ahead(a->record, step);
  if (rc == ORR_OK && s->path[0]) rc = ckpt_open(s->path, reader);
  ORR_TRY(dist_agree(run->all, rc, "open the checkpoint"));
  return dist_broadcast(run->all, a->steps.ahead, s->to - s->from, DIST_I64, 0);
}

static orr_code run_segment(audit *a, int64_t i) {
  segment s;
  ckpt_reader *reader = NULL;
  orr_code rc = share_segment(a, i, &s, &reader);
  if (rc == ORR_OK && a->record)
    ORR_INFO("audit of steps %" PRId64 " to %" PRId64 " from %s", s.from + 1, s.to,
             s.path[0] ? s.path : "the beginning");
  if (rc == ORR_OK && reader) rc = check_weights(a, reader);
  if (rc == ORR_OK) rc = train_repeat_steps(&a->steps, reader);
  ckpt_close(reader);
  return rc;
}

// Rank 0 has the words, and everyone the code.
static orr_code conclude(audit *a) {
  ORR_TRY(dist_broadcast(a->steps.run.all, &a->differing, 1, DIST_I64, 0));
  if (a->differing > 0)
    return ORR_FAIL(ORR_EDIFFERS, "%" PRId64 " faults: %s", a->differing, a->words);
  if (a->record)
    ORR_INFO("audit: %" PRId64 " recorded steps came out the same, to the bit, of %" PRId64
             " trained again",
             a->compared, a->repeated);
  return ORR_OK;
}

static orr_code audit_all(audit *a) {
  train_run *run = &a->steps.run;
  ORR_CHECK(run->c->run.exact, ORR_ECONFIG,
            "%s: run.exact is false: its bits belong to its layout; repeat it there with `orrery "
            "train CONFIG --replay STEP`",
            run->c->run.dir);
  ORR_TRY(train_run_plan(run, &(train_run_options){.resume = "auto"}));
  a->all = orr_calloc((size_t)run->world->grid.ranks, sizeof *a->all);
  orr_code rc =
      a->all ? train_guard_init(&run->guard, run->c) : ORR_FAIL(ORR_ENOMEM, "audit: out of memory");
  if (rc == ORR_OK && run->world->grid.rank == 0) rc = open_record(a);
  ORR_TRY(dist_agree(run->all, rc, "open the record"));
  ORR_TRY(dist_broadcast(run->all, &a->segments, 1, DIST_I64, 0));
  ORR_TRY(train_run_open_data(run));
  a->steps.compare = compare_step;
  a->steps.ctx = a;
  for (int64_t i = 0; i < a->segments; i++) ORR_TRY(run_segment(a, i));
  return conclude(a);
}

orr_code train_audit(cfg *c, const train_audit_options *o, dist_world *world) {
  audit a = {.steps = {.run = {.c = c, .world = world}}, .o = o};
  train_stop_remove(); // nothing is lost by an early end
  const orr_code rc = audit_all(&a);
  train_fingerprint_log_close(a.record);
  orr_free(a.list);
  orr_free(a.steps.ahead);
  orr_free(a.all);
  train_run_close(&a.steps.run);
  return rc;
}
