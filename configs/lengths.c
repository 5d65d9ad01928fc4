// Reading a file and assignments over it, and the lengths of the schedule that go with
// train.steps: somebody who changes that alone means a shorter run of the same shape.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "configs/config.h"

enum { UNSAID = -1 }; // out of the rows' ranges

typedef struct {
  const char *name;
  int64_t *value; // in the configuration
  int64_t said;   // what it is, as it was said last,
  int64_t of;     // and of how many train.steps
} length;

enum { WARMUP, DECAY, LENGTHS };

// Before a source of values is read.
static void listen(length all[LENGTHS]) {
  for (int i = 0; i < LENGTHS; i++) *all[i].value = UNSAID;
}

// After it.
static void hear(const cfg *c, length all[LENGTHS]) {
  for (int i = 0; i < LENGTHS; i++) {
    length *l = &all[i];
    if (*l->value == UNSAID) {
      *l->value = l->said;
    } else {
      l->said = *l->value;
      l->of = c->train.steps;
    }
  }
}

static void shrink(const cfg *c, length *l, char *words, size_t size) {
  const int64_t least = l->said > 0; // a warm-up of none is another schedule
  if (l->of <= c->train.steps) return;
  const int64_t fits = l->said * c->train.steps / l->of; // both at most 1e9
  *l->value = fits > least ? fits : least;
  const size_t used = strlen(words);
  snprintf(words + used, size - used, "%s%s %" PRId64 " of %" PRId64 " steps becomes %" PRId64,
           used ? ", " : "", l->name, l->said, l->of, *l->value);
}

orr_code cfg_read(cfg *c, const char *path, const char *const *assignments, char *words,
                  size_t size) {
  length all[LENGTHS] = {
      [WARMUP] = {.name = "optim.warmup_steps", .value = &c->optim.warmup_steps},
      [DECAY] = {.name = "optim.decay_steps", .value = &c->optim.decay_steps},
  };
  words[0] = '\0';
  hear(c, all); // the defaults
  listen(all);
  if (path) ORR_TRY(cfg_read_file(c, path));
  hear(c, all);
  listen(all);
  for (; *assignments; assignments++) ORR_TRY(cfg_set(c, *assignments));
  hear(c, all);
  const bool decays = c->optim.schedule == CFG_SCHEDULE_WSD;
  if (*all[WARMUP].value + (decays ? *all[DECAY].value : 0) <= c->train.steps) return ORR_OK;
  shrink(c, &all[WARMUP], words, size);
  if (decays) shrink(c, &all[DECAY], words, size);
  return ORR_OK;
}
