#include "train/save/resume.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"

// *path is empty when there is nothing to resume.
static orr_code choose(const char *run_dir, const char *resume, char path[4096]) {
  orr_path root;
  ckpt_reader *reader = NULL;
  path[0] = '\0';
  if (strcmp(resume, "none") == 0) return ORR_OK;
  const bool automatic = strcmp(resume, "auto") == 0;
  if (automatic) {
    ORR_TRY(orr_fs_join(root, sizeof root, run_dir, "ckpt"));
    if (!orr_fs_is_dir(root)) return ORR_OK;
  }
  orr_code rc = ckpt_open(automatic ? root : resume, &reader);
  if (automatic && rc == ORR_ENOTFOUND) {
    orr_status_clear();
    return ORR_OK;
  }
  if (rc == ORR_OK) snprintf(path, 4096, "%s", ckpt_reader_path(reader));
  ckpt_close(reader);
  return rc;
}

orr_code train_resume_open(dist_comm *all, const char *run_dir, const char *resume,
                           ckpt_reader **out) {
  char path[4096] = "";
  *out = NULL;
  const orr_code rc = dist_comm_rank(all) == 0 ? choose(run_dir, resume, path) : ORR_OK;
  ORR_TRY(dist_agree(all, rc, "choose a checkpoint"));
  ORR_TRY(dist_broadcast(all, path, sizeof path, DIST_U8, 0));
  return path[0] ? ckpt_open(path, out) : ORR_OK;
}

int64_t train_resume_ahead(const ckpt_reader *r) {
  return json_integer_value(json_object_get(ckpt_reader_meta(r), "ahead_steps"));
}

static orr_code read_config(const ckpt_reader *r, cfg **out) {
  const char *text = json_string_value(json_object_get(ckpt_reader_meta(r), "config"));
  ORR_CHECK(text, ORR_EFORMAT, "%s: manifest has no \"config\": not a checkpoint of orrery train",
            ckpt_reader_path(r));
  ORR_TRY(cfg_create(out));
  return cfg_read_text(*out, ckpt_reader_path(r), text, strlen(text));
}

static orr_code read_own(const char *run_dir, cfg **out) {
  orr_path path;
  ORR_TRY(orr_fs_join(path, sizeof path, run_dir, "config.yaml"));
  if (!orr_fs_exists(path)) return ORR_OK;
  ORR_TRY(cfg_create(out));
  return cfg_read_file(*out, path);
}

// Rank 0's part. A config.yaml that cannot be read is no reason to end: the run writes it anew.
static orr_code find_config(const char *run_dir, const char *resume, cfg **out) {
  orr_path path;
  ckpt_reader *reader = NULL;
  if (strcmp(resume, "auto") == 0) {
    if (read_own(run_dir, out) == ORR_OK && *out) return ORR_OK;
    cfg_destroy(*out);
    *out = NULL;
    orr_status_clear();
  }
  ORR_TRY(choose(run_dir, resume, path));
  if (!path[0]) return ORR_OK;
  ORR_TRY(ckpt_open(path, &reader));
  const orr_code rc = read_config(reader, out);
  ckpt_close(reader);
  return rc;
}

// To the other ranks, as text.
static orr_code share_config(dist_comm *all, cfg **config) {
  char *text = NULL;
  orr_code rc = *config ? cfg_print(*config, &text) : ORR_OK;
  int64_t bytes = text ? (int64_t)strlen(text) : 0;
  ORR_TRY_GOTO(dist_agree(all, rc, "print the run's configuration"), done);
  ORR_TRY_GOTO(dist_broadcast(all, &bytes, 1, DIST_I64, 0), done);
  if (bytes == 0) goto done;
  if (!text) text = orr_malloc((size_t)bytes);
  rc = text ? ORR_OK : ORR_FAIL(ORR_ENOMEM, "out of memory for the run's configuration");
  ORR_TRY_GOTO(dist_agree(all, rc, "read the run's configuration"), done);
  ORR_TRY_GOTO(dist_broadcast(all, text, bytes, DIST_U8, 0), done);
  if (!*config) rc = cfg_create(config);
  if (rc == ORR_OK) rc = cfg_read_text(*config, "the run's configuration", text, (size_t)bytes);
  rc = dist_agree(all, rc, "take the run's configuration");
done:
  orr_free(text);
  return rc;
}

orr_code train_resume_config(dist_comm *all, const char *run_dir, const char *resume, cfg **out) {
  *out = NULL;
  orr_code rc = dist_comm_rank(all) == 0 ? find_config(run_dir, resume, out) : ORR_OK;
  rc = dist_agree(all, rc, "look for the run's configuration");
  if (rc == ORR_OK && dist_comm_size(all) > 1) rc = share_config(all, out);
  if (rc == ORR_OK) return ORR_OK;
  cfg_destroy(*out);
  *out = NULL;
  return rc;
}

static orr_code check_samples(const cfg *now, const ckpt_reader *r) {
  const json_t *samples = json_object_get(ckpt_reader_meta(r), "samples");
  const int64_t step = ckpt_reader_step(r) + train_resume_ahead(r),
                seen = json_integer_value(samples);
  ORR_CHECK(!json_is_integer(samples) || seen == step * now->train.batch, ORR_ECONFIG,
            "%s has seen %" PRId64 " clips in %" PRId64 " steps, train.batch %" PRId64
            " would make them %" PRId64 ": resume "
            "with the same train.batch, or start anew from its weights with --resume none and "
            "train.init_from",
            ckpt_reader_path(r), seen, step, now->train.batch, step * now->train.batch);
  return ORR_OK;
}

static bool begins_with(const char *text, const char *begin) {
  return strncmp(text, begin, strlen(begin)) == 0;
}

// Whether a key makes another model of it, so that the checkpoint's weights have no place in it.
// Keys of these sections that only weigh losses, draw masks or bound a rollout do not.
static bool decides_model(const cfg *c, const char *line) {
  static const char *const harmless[] = {
      "model.z_loss:", "model.full_mask:", "model.corrupt:", "model.action_drop:",
      "model.window:", "tokenizer.l1:",    "tokenizer.l2:",  "tokenizer.checkpoint:"};
  const bool tokenizer = c->train.stage == CFG_STAGE_TOKENIZER;
  for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
    if (begins_with(line, harmless[i])) return false;
  return begins_with(line, "train.stage:") ||
         begins_with(line, tokenizer ? "tokenizer." : "model.");
}

// `differences`: a line each, "key: then -> now"; taken apart here.
static orr_code judge(const cfg *now, const ckpt_reader *r, char *differences, bool say) {
  char *save = NULL;
  for (char *line = strtok_r(differences, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
    ORR_CHECK(!decides_model(now, line), ORR_ECONFIG,
              "%s is of another model: %s; resume with the same value, or train in another run.dir",
              ckpt_reader_path(r), line);
    if (say) ORR_WARN("%s: trained with another configuration: %s", ckpt_reader_path(r), line);
  }
  return ORR_OK;
}

orr_code train_resume_check(const cfg *now, const ckpt_reader *r, bool say) {
  cfg *then = NULL;
  char *differences = NULL;
  ORR_TRY(check_samples(now, r));
  orr_code rc = read_config(r, &then);
  if (rc == ORR_OK) rc = cfg_diff(then, now, &differences);
  if (rc == ORR_OK) rc = judge(now, r, differences, say);
  free(differences);
  cfg_destroy(then);
  return rc;
}
