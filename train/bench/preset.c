#include "train/bench/preset.h"

#include <string.h>

typedef struct {
  const char *name;
  const char *const *settings; // configuration overrides, ended by NULL
} preset;

static const char *const small_settings[] = {
    "model.width=256",  "model.heads=4",     "model.kv_heads=4",
    "model.hidden=768", "model.layers=8",    "model.rows=8",
    "model.cols=8",     "model.registers=3", "model.time_every=4",
    "model.actions=8",  "model.codes=1000",  "model.z_loss=1e-4",
    "train.batch=8",    "data.frames=16",    NULL};
static const char *const large_settings[] = {
    "model.width=1920",  "model.heads=30",     "model.kv_heads=3",
    "model.hidden=5120", "model.layers=30",    "model.rows=16",
    "model.cols=16",     "model.registers=31", "model.time_every=4",
    "model.actions=32",  "model.codes=4096",   "model.z_loss=1e-4",
    "train.batch=1",     "data.frames=64",     NULL};
static const preset presets[] = {{"small", small_settings}, {"1b", large_settings}};

orr_code train_bench_preset(const char *name, cfg *c) {
  const preset *p = NULL;
  for (size_t i = 0; i < sizeof presets / sizeof *presets; i++)
    if (strcmp(presets[i].name, name) == 0) p = &presets[i];
  ORR_CHECK(p, ORR_ECONFIG, "--preset is '%s': wanted small or 1b", name);
  for (int i = 0; p->settings[i]; i++) ORR_TRY(cfg_set(c, p->settings[i]));
  return ORR_OK;
}
