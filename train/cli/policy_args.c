#include "train/cli/policy_args.h"

#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"

// The first line of its file, which nobody sees in a list of processes.
static orr_code read_key(const orr_args *a, train_policy_args *p) {
  const char *file = orr_args_text(a, "policy-key", NULL);
  size_t size;
  if (!file) return ORR_OK;
  ORR_TRY(orr_fs_read_all(file, &p->key, &size));
  p->key[strcspn(p->key, "\r\n")] = '\0';
  ORR_CHECK(p->key[0], ORR_ECONFIG, "--policy-key: %s holds no key", file);
  return ORR_OK;
}

static orr_code read_parts(const orr_args *a, const char *prompt, train_policy_args *p) {
  static const char *const usual[] = {"observation/image=frame", "observation/state=action",
                                      "prompt=text:", NULL};
  const char *text;
  const bool given = orr_args_nth(a, "observe", 0) != NULL;
  for (int i = 0; (text = given ? orr_args_nth(a, "observe", i) : usual[i]) != NULL; i++) {
    ORR_CHECK(i < TRAIN_POLICY_PARTS, ORR_ECONFIG, "--observe: at most %d",
              (int)TRAIN_POLICY_PARTS);
    ORR_TRY(train_policy_part_read(text, &p->part[i]));
    if (!given && p->part[i].what == TRAIN_POLICY_TEXT) p->part[i].text = prompt;
    p->parts++;
  }
  return ORR_OK;
}

orr_code train_policy_args_read(const orr_args *a, const char *prompt, train_policy_args *p) {
  *p = (train_policy_args){.patience_s = 60.0};
  ORR_TRY(orr_args_i64(a, "replan", 1, 1000000, &p->replan));
  ORR_TRY(orr_args_f64(a, "patience", 0.1, 86400.0, &p->patience_s));
  ORR_TRY(read_key(a, p));
  return read_parts(a, prompt, p);
}

void train_policy_args_release(train_policy_args *p) {
  orr_free(p->key);
}
