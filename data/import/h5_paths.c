#include "data/import/h5_paths.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "data/shard/h5_dataset.h"

#define PATH_LETTERS 1024

// A walk along the parts of one pattern.
typedef struct {
  hid_t file;
  const char *file_path, *pattern;
  data_h5_paths *out;
  char path[PATH_LETTERS], name[PATH_LETTERS];
  size_t length, name_length; // of both so far
  size_t starred;             // where the first part with a '*' begins
  bool any;                   // there is one
} walk;

// Whether `name` fits a part of a pattern; `stars` [size]: what its '*' stand for, one after the
// other.
static bool fits(const char *part, const char *name, char *stars, size_t size) {
  if (*part == 0) {
    *stars = 0;
    return *name == 0;
  }
  if (*part != '*') return *part == *name && fits(part + 1, name + 1, stars, size);
  for (size_t n = 0; n < size; n++) {
    if (fits(part + 1, name + n, stars + n, size - n)) {
      memcpy(stars, name, n);
      return true;
    }
    if (name[n] == 0) return false;
  }
  return false;
}

static orr_code add(walk *w) {
  data_h5_paths *out = w->out;
  if (out->n == out->room) {
    int64_t room = out->room ? 2 * out->room : 16;
    data_h5_path *v = orr_realloc(out->v, (size_t)room * sizeof *v);
    ORR_CHECK(v, ORR_ENOMEM, "%s: out of memory: cannot list %s", w->file_path, w->pattern);
    out->v = v;
    out->room = room;
  }
  out->v[out->n++] = (data_h5_path){orr_strdup(w->path), orr_strdup(w->any ? w->name : w->pattern),
                                    orr_strdup(w->path + (w->any ? w->starred : 1))};
  const data_h5_path *p = &out->v[out->n - 1];
  ORR_CHECK(p->path && p->name && p->starred, ORR_ENOMEM, "%s: out of memory: cannot list %s",
            w->file_path, w->pattern);
  return ORR_OK;
}

static orr_code follow(walk *w, const char *rest);

// Adds a part to one of the walk's two texts, with a slash in between; false where it does not fit.
static bool append(char *text, size_t *length, bool slash, const char *part) {
  int n = snprintf(text + *length, PATH_LETTERS - *length, "%s%s", slash ? "/" : "", part);
  bool good = n >= 0 && (size_t)n < PATH_LETTERS - *length;
  if (good) *length += (size_t)n;
  return good;
}

static orr_code fail_long(const walk *w) {
  return ORR_FAIL(ORR_EINVAL, "%s: a path of more than %d letters fits %s", w->file_path,
                  PATH_LETTERS - 1, w->pattern);
}

// Goes on with one name of the group that the walk has reached.
static orr_code follow_name(walk *w, const char *part, const char *name, const char *rest) {
  const size_t length = w->length, name_length = w->name_length;
  const bool any = w->any;
  char stars[PATH_LETTERS];
  orr_code rc = ORR_OK;
  if (!fits(part, name, stars, sizeof stars)) return ORR_OK;
  if (!any) w->starred = length + 1;
  w->any = true;
  if (append(w->path, &w->length, true, name) && append(w->name, &w->name_length, any, stars))
    rc = follow(w, rest);
  else
    rc = fail_long(w);
  w->path[w->length = length] = 0;
  w->name[w->name_length = name_length] = 0;
  w->any = any;
  return rc;
}

static orr_code follow_star(walk *w, const char *part, const char *rest) {
  char **names = NULL;
  int64_t n = 0;
  orr_code rc = ORR_OK;
  const char *group = w->length ? w->path : "/";
  if (!data_h5_is_group(w->file, group)) return ORR_OK;
  ORR_TRY(data_h5_list(w->file, w->file_path, group, &names, &n));
  for (int64_t i = 0; rc == ORR_OK && i < n; i++) rc = follow_name(w, part, names[i], rest);
  orr_free(names);
  return rc;
}

// Goes on along what is left of the pattern.
static orr_code follow(walk *w, const char *rest) {
  char part[PATH_LETTERS];
  while (*rest == '/') rest++;
  if (!*rest) return add(w);
  const size_t n = strcspn(rest, "/"), before = w->length;
  if (n >= sizeof part) return fail_long(w);
  memcpy(part, rest, n);
  part[n] = 0;
  if (strchr(part, '*')) return follow_star(w, part, rest + n);
  orr_code rc = append(w->path, &w->length, true, part) ? follow(w, rest + n) : fail_long(w);
  w->path[w->length = before] = 0;
  return rc;
}

orr_code data_h5_paths_find(hid_t file, const char *file_path, const char *group,
                            const char *pattern, data_h5_paths *out) {
  walk w = {.file = file, .file_path = file_path, .pattern = pattern, .out = out};
  const char *base = pattern[0] == '/' || strcmp(group, "/") == 0 ? "" : group;
  ORR_CHECK(strlen(base) < sizeof w.path, ORR_EINVAL, "%s: a path of more than %d letters", base,
            PATH_LETTERS - 2);
  w.length = (size_t)snprintf(w.path, sizeof w.path, "%s", base);
  return follow(&w, pattern);
}

bool data_h5_paths_first(hid_t file, const char *group, const char *alternatives, char *out,
                         size_t size) {
  for (const char *at = alternatives; at && *at;) {
    const size_t n = strcspn(at, "|");
    const char *base = at[0] == '/' || strcmp(group, "/") == 0 ? "" : group;
    snprintf(out, size, "%s/%.*s", base, (int)n - (at[0] == '/'), at + (at[0] == '/'));
    if (data_h5_has(file, out)) return true;
    at += n + (at[n] == '|');
  }
  return false;
}

bool data_h5_paths_any(hid_t file, const char *pattern) {
  data_h5_paths found = {0};
  bool any = false;
  if (data_h5_paths_find(file, "", "", pattern, &found) == ORR_OK)
    for (int64_t i = 0; !any && i < found.n; i++) any = data_h5_has(file, found.v[i].path);
  data_h5_paths_release(&found);
  orr_status_clear();
  H5Eclear2(H5E_DEFAULT);
  return any;
}

void data_h5_paths_release(data_h5_paths *p) {
  for (int64_t i = 0; i < p->n; i++) {
    orr_free(p->v[i].starred);
    orr_free(p->v[i].name);
    orr_free(p->v[i].path);
  }
  orr_free(p->v);
  *p = (data_h5_paths){0};
}
