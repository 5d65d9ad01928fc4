#include "train/cli/config_new.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cores.h"
#include "base/fs.h"
#include "base/log.h"
#include "train/infer/loaded_model.h"
#include "train/setup/remote_data.h"
#include "train/setup/starter.h"
#include "train/step/peak.h"

enum { TRIES = 5 }; // the best counts: others may have had the machine in the rest

// What a run with run.device auto would compute on, and how fast.
static orr_code measure_machine(train_starter *s, char *machine, size_t size) {
  const kern_setup setup = {.device = KERN_DEVICE_AUTO};
  kern *k = NULL;
  ORR_TRY(kern_open(&setup, &k));
  snprintf(machine, size, "%s (%s), %d threads", k->table->name, k->isa, k->threads);
  const kern_dtype type = k->bf16_pays ? KERN_BF16 : KERN_F32;
  kern_destroy(k);
  s->machine = machine;
  for (int i = 0; i < TRIES; i++) {
    double rate = 0.0;
    ORR_TRY(train_peak_try(&setup, type, &rate));
    if (rate > s->rate) s->rate = rate;
  }
  return ORR_OK;
}

// The tokenizer of a data set of tokens: the one named, or the one that it names.
static orr_code find_tokenizer(const orr_args *a, train_starter *s, cfg **c) {
  const char *said = json_string_value(json_object_get(s->set->json, "tokenizer"));
  s->checkpoint = orr_args_text(a, "tokenizer", said);
  ORR_CHECK(s->checkpoint, ORR_ECONFIG,
            "%s does not say which tokenizer made its tokens: give --tokenizer CHECKPOINT",
            s->data);
  ORR_TRY(train_loaded_model_config(s->checkpoint, c));
  ORR_CHECK((*c)->train.stage == CFG_STAGE_TOKENIZER, ORR_EINVAL,
            "%s holds a dynamics model, wanted a tokenizer", s->checkpoint);
  s->tokenizer = *c;
  return ORR_OK;
}

static orr_code write_text(const char *path, const char *yaml) {
  if (!path) {
    fputs(yaml, stdout);
    return ORR_OK;
  }
  ORR_CHECK(!orr_fs_exists(path), ORR_EINVAL,
            "%s is there already: name another file by --out, or remove it", path);
  ORR_TRY(orr_fs_write_atomic(path, yaml, strlen(yaml)));
  ORR_INFO("%s: try `orrery train %s --dry-run`", path, path);
  return ORR_OK;
}

static orr_code write_config(const orr_args *a, train_starter *s, cfg *c) {
  char machine[256], *yaml = NULL;
  cfg *tokenizer = NULL;
  orr_code rc = ORR_OK;
  if (s->stage == CFG_STAGE_DYNAMICS) rc = find_tokenizer(a, s, &tokenizer);
  if (rc == ORR_OK) rc = measure_machine(s, machine, sizeof machine);
  if (rc == ORR_OK) rc = train_starter_choose(s, c);
  if (rc == ORR_OK) rc = train_starter_text(s, c, &yaml);
  if (rc == ORR_OK) rc = write_text(orr_args_text(a, "out", NULL), yaml);
  free(yaml); // the C library's
  cfg_destroy(tokenizer);
  return rc;
}

orr_code train_config_new(const orr_args *a) {
  const char *stage = a->operands > 1 ? a->operand[1] : "";
  train_starter s = {.minutes = 30};
  data_remote *remote = NULL;
  data_index *set = NULL;
  cfg *c = NULL;
  orr_code rc;
  s.stage = strcmp(stage, "dynamics") == 0 ? CFG_STAGE_DYNAMICS : CFG_STAGE_TOKENIZER;
  ORR_CHECK(s.stage == CFG_STAGE_DYNAMICS || strcmp(stage, "tokenizer") == 0, ORR_ECONFIG,
            "orrery config new: got '%s', wanted tokenizer or dynamics", stage);
  ORR_TRY(orr_args_require(a, "data", &s.data));
  ORR_TRY(orr_args_f64(a, "minutes", 0.01, 1e7, &s.minutes));
  ORR_TRY(cfg_create(&c));
  ORR_TRY_GOTO(train_remote_create(c, &remote), out);
  ORR_TRY_GOTO(data_index_open_from(s.data, remote, &set), out);
  s.set = set;
  rc = write_config(a, &s, c);
out:
  data_index_close(set);
  data_remote_destroy(remote);
  cfg_destroy(c);
  return rc;
}
