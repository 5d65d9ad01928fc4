#include "train/live/house.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "train/setup/run_data.h"

enum { LOOKED_AT = 64 }; // episodes that ranges are taken from

static orr_code open_set(const train_live_world *w, const char *where, data_remote *remote,
                         train_live_furnished *f) {
  const int i = f->house.sets++;
  const char *slash = strrchr(where, '/');
  f->set[i].name = f->name[i] = orr_strdup(slash && slash[1] ? slash + 1 : where);
  ORR_CHECK(f->name[i], ORR_ENOMEM, "play: out of memory");
  ORR_TRY(train_episodes_open(where, remote, &f->set[i].episodes));
  f->set[i].scenery = train_live_scenery_of(train_episodes_index(f->set[i].episodes)->json);
  return train_world_model_fits(&w->m, train_episodes_index(f->set[i].episodes));
}

static orr_code name_components(train_live_furnished *f, int64_t A, const char *const *names) {
  f->house.A_set = A;
  f->component = orr_calloc((size_t)A, sizeof *f->component);
  f->low = orr_calloc((size_t)A, sizeof *f->low);
  f->high = orr_calloc((size_t)A, sizeof *f->high);
  ORR_CHECK(f->component && f->low && f->high, ORR_ENOMEM, "play: out of memory");
  for (int64_t i = 0; i < A; i++) {
    f->component[i] = names ? orr_strdup(names[i]) : orr_format("component %d", (int)i);
    ORR_CHECK(f->component[i], ORR_ENOMEM, "play: out of memory");
    f->low[i] = -1.0f;
    f->high[i] = 1.0f;
  }
  f->house.action_names = (const char *const *)f->component;
  f->house.action_low = f->low;
  f->house.action_high = f->high;
  return ORR_OK;
}

// Whether the components are bands of sound, all of them.
static bool is_sound(const train_live_furnished *f) {
  char name[8];
  for (int64_t i = 0; i < f->house.A_set; i++) {
    data_mel_name(i, name);
    if (i >= DATA_MEL_BANDS_MAX || strcmp(f->component[i], name) != 0) return false;
  }
  return true;
}

static void take_range(train_live_furnished *f, const float *actions, int64_t rows, bool first) {
  const int64_t A = f->house.A_set;
  for (int64_t t = 0; t < rows; t++)
    for (int64_t i = 0; i < A; i++) {
      const float v = actions[t * A + i];
      if (!isfinite(v)) continue;
      f->low[i] = first && t == 0 ? v : fminf(f->low[i], v);
      f->high[i] = first && t == 0 ? v : fmaxf(f->high[i], v);
    }
}

// What the actions of the first episodes reach.
static orr_code range_components(const train_live_world *w, train_live_furnished *f) {
  train_episodes *e = f->set[0].episodes;
  const int64_t stride = w->m.dynamics->c->data.stride;
  int64_t count = train_episodes_count(e);
  if (count > LOOKED_AT) count = LOOKED_AT;
  for (int64_t i = 0; i < count; i++) {
    int64_t length = 0;
    ORR_TRY(train_episodes_length(e, i, 0, stride, &length));
    if (length < 2) continue;
    float *actions = orr_malloc((size_t)(length * f->house.A_set) * sizeof *actions);
    ORR_CHECK(actions, ORR_ENOMEM, "play: out of memory");
    const orr_code rc = train_episodes_read_actions(e, i, 0, length, stride, actions);
    if (rc == ORR_OK) take_range(f, actions, length - 1, i == 0);
    orr_free(actions);
    ORR_TRY(rc);
  }
  for (int64_t i = 0; i < f->house.A_set; i++)
    if (!(f->low[i] < f->high[i])) f->low[i] = -1.0f, f->high[i] = 1.0f;
  return ORR_OK;
}

static orr_code furnish(const train_live_world *w, data_remote *remote, train_live_furnished *f) {
  const cfg *c = w->m.dynamics->c;
  train_live_house *h = &f->house;
  h->set = f->set;
  h->prompt = c->eval.prompt;
  h->settings = (train_engine_settings){.steps = c->eval.steps,
                                        .temperature = c->eval.temperature,
                                        .choice_temperature = c->eval.choice_temperature,
                                        .seed = (uint64_t)c->eval.seed};
  h->fps = 10.0;
  if (!h->sets) return name_components(f, w->A, NULL);
  const data_shard_format *format = &train_episodes_index(f->set[0].episodes)->format;
  h->fps = format->fps / (double)c->data.stride;
  ORR_TRY(train_branch_id(c, format->branch, &h->branch));
  ORR_TRY(name_components(f, format->A, format->action_names));
  if (is_sound(f)) {
    h->hearing = (train_live_hearing){.bands = format->A, .fps = h->fps};
    h->rest = DATA_MEL_SILENCE;
  }
  return range_components(w, f);
}

orr_code train_live_house_open(const train_live_world *w, const char *const *where, int count,
                               data_remote *remote, train_live_furnished *f) {
  *f = (train_live_furnished){0};
  ORR_CHECK(count <= TRAIN_LIVE_SETS, ORR_ECONFIG, "play: %d data sets, at most %d", count,
            (int)TRAIN_LIVE_SETS);
  for (int i = 0; i < count; i++) ORR_TRY(open_set(w, where[i], remote, f));
  return furnish(w, remote, f);
}

orr_code train_live_house_name(train_live_furnished *f, const json_t *start) {
  const json_t *names = json_object_get(start, "actions");
  const size_t n = json_array_size(names);
  if (f->house.sets || n == 0 || n > (size_t)f->house.A_set) return ORR_OK;
  while ((size_t)f->house.A_set > n) // the model takes more than its data set had
    orr_free(f->component[--f->house.A_set]);
  for (size_t i = 0; i < n; i++) {
    const char *name = json_string_value(json_array_get(names, i));
    char *copy = name ? orr_strdup(name) : NULL;
    if (!name) continue;
    ORR_CHECK(copy, ORR_ENOMEM, "play: out of memory");
    orr_free(f->component[i]);
    f->component[i] = copy;
  }
  return ORR_OK;
}

void train_live_house_close(train_live_furnished *f) {
  for (int i = 0; i < f->house.sets; i++) {
    train_episodes_close(f->set[i].episodes);
    orr_free(f->name[i]);
  }
  for (int64_t i = 0; f->component && i < f->house.A_set; i++) orr_free(f->component[i]);
  orr_free(f->high);
  orr_free(f->low);
  orr_free(f->component);
}
