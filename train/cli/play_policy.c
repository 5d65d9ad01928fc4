#include "train/cli/play_policy.h"

#include <string.h>

#include "base/fs.h"
#include "base/mem.h"

// The first line of its file, which nobody sees in a list of processes.
static orr_code read_key(const orr_args *a, train_play_policy *p) {
  const char *file = orr_args_text(a, "policy-key", NULL);
  size_t size;
  if (!file) return ORR_OK;
  ORR_TRY(orr_fs_read_all(file, &p->key, &size));
  p->key[strcspn(p->key, "\r\n")] = '\0';
  ORR_CHECK(p->key[0], ORR_ECONFIG, "--policy-key: %s holds no key", file);
  p->o.key = p->key;
  return ORR_OK;
}

static orr_code read_parts(const orr_args *a, train_play_policy *p) {
  static const char *const usual[] = {"observation/image=frame", "observation/state=action",
                                      "prompt=text:", NULL};
  const char *text;
  const bool given = orr_args_nth(a, "observe", 0) != NULL;
  for (int i = 0; (text = given ? orr_args_nth(a, "observe", i) : usual[i]) != NULL; i++) {
    ORR_CHECK(i < TRAIN_PLAY_PARTS, ORR_ECONFIG, "--observe: at most %d", (int)TRAIN_PLAY_PARTS);
    ORR_TRY(train_policy_part_read(text, &p->part[i]));
    p->o.parts++;
  }
  p->o.part = p->part;
  return ORR_OK;
}

orr_code train_play_policy_read(const orr_args *a, train_play_policy *p) {
  *p = (train_play_policy){.o = {.address = orr_args_text(a, "policy", NULL),
                                 .patience_s = 60.0,
                                 .episodes = 1,
                                 .horizon = 200,
                                 .seed = 1,
                                 .out = orr_args_text(a, "out", NULL)}};
  static const char *const its[] = {"policy-key", "observe", "episodes", "horizon",
                                    "replan",     "seed",    "patience", "out"};
  for (size_t i = 0; !p->o.address && i < sizeof its / sizeof *its; i++)
    ORR_CHECK(!orr_args_nth(a, its[i], 0), ORR_ECONFIG, "play: --%s is for --policy ADDRESS",
              its[i]);
  ORR_TRY(orr_args_i64(a, "episodes", 1, 1000000, &p->o.episodes));
  ORR_TRY(orr_args_i64(a, "horizon", 1, 1000000, &p->o.horizon));
  ORR_TRY(orr_args_i64(a, "replan", 1, 1000000, &p->o.replan));
  ORR_TRY(orr_args_i64(a, "seed", 0, UINT32_MAX, &p->o.seed));
  ORR_TRY(orr_args_f64(a, "patience", 0.1, 86400.0, &p->o.patience_s));
  ORR_TRY(read_key(a, p));
  return read_parts(a, p);
}

void train_play_policy_release(train_play_policy *p) {
  orr_free(p->key);
}
