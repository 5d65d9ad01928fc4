#include "train/cli/eval_branches.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"

// What a set is called in the table: its branch, and where that is taken its folder as well.
static char *name_in(const json_t *all, const char *branch, const char *data) {
  return json_object_get(all, branch) ? orr_format("%s %s", branch, data) : orr_strdup(branch);
}

orr_code train_eval_branches_add(json_t *all, const char *branch, const char *data, json_t *one) {
  int rc = -1;
  char *name = name_in(all, branch, data);
  if (name) rc = json_object_set(all, name, one);
  orr_free(name);
  ORR_CHECK(rc == 0, ORR_ENOMEM, "evaluation by branch: out of memory");
  return ORR_OK;
}

orr_code train_eval_branches_strip(const json_t *all, const char *path, const char *branch,
                                   const char *data, char **out) {
  *out = NULL;
  if (!path) return ORR_OK;
  const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
  const size_t stem = dot ? (size_t)(dot - path) : strlen(path);
  char *name = name_in(all, branch, data);
  for (char *c = name; c && *c; c++)
    if (!isalnum((unsigned char)*c) && *c != '_') *c = '-'; // no folder is meant
  if (name) *out = orr_format("%.*s-%s%s", (int)stem, path, name, path + stem);
  orr_free(name);
  ORR_CHECK(*out, ORR_ENOMEM, "evaluation by branch: out of memory");
  return ORR_OK;
}

// A number, or entry `k` of a list (-1: its last one).
static const json_t *figure(const json_t *one, const char *name, int k) {
  const json_t *v = json_object_get(one, name);
  if (!json_is_array(v)) return v;
  return json_array_get(v, k < 0 ? json_array_size(v) - 1 : (size_t)k);
}

static void print_row(FILE *to, const json_t *all, const char *words, const char *name, int k) {
  const char *branch;
  json_t *one;
  bool any = false;
  json_object_foreach((json_t *)all, branch, one) any = any || json_is_number(figure(one, name, k));
  if (!any) return;
  fprintf(to, "  %-28s", words);
  json_object_foreach((json_t *)all, branch, one) {
    const json_t *v = figure(one, name, k);
    if (json_is_number(v))
      fprintf(to, " %12.3f", json_number_value(v));
    else
      fprintf(to, " %12s", "-");
  }
  fputc('\n', to);
}

void train_eval_branches_print(FILE *to, const json_t *all) {
  static const struct {
    const char *words, *name;
    int k;
  } rows[] = {
      {"tokenizer_psnr", "tokenizer_psnr", 0},
      {"loss", "loss", 0},
      {"gain_over_persistence", "gain_over_persistence", 0},
      {"psnr at 1", "psnr", 0},
      {"persistence_psnr at 1", "persistence_psnr", 0},
      {"psnr at 4", "psnr", 3},
      {"persistence_psnr at 4", "persistence_psnr", 3},
      {"psnr at the last", "psnr", -1},
      {"persistence_psnr at the last", "persistence_psnr", -1},
      {"delta_psnr", "delta_psnr", 0},
      {"action_shuffle_ratio", "action_shuffle_ratio", 0},
      {"effect_corr", "effect_corr", 0},
      {"reward_corr", "reward_corr", 0},
      {"done_accuracy", "done_accuracy", 0},
      {"progress_corr", "progress_corr", 0},
      {"action_accuracy", "action_accuracy", 0},
      {"revisit_gap_db", "revisit_gap_db", 0},
      {"things_kept", "things_kept", 0},
      {"things_doubled", "things_doubled", 0},
      {"mouth_corr", "mouth_corr", 0},
      {"av_offset_frames", "av_offset_frames", 0},
      {"audio_shuffle_ratio", "audio_shuffle_ratio", 0},
      {"mouth_in_silence", "mouth_in_silence", 0},
      {"eyes_shut", "eyes_shut", 0},
      {"real_eyes_shut", "real_eyes_shut", 0},
      {"blinks_a_minute", "blinks_a_minute", 0},
      {"real_blinks_a_minute", "real_blinks_a_minute", 0},
      {"identity_drift", "identity_drift", 0},
  };
  const char *branch;
  json_t *one;
  fprintf(to, "  %-28s", "");
  json_object_foreach((json_t *)all, branch, one) fprintf(to, " %12.12s", branch);
  fputc('\n', to);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    print_row(to, all, rows[i].words, rows[i].name, rows[i].k);
}
