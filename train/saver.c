#include "train/saver.h"

#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "train/store.h"

struct train_saver {
  dist_comm *world;
  int rank, ranks;
  train_state *state;
  train_store *store;
  ckpt_writer *writer;
  ckpt_plan plan;
  int64_t step; // of the save under way
  json_t *meta;
  train_save_state save;
  orr_code last; // outcome of the last save
};

static orr_code open_writer(train_saver *s, const cfg *c) {
  char root[4096];
  ORR_TRY(orr_fs_join(root, sizeof root, c->run.dir, "ckpt"));
  ORR_TRY(train_store_plan(s->state, c->ckpt.file_bytes, &s->plan));
  ckpt_writer_options o = {.root = root,
                           .rank = s->rank,
                           .ranks = s->ranks,
                           .async = c->ckpt.async,
                           .keep = c->ckpt.keep,
                           .keep_every = c->ckpt.keep_every,
                           .arrived = train_store_arrived};
  kern_arena_init_pinned(s->state->k, &o.staging, "staging buffer of checkpoints");
  return ckpt_writer_create(&s->plan, &o, &s->writer);
}

orr_code train_saver_create(const cfg *c, dist_world *world, const train_axes *axes,
                            train_state *state, train_saver **out) {
  orr_code rc;
  train_saver *s = orr_calloc(1, sizeof *s);
  ORR_CHECK(s, ORR_ENOMEM, "saver: out of memory");
  *s = (train_saver){.world = world->axis[DIST_AXIS_WORLD],
                     .rank = world->grid.rank,
                     .ranks = world->grid.ranks,
                     .state = state};
  // Creating the store is collective: no rank may be missing from it.
  rc = open_writer(s, c);
  ORR_TRY_GOTO(dist_agree(s->world, rc, "plan checkpoints"), fail);
  ORR_TRY_GOTO(train_store_create(state, axes, s->writer, &s->store), fail);
  *out = s;
  return ORR_OK;
fail:
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
  if (s->rank == 0)
    ORR_WARN("checkpoint of step %lld was not written: %s; training goes on, earlier checkpoints "
             "are intact",
             (long long)s->step, orr_status_message());
}

orr_code train_saver_begin(train_saver *s, int64_t step, json_t *meta, double *stall_ms) {
  const double begin = orr_clock_ms();
  train_saver_finish(s);
  s->step = step;
  s->meta = meta;
  s->last = ORR_OK;
  orr_code rc = ORR_OK;
  if (s->rank == 0)
    rc = meta ? ckpt_save_prepare(s->writer, step)
              : ORR_FAIL(ORR_ENOMEM,
                         "manifest of step %lld: out of memory, or a text in it is not UTF-8",
                         (long long)step);
  rc = dist_agree(s->world, rc, "prepare checkpoint");
  if (rc == ORR_OK) {
    ORR_TRY(train_store_collect(s->store));
    rc = dist_agree(s->world, ckpt_save_begin(s->writer, step, train_store_get, s->store),
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
  orr_code rc = dist_agree(s->world, ckpt_save_sums(s->writer, &sums), "checkpoint sums");
  if (rc != ORR_OK) return rc;
  ORR_TRY(dist_gather_text(s->world, sums, 0, &texts));
  if (s->rank == 0) rc = ckpt_save_commit(s->writer, (const char *const *)texts, s->meta);
  dist_texts_free(texts, s->ranks);
  return dist_agree(s->world, rc, "commit checkpoint");
}

orr_code train_saver_conclude(train_saver *s, bool failed, double *stall_ms) {
  const double begin = orr_clock_ms();
  orr_code rc;
  if (failed) // no rank may still be writing into the folder that rank 0 is about to remove
    rc = dist_agree(s->world, ckpt_writer_wait(s->writer), "write checkpoint");
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
    int64_t failed = mine != ORR_OK;
    ORR_TRY(dist_all_reduce(s->world, &failed, 1, DIST_I64, DIST_MAX));
    double waited = 0.0; // counted by who called
    ORR_TRY(train_saver_conclude(s, failed != 0, &waited));
  }
  orr_code committed = s->last == ORR_OK ? ckpt_writer_wait(s->writer) : ORR_OK;
  forget_meta(s);
  committed = dist_agree(s->world, committed, "commit checkpoint");
  if (committed != ORR_OK) {
    report_failure(s, committed);
    ckpt_save_abandon(s->writer);
  }
  return s->last;
}

void train_saver_destroy(train_saver *s) {
  if (!s) return;
  train_store_destroy(s->store);
  ckpt_writer_destroy(s->writer);
  forget_meta(s);
  orr_free(s);
}
