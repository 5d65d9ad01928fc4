#include "train/cli/play_policy.h"

orr_code train_play_policy_read(const orr_args *a, train_play_policy *p) {
  *p = (train_play_policy){.o = {.address = orr_args_text(a, "policy", NULL),
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
  ORR_TRY(orr_args_i64(a, "seed", 0, UINT32_MAX, &p->o.seed));
  ORR_TRY(train_policy_args_read(a, "", &p->policy));
  p->o.key = p->policy.key;
  p->o.part = p->policy.part;
  p->o.parts = p->policy.parts;
  p->o.replan = p->policy.replan;
  p->o.patience_s = p->policy.patience_s;
  return ORR_OK;
}

void train_play_policy_release(train_play_policy *p) {
  train_policy_args_release(&p->policy);
}
