#include "train/save/copies.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "train/save/store.h"

enum { OWN, OTHER, PARTS };

struct train_copies {
  train_axes *axes;
  train_state *state;
  ckpt_plan plan;
  ckpt_writer *writer[PARTS];
  train_store *store[PARTS];
  json_t *meta;
  int64_t step; // that is written and not concluded; 0 = none
};

static orr_code open_part(train_copies *x, const cfg *c, int part) {
  const dist_grid *g = &x->axes->grid;
  const int shift = part == OTHER ? (int)(c->ckpt.copies_shift % g->ranks) : 0;
  char root[ORR_PATH_MAX];
  ORR_CHECK(snprintf(root, sizeof root, "%s/rank-%06d", c->ckpt.copies_dir, g->rank) <
                (int)sizeof root,
            ORR_ECONFIG, "ckpt.copies_dir is too long");
  ckpt_writer_options o = {.root = root,
                           .rank = (g->rank + g->ranks - shift) % g->ranks,
                           .ranks = g->ranks,
                           .plan = x->axes->planning,
                           .own_root = true,
                           .stands_in = part == OTHER,
                           .keep = 2, // those of another rank may be one older
                           .arrived = train_store_arrived};
  kern_arena_init_pinned(x->state->k, &o.staging, "staging buffer of copies");
  ORR_TRY(ckpt_writer_create(&x->plan, &o, &x->writer[part]));
  return train_store_create(c, x->state, x->axes, x->writer[part], shift, &x->store[part]);
}

orr_code train_copies_create(const cfg *c, train_axes *axes, train_state *state,
                             train_copies **out) {
  orr_code rc = ORR_OK;
  *out = NULL;
  if (c->ckpt.copies_every == 0 || axes->grid.ranks == 1) return ORR_OK;
  train_copies *x = orr_calloc(1, sizeof *x);
  ORR_CHECK(x, ORR_ENOMEM, "copies: out of memory");
  *x = (train_copies){.axes = axes, .state = state};
  if (!axes->planning) rc = orr_fs_mkdirs(c->ckpt.copies_dir);
  if (rc == ORR_OK) rc = train_store_plan(state, c->ckpt.file_bytes, &x->plan);
  for (int i = 0; i < PARTS && rc == ORR_OK; i++) rc = open_part(x, c, i);
  if (rc != ORR_OK) {
    train_copies_destroy(x);
    return rc;
  }
  *out = x;
  return ORR_OK;
}

void train_copies_destroy(train_copies *x) {
  if (!x) return;
  for (int i = 0; i < PARTS; i++) {
    train_store_destroy(x->store[i]);
    ckpt_writer_destroy(x->writer[i]);
  }
  json_decref(x->meta);
  orr_free(x);
}

// Both parts, written when this returns.
static orr_code write_parts(train_copies *x, int64_t step) {
  ORR_TRY(train_axes_agree(x->axes,
                           x->axes->planning ? ORR_OK : ckpt_save_prepare(x->writer[OWN], step),
                           "prepare copies"));
  for (int i = 0; i < PARTS; i++) {
    ORR_TRY(train_store_collect(x->store[i]));
    const orr_code rc = x->axes->planning
                            ? ORR_OK
                            : ckpt_save_begin(x->writer[i], step, train_store_get, x->store[i]);
    ORR_TRY(train_axes_agree(x->axes, rc, "write copies"));
  }
  return ORR_OK;
}

static void give_up(train_copies *x, int64_t step) {
  if (x->axes->grid.rank == 0)
    ORR_WARN("copies of step %" PRId64 " were not made: %s; training goes on", step,
             orr_status_message());
  orr_status_clear();
  ckpt_save_abandon(x->writer[OWN]);
  json_decref(x->meta);
  x->meta = NULL;
  x->step = 0;
}

orr_code train_copies_make(train_copies *x, int64_t step, json_t *meta) {
  json_decref(x->meta);
  x->meta = meta;
  x->step = step;
  const orr_code rc = write_parts(x, step);
  if (rc == ORR_OK || rc == ORR_ECOMM) return rc;
  give_up(x, step);
  return ORR_OK;
}

static orr_code keep(train_copies *x) {
  const char *sums = NULL;
  char **texts = NULL;
  const bool first = x->axes->grid.rank == 0;
  ORR_TRY(train_axes_agree(x->axes, ckpt_save_sums(x->writer[OWN], &sums), "sums of copies"));
  ORR_TRY(train_axes_gather_text(x->axes, DIST_AXIS_WORLD, sums, 0, &texts));
  const orr_code rc = first ? ckpt_save_commit(x->writer[OWN], (const char *const *)texts, x->meta)
                            : ckpt_save_keep(x->writer[OWN]);
  dist_texts_free(texts, x->axes->grid.ranks);
  return train_axes_agree(x->axes, rc, "keep copies");
}

orr_code train_copies_conclude(train_copies *x) {
  const int64_t step = x->step;
  if (step == 0) return ORR_OK;
  const orr_code rc = keep(x);
  if (rc == ORR_ECOMM) return rc;
  if (rc != ORR_OK) give_up(x, step);
  x->step = 0;
  return ORR_OK;
}

orr_code train_copies_plan(const cfg *c, train_axes *axes, train_state *state,
                           train_saver_needs *out) {
  train_copies *x = NULL;
  train_moved before[DIST_AXES][TRAIN_MOVES];
  ORR_TRY(train_copies_create(c, axes, state, &x));
  if (!x) return ORR_OK;
  memcpy(before, axes->moved, sizeof before);
  memset(axes->moved, 0, sizeof axes->moved);
  orr_code rc = write_parts(x, 1);
  if (rc == ORR_OK) rc = train_axes_agree(axes, ORR_OK, "sums of copies");
  train_axes_count_text(axes, DIST_AXIS_WORLD, ckpt_writer_sums_bytes(x->writer[OWN]));
  if (rc == ORR_OK) rc = train_axes_agree(axes, ORR_OK, "keep copies");
  memcpy(out->moved, axes->moved, sizeof out->moved);
  memcpy(axes->moved, before, sizeof before);
  for (int i = 0; i < PARTS; i++)
    out->host_bytes += ckpt_writer_host_bytes(x->writer[i]) + train_store_bytes(x->store[i]);
  train_copies_destroy(x);
  return rc;
}
