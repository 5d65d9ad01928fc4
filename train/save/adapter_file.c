#include "train/save/adapter_file.h"

#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "checkpoints/export.h"
#include "train/model/outcome.h"
#include "train/save/token_maker.h"
#include "train/step/adapter.h"

static orr_code config_of(const ckpt_reader *r, cfg **out) {
  const char *text = json_string_value(json_object_get(ckpt_reader_meta(r), "config"));
  ORR_CHECK(text, ORR_EFORMAT, "%s: manifest has no \"config\": not a checkpoint of orrery train",
            ckpt_reader_path(r));
  ORR_TRY(cfg_create(out));
  return cfg_read_text(*out, ckpt_reader_path(r), text, strlen(text));
}

static json_t *list_of(const char *const *words, int n) {
  json_t *list = json_array();
  for (int i = 0; i < n; i++) json_array_append_new(list, json_string(words[i]));
  return list;
}

// What PEFT reads. Embeddings for actions and branches are modules that are saved whole; no_action
// is a parameter of its own, which PEFT puts into its place by its name.
static orr_code write_config(const cfg *c, const char *dir) {
  const char *whole[3 + TRAIN_OUTCOMES];
  const bool heads = train_adapter_whole(c, "heads");
  int n = 0;
  if (train_adapter_whole(c, "action")) whole[n++] = "embed.action";
  if (train_adapter_whole(c, "branch")) whole[n++] = "embed.branch";
  if (train_adapter_whole(c, "view") && c->model.views.n) whole[n++] = "embed.view";
  if (heads && c->model.reward_weight > 0.0) whole[n++] = "heads.reward";
  if (heads && c->model.done_weight > 0.0) whole[n++] = "heads.done";
  if (heads && c->model.progress_weight > 0.0) whole[n++] = "heads.progress";
  const double alpha = c->train.lora_alpha > 0.0 ? c->train.lora_alpha : (double)c->train.lora_rank;
  orr_path path;
  ORR_TRY(orr_fs_join(path, sizeof path, dir, "adapter_config.json"));
  json_t *j = json_pack(
      "{s:s, s:n, s:I, s:f, s:f, s:s, s:b, s:b, s:b, s:n, s:s, s:o, s:o}", "peft_type", "LORA",
      "task_type", "r", (json_int_t)c->train.lora_rank, "lora_alpha", alpha, "lora_dropout", 0.0,
      "bias", "none", "fan_in_fan_out", 0, "inference_mode", 1, "init_lora_weights", 1, "revision",
      "base_model_name_or_path", c->train.init_from, "target_modules",
      list_of((const char *const *)c->train.lora_targets.v, c->train.lora_targets.n),
      "modules_to_save", list_of(whole, n));
  ORR_CHECK(j, ORR_ENOMEM, "%s: out of memory", path);
  const orr_code rc = orr_json_store(path, j);
  json_decref(j);
  return rc;
}

static orr_code write_tensors(ckpt_reader *r, const char *dir, bool ema) {
  const json_t *meta = ckpt_reader_meta(r);
  const char *config = json_string_value(json_object_get(meta, "config")),
             *hash = json_string_value(json_object_get(meta, "base_hash"));
  const train_token_maker taught = train_token_maker_taught(r);
  const char *more[7] = {"orrery.config", config};
  orr_path path;
  int n = 2;
  if (hash) more[n++] = "orrery.base_hash", more[n++] = hash;
  if (taught.s[0]) more[n++] = "orrery.tokens_by", more[n++] = taught.s;
  ORR_TRY(orr_fs_join(path, sizeof path, dir, TRAIN_ADAPTER_FILE));
  return ckpt_export_as(
      r, path,
      &(ckpt_export_options){
          .dtype = CKPT_EXPORT_F32, .ema = ema, .prefix = TRAIN_ADAPTER_PREFIX, .more = more},
      NULL);
}

orr_code train_adapter_file_write(ckpt_reader *r, const char *dir, bool ema) {
  cfg *c = NULL;
  orr_code rc = config_of(r, &c);
  if (rc == ORR_OK && !train_adapter_is_on(c))
    rc = ORR_FAIL(ORR_EINVAL,
                  "%s: its run trained all weights, no adapter (train.lora_rank is 0); export "
                  "without --adapter",
                  ckpt_reader_path(r));
  if (rc == ORR_OK) rc = orr_fs_mkdirs(dir);
  if (rc == ORR_OK) rc = write_config(c, dir);
  if (rc == ORR_OK) rc = write_tensors(r, dir, ema);
  cfg_destroy(c);
  return rc;
}
