#include "train/run/replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "train/save/resume.h"
#include "train/run/repeat.h"
#include "train/run/stop.h"
#include "train/run/replay_diagnosis.h"

typedef struct {
  train_repeat steps;
  const train_replay_options *o;
  ckpt_reader *reader;   // NULL: from the beginning
  train_fingerprint *is; // [ranks]: of a step
  // Rank 0.
  train_fingerprint_log_reader *record;
  train_fingerprint *was; // [ranks]
  bool differs;           // in this pass
  int64_t equal_until;    // last step of this pass that was compared and equal
  int64_t differing;      // passes
  char words[1024];       // of the first difference of all
} repeat;

// -- what it starts from --------------------------------------------------------------------

// What gives other bits than those of the step's start line. Rank 0.
static orr_code check_bits(const repeat *r, const json_t *head, int64_t step) {
  const train_run *run = &r->steps.run;
  json_t *now = train_fingerprint_log_bits(run->c, run->world, run->k);
  const json_t *then = json_object_get(head, "bits");
  orr_code rc = now ? ORR_OK : ORR_FAIL(ORR_ENOMEM, "replay: out of memory");
  const char *key;
  json_t *value;
  json_object_foreach(now, key, value) {
    const json_t *old = json_object_get(then, key);
    if (rc != ORR_OK || json_equal(value, old)) continue;
    char *is = json_dumps(value, JSON_ENCODE_ANY), *was = json_dumps(old, JSON_ENCODE_ANY);
    rc = ORR_FAIL(ORR_ECONFIG,
                  "%s: step %" PRId64 " was trained with %s %s, here it is %s: bits would differ; "
                  "replay it as it was trained",
                  run->c->run.dir, step, key, was ? was : "unknown", is ? is : "unknown");
    free(was);
    free(is);
  }
  json_decref(now);
  return rc;
}

// Likewise: the knobs that decide what is trained.
static orr_code check_config(const repeat *r, const json_t *head, int64_t step) {
  const cfg *now = r->steps.run.c;
  const char *text = json_string_value(json_object_get(head, "config"));
  cfg *then = NULL;
  char *differences = NULL;
  ORR_CHECK(text, ORR_EFORMAT, "%s/record.jsonl: a start line has no \"config\"", now->run.dir);
  orr_code rc = cfg_create(&then);
  if (rc == ORR_OK) rc = cfg_read_text(then, "record.jsonl", text, strlen(text));
  if (rc == ORR_OK) rc = cfg_diff(then, now, &differences);
  if (rc == ORR_OK && differences[0])
    rc = ORR_FAIL(ORR_ECONFIG,
                  "%s: step %" PRId64 " was trained with another configuration: %.*s; replay it "
                  "with that one: the run's config.yaml, or \"config\" in record.jsonl",
                  now->run.dir, step, (int)strcspn(differences, "\n"), differences);
  free(differences);
  cfg_destroy(then);
  return rc;
}

static orr_code check_program(const repeat *r, const json_t *head) {
  orr_hash_hex program;
  const char *then = json_string_value(json_object_get(head, "program"));
  ORR_TRY(train_fingerprint_log_program(&program));
  if (then && strcmp(then, program.s) != 0)
    ORR_WARN("%s was trained by another build of orrery: a difference may be that build's",
             r->steps.run.c->run.dir);
  return ORR_OK;
}

static orr_code check_heads(const repeat *r) {
  const json_t *checked = NULL;
  for (int64_t step = r->steps.from + 1; step <= r->o->step; step++) {
    const json_t *head = train_fingerprint_log_head(r->record, step);
    if (head == checked) continue;
    ORR_TRY(check_bits(r, head, step));
    ORR_TRY(check_config(r, head, step));
    ORR_TRY(check_program(r, head));
    checked = head;
  }
  return ORR_OK;
}

static orr_code check_any(const repeat *r) {
  for (int64_t step = r->steps.from + 1; step <= r->o->step; step++)
    if (train_fingerprint_log_entry(r->record, step, r->steps.run.world->grid.ranks, r->was))
      return ORR_OK;
  return ORR_FAIL(ORR_ENOTFOUND,
                  "%s: none of steps %" PRId64 " to %" PRId64
                  ", which follow the checkpoint, is recorded: guard.record_every was larger",
                  r->steps.run.c->run.dir, r->steps.from + 1, r->o->step);
}

// The checkpoint's path, empty for none; what is recorded after it, and whether this call can
// repeat that. Rank 0.
static orr_code choose(repeat *r, char path[4096]) {
  const char *dir = r->steps.run.c->run.dir;
  path[0] = '\0';
  orr_code rc = ckpt_open_until(dir, r->o->step - 1, &r->reader);
  if (rc == ORR_OK) {
    snprintf(path, 4096, "%s", ckpt_reader_path(r->reader));
    r->steps.from = ckpt_reader_step(r->reader);
  } else if (rc == ORR_ENOTFOUND) {
    orr_status_clear();
  } else {
    return rc;
  }
  ORR_TRY(train_fingerprint_log_open(dir, r->steps.from, r->o->step, &r->record));
  ORR_TRY(check_heads(r));
  return check_any(r);
}

static orr_code make_room(repeat *r) {
  const size_t ranks = (size_t)r->steps.run.world->grid.ranks;
  r->is = orr_calloc(2 * ranks, sizeof *r->is);
  ORR_CHECK(r->is, ORR_ENOMEM, "replay: out of memory");
  r->was = r->is + ranks;
  return ORR_OK;
}

// Everyone learns what rank 0 chose.
static orr_code share_choice(repeat *r, const char path[4096]) {
  const int64_t n = r->o->step - r->steps.from;
  r->steps.ahead = orr_calloc((size_t)n, sizeof *r->steps.ahead);
  orr_code rc = r->steps.ahead ? ORR_OK : ORR_FAIL(ORR_ENOMEM, "replay: out of memory");
  for (int64_t i = 0; r->steps.ahead && r->record && i < n; i++)
    r->steps.ahead[i] = train_fingerprint_log_ahead(r->record, r->steps.from + 1 + i);
  if (rc == ORR_OK && path[0] && !r->reader) rc = ckpt_open(path, &r->reader);
  ORR_TRY(dist_agree(r->steps.run.all, rc, "open the checkpoint"));
  return dist_broadcast(r->steps.run.all, r->steps.ahead, n, DIST_I64, 0);
}

static orr_code open_start(repeat *r) {
  char path[4096] = "";
  train_run *run = &r->steps.run;
  orr_code rc = make_room(r);
  if (rc == ORR_OK) rc = train_guard_init(&run->guard, run->c);
  if (rc == ORR_OK && run->world->grid.rank == 0) rc = choose(r, path);
  ORR_TRY(dist_agree(run->all, rc, "open the record"));
  ORR_TRY(dist_broadcast(run->all, path, sizeof path, DIST_U8, 0));
  ORR_TRY(dist_broadcast(run->all, &r->steps.from, 1, DIST_I64, 0));
  ORR_TRY(share_choice(r, path));
  if (run->world->grid.rank == 0)
    ORR_INFO("replay of steps %" PRId64 " to %" PRId64 " from %s", r->steps.from + 1, r->o->step,
             path[0] ? path : "the initial weights");
  return ORR_OK;
}

// -- the steps ------------------------------------------------------------------------------

// Rank 0: the step's line, and on a difference the words.
static void compare(repeat *r, int64_t step, const train_step_result *x) {
  const int ranks = r->steps.run.world->grid.ranks;
  train_replay_diagnosis v = {0};
  const bool recorded = train_fingerprint_log_entry(r->record, step, ranks, r->was);
  if (recorded) v = train_replay_diagnosis_of(r->was, r->is, ranks);
  printf("step %-8" PRId64 " loss %-12.6g norm %-12.6g %s%s\n", step, x->loss, x->grad_norm,
         x->skipped ? "skipped, " : "",
         !recorded   ? "not recorded"
         : v.differs ? train_replay_diagnosis_name(&v)
                     : "equal");
  fflush(stdout);
  if (recorded && !v.differs) r->equal_until = step;
  if (!v.differs) return;
  r->differs = true;
  if (r->differing++ > 0) return;
  train_replay_diagnosis_tell(
      &v,
      &(train_replay_diagnosis_place){.step = step,
                                      .equal_until = r->equal_until,
                                      .world = r->steps.run.world,
                                      .head = train_fingerprint_log_head(r->record, step)},
      r->words, sizeof r->words);
}

// As train_repeat_fn.
static orr_code compare_step(void *ctx, int64_t step, const train_step_result *x,
                             const train_fingerprint *mine, bool *stop) {
  repeat *r = ctx;
  ORR_TRY(dist_all_gather(r->steps.run.all, mine, r->is, TRAIN_FINGERPRINT_PARTS, DIST_I64));
  if (r->record) compare(r, step, x);
  *stop = r->differs;
  return ORR_OK;
}

static orr_code one_pass(repeat *r) {
  r->differs = false;
  r->equal_until = r->steps.from;
  r->steps.to = r->o->step;
  r->steps.compare = compare_step;
  r->steps.ctx = r;
  return train_repeat_steps(&r->steps, r->reader);
}

// Rank 0 has the words, and everyone the code.
static orr_code conclude(repeat *r) {
  ORR_TRY(dist_broadcast(r->steps.run.all, &r->differing, 1, DIST_I64, 0));
  if (r->differing == 0) {
    if (r->record)
      ORR_INFO("replay: every recorded step up to %" PRId64 " came out the same, to the bit",
               r->o->step);
    return ORR_OK;
  }
  if (r->o->passes == 1) return ORR_FAIL(ORR_EDIFFERS, "%s", r->words);
  return ORR_FAIL(ORR_EDIFFERS,
                  "%" PRId64 " of %" PRId64
                  " passes differ (all: the recorded run was the odd one; "
                  "some: this machine is). First: %s",
                  r->differing, r->o->passes, r->words);
}

static orr_code repeat_all(repeat *r) {
  train_run *run = &r->steps.run;
  ORR_TRY(train_run_plan(run, &(train_run_options){.resume = "auto"}));
  ORR_TRY(open_start(r));
  ORR_TRY(train_run_open_data(run));
  for (int64_t pass = 0; pass < r->o->passes; pass++) {
    if (r->record && r->o->passes > 1) printf("pass %" PRId64 "\n", pass + 1);
    ORR_TRY(one_pass(r));
  }
  return conclude(r);
}

orr_code train_replay(cfg *c, const train_replay_options *o, dist_world *world) {
  repeat r = {.steps = {.run = {.c = c, .world = world}}, .o = o};
  train_stop_remove(); // nothing is lost by an early end
  const orr_code rc = repeat_all(&r);
  train_fingerprint_log_close(r.record);
  orr_free(r.steps.ahead);
  orr_free(r.is);
  ckpt_close(r.reader);
  train_run_close(&r.steps.run);
  return rc;
}
