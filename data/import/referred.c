#include "data/import/referred.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"

static bool holds(const data_import_referred *r, const char *path) {
  for (int64_t i = 0; i < r->n; i++)
    if (strcmp(r->v[i], path) == 0) return true;
  return false;
}

void data_import_referred_note(void *ctx, const char *path) {
  data_import_referred *r = ctx;
  if (!r || holds(r, path)) return;
  if (r->n == r->room) {
    int64_t room = r->room ? 2 * r->room : 16;
    char **v = orr_realloc(r->v, (size_t)room * sizeof *v);
    if (!v) return;
    r->v = v;
    r->room = room;
  }
  char *copy = orr_strdup(path);
  if (copy) r->v[r->n++] = copy;
}

void data_import_referred_forgive(const data_import_referred *r, data_import_faults *faults) {
  orr_path real;
  for (int64_t i = faults->n - 1; r->n && i >= 0; i--)
    if (realpath(faults->v[i].path, real) && holds(r, real)) data_import_faults_drop(faults, i);
}

void data_import_referred_release(data_import_referred *r) {
  for (int64_t i = 0; i < r->n; i++) orr_free(r->v[i]);
  orr_free(r->v);
  *r = (data_import_referred){0};
}
