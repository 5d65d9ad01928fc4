#include "train/save/saver.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "train/save/store.h"

struct train_saver {
  train_axes *axes;
  int rank, ranks;
  train_state *state;
  train_store *store;
  ckpt_writer *writer;
  ckpt_plan plan;
  int64_t step; // of the save under way
  json_t *meta;
  train_save_state save;
  bool committing;   // rank 0, in the background
  int64_t saved;     // rank 0: step of the newest checkpoint in its place, 0 = none
  orr_code last;     // outcome of the last save
  char failure[512]; // rank 0: of a save that nobody has asked about yet; "" = none
};

static orr_code open_writer(train_saver *s, const cfg *c) {
  orr_path root;
  ORR_TRY(orr_fs_join(root, sizeof root, c->run.dir, "ckpt"));
  ORR_TRY(train_store_plan(s->state, c->ckpt.file_bytes, &s->plan));
  ckpt_writer_options o = {.root = root,
                           .rank = s->rank,
                           .ranks = s->ranks,
                           .async = c->ckpt.async,
                           .plan = s->axes->planning,
                           .keep = c->ckpt.keep,
                           .keep_every = c->ckpt.keep_every,
                           .arrived = train_store_arrived};
  kern_arena_init_pinned(s->state->k, &o.staging, "staging buffer of checkpoints");
  return ckpt_writer_create(&s->plan, &o, &s->writer);
}

orr_code train_saver_create(const cfg *c, train_axes *axes, train_state *state, train_saver **out) {
  orr_code rc;
  train_saver *s = orr_calloc(1, sizeof *s);
  ORR_CHECK(s, ORR_ENOMEM, "saver: out of memory");
  *s = (train_saver){
      .axes = axes, .rank = axes->grid.rank, .ranks = axes->grid.ranks, .state = state};
  ORR_TRY_GOTO(open_writer(s, c), fail);
  ORR_TRY_GOTO(train_store_create(c, state, axes, s->writer, 0, &s->store), fail);
  *out = s;
  return ORR_OK;
fail:
  train_saver_destroy(s);
  return rc;
}

// What the ranks say to each other from begin to the end of commit, in order.
static orr_code rehearse(train_saver *s) {
  static const char *const agreements[] = {"commit checkpoint", "prepare checkpoint",
                                           "begin checkpoint", "checkpoint sums",
                                           "commit checkpoint"};
  for (size_t i = 0; i < sizeof agreements / sizeof *agreements; i++)
    ORR_TRY(train_axes_agree(s->axes, ORR_OK, agreements[i]));
  ORR_TRY(train_store_collect(s->store));
  train_axes_count_text(s->axes, DIST_AXIS_WORLD, ckpt_writer_sums_bytes(s->writer));
  return ORR_OK;
}

orr_code train_saver_plan(const cfg *c, train_axes *axes, train_state *state,
                          train_saver_needs *out) {
  train_saver *s = NULL;
  train_moved before[DIST_AXES][TRAIN_MOVES];
  ORR_TRY(train_saver_create(c, axes, state, &s));
  memcpy(before, axes->moved, sizeof before);
  memset(axes->moved, 0, sizeof axes->moved);
  orr_code rc = rehearse(s);
  out->host_bytes = train_saver_host_bytes(s);
  memcpy(out->moved, axes->moved, sizeof out->moved);
  memcpy(axes->moved, before, sizeof before);
  train_saver_destroy(s);
  return rc;
}

uint64_t train_saver_host_bytes(const train_saver *s) {
  return ckpt_writer_host_bytes(s->writer) + train_store_bytes(s->store);
}

static void forget_meta(train_saver *s) {
  json_decref(s->meta);
  s->meta = NULL;
}

static void report_failure(train_saver *s, orr_code rc) {
  s->last = rc;
  if (s->rank != 0) return;
  snprintf(s->failure, sizeof s->failure, "checkpoint of step %" PRId64 " was not written: %s",
           s->step, orr_status_message());
  ORR_WARN("%s; training goes on, earlier checkpoints are intact", s->failure);
}

bool train_saver_failure(train_saver *s, char *words, size_t size) {
  if (!s->failure[0]) return false;
  snprintf(words, size, "%s", s->failure);
  s->failure[0] = '\0';
  return true;
}

orr_code train_saver_begin(train_saver *s, int64_t step, json_t *meta, double *stall_ms) {
  const double begin = orr_clock_ms();
  train_saver_finish(s);
  s->step = step;
  s->meta = meta;
  s->last = ORR_OK;
  orr_code rc = ORR_OK;
  if (s->rank == 0)
    rc = meta
             ? ckpt_save_prepare(s->writer, step)
             : ORR_FAIL(ORR_ENOMEM,
                        "manifest of step %" PRId64 ": out of memory, or a text in it is not UTF-8",
                        step);
  rc = train_axes_agree(s->axes, rc, "prepare checkpoint");
  if (rc == ORR_OK) {
    ORR_TRY(train_store_collect(s->store));
    rc = train_axes_agree(s->axes, ckpt_save_begin(s->writer, step, train_store_get, s->store),
                          "begin checkpoint");
    if (rc != ORR_OK) ckpt_save_abandon(s->writer);
  }
  if (rc == ORR_OK)
    s->save = TRAIN_SAVE_WRITING;
  else {
    report_failure(s, rc);
    forget_meta(s);
  }
  *stall_ms += orr_clock_ms() - begin;
  return ORR_OK;
}

train_save_state train_saver_poll(train_saver *s) {
  orr_code rc = ORR_OK;
  if (s->save == TRAIN_SAVE_WRITING && ckpt_save_written(s->writer, &rc))
    s->save = rc == ORR_OK ? TRAIN_SAVE_WRITTEN : TRAIN_SAVE_FAILED;
  return s->save;
}

static orr_code commit(train_saver *s) {
  const char *sums = NULL;
  char **texts = NULL;
  orr_code rc = train_axes_agree(s->axes, ckpt_save_sums(s->writer, &sums), "checkpoint sums");
  if (rc != ORR_OK) return rc;
  ORR_TRY(train_axes_gather_text(s->axes, DIST_AXIS_WORLD, sums, 0, &texts));
  if (s->rank == 0) rc = ckpt_save_commit(s->writer, (const char *const *)texts, s->meta);
  s->committing = s->rank == 0 && rc == ORR_OK;
  dist_texts_free(texts, s->ranks);
  return train_axes_agree(s->axes, rc, "commit checkpoint");
}

orr_code train_saver_conclude(train_saver *s, bool failed, double *stall_ms) {
  const double begin = orr_clock_ms();
  orr_code rc;
  if (failed) // no rank may still be writing into the folder that rank 0 is about to remove
    rc = train_axes_agree(s->axes, ckpt_writer_wait(s->writer), "write checkpoint");
  else
    rc = commit(s);
  if (rc != ORR_OK) {
    report_failure(s, rc);
    ckpt_writer_wait(s->writer);
    ckpt_save_abandon(s->writer);
  }
  s->save = TRAIN_SAVE_IDLE;
  if (rc != ORR_OK || s->rank != 0) forget_meta(s);
  *stall_ms += orr_clock_ms() - begin;
  return ORR_OK;
}

orr_code train_saver_finish(train_saver *s) {
  if (s->save != TRAIN_SAVE_IDLE) {
    orr_code mine = ckpt_writer_wait(s->writer);
    s->save = mine == ORR_OK ? TRAIN_SAVE_WRITTEN : TRAIN_SAVE_FAILED;
    double failed = mine != ORR_OK;
    ORR_TRY(train_axes_host_sum(s->axes, DIST_AXIS_WORLD, &failed, 1));
    double waited = 0.0; // counted by who called
    ORR_TRY(train_saver_conclude(s, failed > 0.0, &waited));
  }
  orr_code committed = s->last == ORR_OK ? ckpt_writer_wait(s->writer) : ORR_OK;
  if (s->committing && s->last == ORR_OK && committed == ORR_OK) s->saved = s->step;
  s->committing = false;
  forget_meta(s);
  committed = train_axes_agree(s->axes, committed, "commit checkpoint");
  if (committed != ORR_OK) {
    report_failure(s, committed);
    ckpt_save_abandon(s->writer);
  }
  return s->last;
}

int64_t train_saver_saved(train_saver *s) {
  orr_code rc;
  if (s->committing && ckpt_save_written(s->writer, &rc)) {
    s->committing = false;
    if (rc == ORR_OK) s->saved = s->step;
  }
  return s->saved;
}

void train_saver_destroy(train_saver *s) {
  if (!s) return;
  train_store_destroy(s->store);
  ckpt_writer_destroy(s->writer);
  forget_meta(s);
  orr_free(s);
}
