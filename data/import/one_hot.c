#include "data/import/one_hot.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define NUMBERED 32 // bytes of "action_" and a number

// What component i is called: by its source, else by its number; the only one is "action", too.
static bool is_called(const data_import_actions *a, int64_t i, const char *name) {
  char numbered[NUMBERED];
  snprintf(numbered, sizeof numbered, "action_%" PRId64, i);
  if (a->names && strcmp(a->names[i], name) == 0) return true;
  if (a->A == 1 && strcmp(name, "action") == 0) return true;
  return !a->names && strcmp(numbered, name) == 0;
}

static const data_one_hot *choices_of(const data_import_options *o, const data_import_actions *a,
                                      int64_t i) {
  for (int64_t k = 0; k < o->one_hot_count; k++)
    if (is_called(a, i, o->one_hot[k].name)) return &o->one_hot[k];
  return NULL;
}

static orr_code check_names(const data_import_options *o, const data_import_episode *e,
                            const data_import_actions *a) {
  for (int64_t k = 0; k < o->one_hot_count; k++) {
    char all[600] = "";
    size_t at = 0;
    bool found = false;
    for (int64_t i = 0; i < a->A; i++) {
      found |= is_called(a, i, o->one_hot[k].name);
      if (at < sizeof all && a->names)
        at += (size_t)snprintf(all + at, sizeof all - at, "%s%s", i ? ", " : "", a->names[i]);
      else if (at < sizeof all)
        at += (size_t)snprintf(all + at, sizeof all - at, "%saction_%" PRId64, i ? ", " : "", i);
    }
    ORR_CHECK(found, ORR_ENOTFOUND, "%s: --one-hot: no component %s; there are: %s", e->name,
              o->one_hot[k].name, all);
  }
  return ORR_OK;
}

// Bytes of all names, and how many there will be.
static size_t measure(const data_import_options *o, const data_import_actions *a, int64_t *A) {
  size_t bytes = 0;
  *A = 0;
  for (int64_t i = 0; i < a->A; i++) {
    const data_one_hot *h = choices_of(o, a, i);
    size_t own = (a->names ? strlen(a->names[i]) : NUMBERED) + 2;
    for (int64_t c = 0; h && c < h->n; c++)
      bytes += own + (h->words ? strlen(h->words[c]) : NUMBERED);
    if (!h) bytes += own;
    *A += h ? h->n : 1;
  }
  return bytes;
}

static void name_components(const data_import_options *o, const data_import_actions *a,
                            char **names, char *text, size_t bytes) {
  const char *end = text + bytes;
  for (int64_t i = 0, to = 0; i < a->A; i++) {
    const data_one_hot *h = choices_of(o, a, i);
    char numbered[NUMBERED];
    snprintf(numbered, sizeof numbered, "action_%" PRId64, i);
    const char *own = a->names ? a->names[i] : numbered;
    for (int64_t c = 0; c < (h ? h->n : 1); c++, to++) {
      names[to] = text;
      size_t room = (size_t)(end - text);
      int n = !h         ? snprintf(text, room, "%s", own)
              : h->words ? snprintf(text, room, "%s_%s", own, h->words[c])
                         : snprintf(text, room, "%s_%" PRId64, own, c);
      text += n + 1;
    }
  }
}

static orr_code spread(const data_import_options *o, const data_import_episode *e,
                       const data_import_actions *a, int64_t A, float *v) {
  for (int64_t t = 0; t < a->rows; t++) {
    float *to = v + t * A;
    for (int64_t i = 0; i < a->A; i++) {
      const data_one_hot *h = choices_of(o, a, i);
      float value = a->v[t * a->A + i];
      if (!h) {
        *to++ = value;
        continue;
      }
      ORR_CHECK(isnan(value) || (value >= 0 && value < (float)h->n && value == floorf(value)),
                ORR_EFORMAT,
                "%s: row %" PRId64 " (the first is 0): %s is %g, wanted a whole number from 0 to "
                "%" PRId64 ", as --one-hot says",
                e->file, e->first + t, h->name, (double)value, h->n - 1);
      for (int64_t c = 0; c < h->n; c++) *to++ = isnan(value) ? value : value == (float)c;
    }
  }
  return ORR_OK;
}

orr_code data_import_one_hot(const data_import_options *o, const data_import_episode *e,
                             data_import_actions *a) {
  int64_t A;
  if (!o->one_hot_count || !a->A) return ORR_OK;
  ORR_TRY(check_names(o, e, a));
  size_t bytes = measure(o, a, &A);
  float *v = orr_malloc((size_t)(a->rows * A) * sizeof *v);
  char **names = orr_malloc((size_t)A * sizeof *names + bytes);
  orr_code rc = v && names ? spread(o, e, a, A, v)
                           : ORR_FAIL(ORR_ENOMEM, "%s: out of memory for its actions", e->name);
  if (rc != ORR_OK) {
    orr_free(v);
    orr_free(names);
    return rc;
  }
  name_components(o, a, names, (char *)(names + A), bytes);
  orr_free(a->v);
  orr_free(a->names);
  a->v = v;
  a->names = names;
  a->A = A;
  return ORR_OK;
}
