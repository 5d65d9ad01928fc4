#include "train/setup/run_data.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "data/clips/clip_set.h"
#include "data/set/index.h"
#include "train/model/views.h"
#include "train/setup/remote_data.h"

orr_code train_branch_id(const cfg *c, const char *name, int32_t *id) {
  char known[512] = "";
  for (int i = 0; i < c->model.branches.n; i++) {
    if (strcmp(c->model.branches.v[i], name) == 0) {
      *id = i;
      return ORR_OK;
    }
    size_t used = strlen(known);
    snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", c->model.branches.v[i]);
  }
  return ORR_FAIL(ORR_ECONFIG,
                  "branch '%s' is not in model.branches (%s): add it there or set data.branch",
                  name, known);
}

static orr_code check_views(const cfg *c, const data_index *index) {
  data_views views;
  ORR_TRY(train_views_of(c, &views));
  return train_views_fit(&views, c->model.rows, c->model.cols, &index->format, index->dir);
}

// One data set: its branch, and whether it fits, into the list. Of a tokenizer's training neither
// branches nor actions are asked for. `elsewhere`: it need not be here.
static orr_code look_at_set(const cfg *c, int set, bool elsewhere, int32_t *id, data_mix_options *o,
                            orr_faults *f) {
  data_index *index = NULL;
  const orr_code opened = data_index_open_from(c->data.train.v[set], o->remote, &index);
  *id = 0;
  if (opened != ORR_OK && opened != ORR_ENOMEM && elsewhere) {
    ORR_WARN("data.train is not looked at: %s", orr_status_message());
    orr_status_clear();
    return ORR_OK;
  }
  ORR_TRY(orr_faults_take(f, opened));
  if (opened != ORR_OK) return ORR_OK;
  orr_code rc = ORR_OK;
  const char *branch = c->data.branch.n > set ? c->data.branch.v[set] : index->format.branch;
  if (c->train.stage == CFG_STAGE_DYNAMICS)
    rc = orr_faults_take(f, train_branch_id(c, branch, id));
  else if (index->format.A > o->A)
    o->A = index->format.A;
  if (rc == ORR_OK) rc = data_clip_set_check(index, o, f);
  if (rc == ORR_OK && c->train.stage == CFG_STAGE_DYNAMICS)
    rc = orr_faults_take(f, check_views(c, index));
  data_index_close(index);
  return rc;
}

static orr_code check_data(const cfg *c, data_remote *remote, bool elsewhere, int32_t *branch_ids,
                           data_mix_options *out, orr_faults *f) {
  const bool tokens = c->train.stage == CFG_STAGE_DYNAMICS;
  *out = (data_mix_options){.dirs = (const char *const *)c->data.train.v,
                            .weights = c->data.weights.n ? c->data.weights.v : NULL,
                            .branch_ids = branch_ids,
                            .count = c->data.train.n,
                            .kind = tokens ? DATA_TOKENS : DATA_FRAMES,
                            .T = c->data.frames,
                            .stride = c->data.stride,
                            .height = c->tokenizer.rows * c->tokenizer.patch,
                            .width = c->tokenizer.cols * c->tokenizer.patch,
                            .S = c->model.rows * c->model.cols,
                            .codes = c->model.codes,
                            .A = tokens ? c->model.actions : 1,
                            .outcomes = tokens && (c->model.reward_weight > 0.0 ||
                                                   c->model.done_weight > 0.0 ||
                                                   c->model.progress_weight > 0.0),
                            .pass_bad_actions = true,
                            .remote = remote,
                            .chunk_cache_bytes = (size_t)c->data.chunk_cache_bytes};
  if (c->data.train.n == 0)
    return orr_faults_take(f, ORR_FAIL(ORR_ECONFIG, "data.train is empty: name at least one data "
                                                    "set folder"));
  for (int i = 0; i < c->data.train.n; i++)
    ORR_TRY(look_at_set(c, i, elsewhere, &branch_ids[i], out, f));
  return ORR_OK;
}

orr_code train_run_data_options(const cfg *c, data_remote *remote, int32_t *branch_ids,
                                data_mix_options *out) {
  orr_faults f = {0};
  ORR_TRY(check_data(c, remote, false, branch_ids, out, &f));
  return orr_faults_end(&f);
}

orr_code train_run_data_look(const cfg *c, bool elsewhere, orr_faults *f) {
  data_remote *remote = NULL;
  data_mix_options o;
  int32_t *ids = orr_calloc((size_t)c->data.train.n + 1, sizeof *ids);
  ORR_CHECK(ids, ORR_ENOMEM, "data.train: out of memory");
  orr_code rc = orr_faults_take(f, train_remote_create(c, &remote));
  if (rc == ORR_OK && remote) rc = check_data(c, remote, elsewhere, ids, &o, f);
  data_remote_destroy(remote);
  orr_free(ids);
  return rc;
}
