#include "train/resume.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static orr_code read_config(const ckpt_reader *r, cfg **out) {
  const char *text = json_string_value(json_object_get(ckpt_reader_meta(r), "config"));
  ORR_CHECK(text, ORR_EFORMAT, "%s: manifest has no \"config\": not a checkpoint of orrery train",
            ckpt_reader_path(r));
  ORR_TRY(cfg_create(out));
  return cfg_read_text(*out, ckpt_reader_path(r), text, strlen(text));
}

static orr_code check_samples(const cfg *now, const ckpt_reader *r) {
  const json_t *samples = json_object_get(ckpt_reader_meta(r), "samples");
  const int64_t step = ckpt_reader_step(r), seen = json_integer_value(samples);
  ORR_CHECK(!json_is_integer(samples) || seen == step * now->train.batch, ORR_ECONFIG,
            "%s has seen %lld clips in %lld steps, train.batch %lld would make them %lld: resume "
            "with the same train.batch, or start anew from its weights with --resume none and "
            "train.init_from",
            ckpt_reader_path(r), (long long)seen, (long long)step, (long long)now->train.batch,
            (long long)(step * now->train.batch));
  return ORR_OK;
}

orr_code train_resume_check(const cfg *now, const ckpt_reader *r, bool say) {
  cfg *then = NULL;
  char *differences = NULL;
  ORR_TRY(check_samples(now, r));
  orr_code rc = read_config(r, &then);
  if (rc == ORR_OK) rc = cfg_diff(then, now, &differences);
  if (rc == ORR_OK && say) {
    char *save = NULL;
    for (char *line = strtok_r(differences, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
      ORR_WARN("%s: trained with another configuration: %s", ckpt_reader_path(r), line);
  }
  free(differences);
  cfg_destroy(then);
  return rc;
}
