#include "train/cli/decoding_args.h"

#include <string.h>

orr_code train_decoding_args(const orr_args *a, const cfg *c, train_engine_settings *out) {
  int64_t seed = c->eval.seed;
  *out = (train_engine_settings){.steps = c->eval.steps,
                                 .temperature = c->eval.temperature,
                                 .choice_temperature = c->eval.choice_temperature};
  ORR_TRY(orr_args_i64(a, "steps", 1, 1024, &out->steps));
  ORR_TRY(orr_args_f64(a, "temperature", 0.0, 100.0, &out->temperature));
  ORR_TRY(orr_args_f64(a, "choice-temperature", 0.0, 100.0, &out->choice_temperature));
  ORR_TRY(orr_args_i64(a, "seed", 0, 4294967295, &seed));
  out->seed = (uint64_t)seed;
  return ORR_OK;
}

orr_code train_carry_args(const orr_args *a, const cfg *c, bool *out) {
  const char *text = orr_args_text(a, "carry", c->eval.carry ? "on" : "off");
  ORR_CHECK(strcmp(text, "on") == 0 || strcmp(text, "off") == 0, ORR_ECONFIG,
            "--carry: got '%s', wanted on or off", text);
  *out = strcmp(text, "on") == 0;
  return ORR_OK;
}

orr_code train_memory_by_args(const orr_args *a, bool *by_pose) {
  const char *text = orr_args_text(a, "memory-by", *by_pose ? "pose" : "likeness");
  ORR_CHECK(strcmp(text, "pose") == 0 || strcmp(text, "likeness") == 0, ORR_ECONFIG,
            "--memory-by: got '%s', wanted likeness or pose", text);
  *by_pose = strcmp(text, "pose") == 0;
  return ORR_OK;
}
