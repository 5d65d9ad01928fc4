#include "train/setup/run_data.h"

#include <stdio.h>
#include <string.h>

#include "data/set/index.h"
#include "train/model/tokenizer.h"

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

static orr_code branch_of(const cfg *c, data_remote *remote, int set, int32_t *id) {
  if (c->data.branch.n > set) return train_branch_id(c, c->data.branch.v[set], id);
  data_index *index;
  ORR_TRY(data_index_open_from(c->data.train.v[set], remote, &index));
  orr_code rc = train_branch_id(c, index->format.branch, id);
  data_index_close(index);
  return rc;
}

orr_code train_run_data_options(const cfg *c, data_remote *remote, int32_t *branch_ids,
                                data_mix_options *out) {
  ORR_CHECK(c->data.train.n > 0, ORR_ECONFIG,
            "data.train is empty: name at least one data set folder");
  const bool tokens = c->train.stage == CFG_STAGE_DYNAMICS;
  train_tokenizer_dims t;
  train_tokenizer_dims_from(c, &t);
  for (int i = 0; i < c->data.train.n; i++) ORR_TRY(branch_of(c, remote, i, &branch_ids[i]));
  *out = (data_mix_options){.dirs = (const char *const *)c->data.train.v,
                            .weights = c->data.weights.n ? c->data.weights.v : NULL,
                            .branch_ids = branch_ids,
                            .count = c->data.train.n,
                            .kind = tokens ? DATA_TOKENS : DATA_FRAMES,
                            .T = c->data.frames,
                            .stride = c->data.stride,
                            .height = t.rows * t.patch,
                            .width = t.cols * t.patch,
                            .S = c->model.rows * c->model.cols,
                            .codes = c->model.codes,
                            .A = c->model.actions,
                            .pass_bad_actions = true,
                            .remote = remote,
                            .chunk_cache_bytes = (size_t)c->data.chunk_cache_bytes};
  return ORR_OK;
}
