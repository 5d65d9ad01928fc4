#include "checkpoints/root.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"

ckpt_name ckpt_tmp_name(int64_t step) {
  ckpt_name n;
  snprintf(n.s, sizeof(n.s), ".tmp-step-%08" PRId64, step);
  return n;
}

static ckpt_name step_or_replaced(int64_t step, bool replaced) {
  ckpt_name n;
  snprintf(n.s, sizeof(n.s), "step-%08" PRId64 "%s", step, replaced ? ".replaced" : "");
  return n;
}

static ckpt_name step_name(int64_t step) {
  return step_or_replaced(step, false);
}

// True for step-N and step-N.replaced.
static bool step_parse(const char *name, int64_t *step, bool *replaced) {
  if (strncmp(name, "step-", 5) != 0) return false;
  size_t digits = strspn(name + 5, "0123456789");
  if (digits < 8 || digits > 18) return false;
  *step = strtoll(name + 5, NULL, 10);
  *replaced = name[5 + digits] != 0;
  return strcmp(name, step_or_replaced(*step, *replaced).s) == 0;
}

// The step that `latest` names, -1 when there is no such file or it names nothing sensible.
static int64_t latest_step(const char *root) {
  char path[ORR_PATH_MAX], *text = NULL;
  size_t bytes;
  int64_t step = -1;
  bool replaced;
  if (orr_fs_join(path, sizeof(path), root, "latest") != ORR_OK || !orr_fs_exists(path)) return -1;
  if (orr_fs_read_all(path, &text, &bytes) != ORR_OK) {
    ORR_WARN("%s; the newest checkpoint is used", orr_status_message());
    return -1;
  }
  text[strcspn(text, "\r\n")] = 0;
  if (!step_parse(text, &step, &replaced)) {
    ORR_WARN("%s names '%.40s', wanted step-NNNNNNNN; the newest checkpoint is used", path, text);
    step = -1;
  }
  orr_free(text);
  return step;
}

// -- listing --------------------------------------------------------------------------------

// Calls `each` with every name in the folder; ends early when it fails. A missing folder is empty.
static orr_code for_each_name(const char *root, orr_code (*each)(void *ctx, const char *name),
                              void *ctx) {
  orr_code rc = ORR_OK;
  DIR *dir = opendir(root);
  if (!dir && errno == ENOENT) return ORR_OK;
  ORR_CHECK(dir, ORR_EIO, "%s: cannot list this folder: %s", root, strerror(errno));
  for (struct dirent *d; rc == ORR_OK && (d = readdir(dir));) rc = each(ctx, d->d_name);
  closedir(dir);
  return rc;
}

typedef struct {
  ckpt_candidate *items;
  int count, capacity;
} candidate_list;

static orr_code list_add(void *ctx, const char *name) {
  candidate_list *l = ctx;
  ckpt_candidate c;
  if (!step_parse(name, &c.step, &c.replaced)) return ORR_OK;
  if (l->count == l->capacity) {
    int capacity = l->capacity ? 2 * l->capacity : 16;
    void *p = orr_realloc(l->items, (size_t)capacity * sizeof(*l->items));
    ORR_CHECK(p, ORR_ENOMEM, "out of memory for a list of %d checkpoints", capacity);
    l->items = p;
    l->capacity = capacity;
  }
  c.name = step_or_replaced(c.step, c.replaced);
  l->items[l->count++] = c;
  return ORR_OK;
}

static int newest_first(const void *a, const void *b) {
  const ckpt_candidate *x = a, *y = b;
  if (x->step != y->step) return x->step > y->step ? -1 : 1;
  return (int)x->replaced - (int)y->replaced;
}

static orr_code list_steps(const char *root, candidate_list *l) {
  *l = (candidate_list){0};
  orr_code rc = for_each_name(root, list_add, l);
  if (rc != ORR_OK) {
    orr_free(l->items);
    *l = (candidate_list){0};
    return rc;
  }
  if (l->count) qsort(l->items, (size_t)l->count, sizeof(*l->items), newest_first);
  return ORR_OK;
}

// Moves the steps after `latest` after the others.
static orr_code later_last(candidate_list *l, int64_t latest) {
  int later = 0;
  while (later < l->count && l->items[later].step > latest) later++;
  if (later == 0 || later == l->count) return ORR_OK; // `latest` names nothing that is here
  ckpt_candidate *sorted = orr_malloc((size_t)l->count * sizeof(*sorted));
  ORR_CHECK(sorted, ORR_ENOMEM, "out of memory for a list of %d checkpoints", l->count);
  memcpy(sorted, l->items + later, (size_t)(l->count - later) * sizeof(*sorted));
  memcpy(sorted + l->count - later, l->items, (size_t)later * sizeof(*sorted));
  orr_free(l->items);
  l->items = sorted;
  l->capacity = l->count;
  return ORR_OK;
}

orr_code ckpt_root_candidates(const char *root, ckpt_candidate **out, int *count) {
  candidate_list l;
  int64_t latest = latest_step(root);
  bool present = false;
  ORR_TRY(list_steps(root, &l));
  for (int i = 0; i < l.count; i++) present |= l.items[i].step == latest;
  orr_code rc = present ? later_last(&l, latest) : ORR_OK;
  if (rc != ORR_OK) {
    orr_free(l.items);
    return rc;
  }
  *out = l.items;
  *count = l.count;
  return ORR_OK;
}

orr_code ckpt_root_look(const char *root, ckpt_root_kind *out) {
  struct stat s;
  candidate_list l;
  orr_path latest;
  *out = CKPT_ROOT_ABSENT;
  if (lstat(root, &s) != 0 && (errno == ENOENT || errno == ENOTDIR)) return ORR_OK;
  *out = S_ISLNK(s.st_mode) ? CKPT_ROOT_DANGLING : CKPT_ROOT_FILE;
  if (S_ISLNK(s.st_mode) && !orr_fs_exists(root)) return ORR_OK;
  *out = CKPT_ROOT_FILE;
  if (!orr_fs_is_dir(root)) return ORR_OK;
  ORR_TRY(list_steps(root, &l));
  ORR_TRY(orr_fs_join(latest, sizeof(latest), root, "latest"));
  *out = l.count > 0 ? CKPT_ROOT_FILLED : orr_fs_exists(latest) ? CKPT_ROOT_LOST : CKPT_ROOT_EMPTY;
  orr_free(l.items);
  return ORR_OK;
}

// -- changing -------------------------------------------------------------------------------

static orr_code remove_leftover(void *ctx, const char *name) {
  orr_path path;
  static const char *const begins[] = {".tmp-step-", ".tmp-try-", "latest.tmp-"};
  bool left = false;
  for (size_t i = 0; i < sizeof(begins) / sizeof(*begins); i++)
    left |= strncmp(name, begins[i], strlen(begins[i])) == 0;
  if (!left) return ORR_OK;
  ORR_TRY(orr_fs_join(path, sizeof(path), ctx, name));
  return orr_fs_remove_tree(path);
}

// Better to stop before the first byte than to fill the disk for everybody.
static orr_code check_space(const char *root, uint64_t bytes) {
  struct statvfs s;
  if (statvfs(root, &s) != 0 || s.f_blocks == 0) return ORR_OK; // the file system does not tell
  uint64_t free_bytes = (uint64_t)s.f_bavail * s.f_frsize;
  ORR_CHECK(free_bytes >= bytes, ORR_EFULL,
            "%s: a checkpoint takes %" PRIu64 " MB, %" PRIu64
            " MB are free; free some space, keep fewer checkpoints or choose another folder",
            root, (bytes + 999999) / 1000000, free_bytes / 1000000);
  return ORR_OK;
}

static orr_code rename_in(const char *root, const char *from, const char *to) {
  orr_path a, b;
  ORR_TRY(orr_fs_join(a, sizeof(a), root, from));
  ORR_TRY(orr_fs_join(b, sizeof(b), root, to));
  return orr_fs_rename(a, b);
}

static orr_code remove_in(const char *root, const char *name) {
  orr_path path;
  ORR_TRY(orr_fs_join(path, sizeof(path), root, name));
  return orr_fs_remove_tree(path);
}

// A crash between the two renames of a commit leaves step-N.replaced alone: it takes its name back.
static orr_code heal_replaced(const char *root) {
  candidate_list l;
  orr_path path;
  orr_code rc = list_steps(root, &l);
  for (int i = 0; i < l.count && rc == ORR_OK; i++) {
    if (!l.items[i].replaced) continue;
    ckpt_name name = step_name(l.items[i].step);
    rc = orr_fs_join(path, sizeof(path), root, name.s);
    if (rc != ORR_OK) break;
    rc = orr_fs_exists(path) ? remove_in(root, l.items[i].name.s)
                             : rename_in(root, l.items[i].name.s, name.s);
  }
  orr_free(l.items);
  return rc;
}

orr_code ckpt_sync_parent(const char *path) {
  char *parent = orr_strdup(path);
  ORR_CHECK(parent, ORR_ENOMEM, "%s: out of memory", path);
  char *slash = strrchr(parent, '/');
  if (slash) slash[slash == parent] = 0;
  orr_code rc = orr_fs_fsync_dir(slash ? parent : ".");
  orr_free(parent);
  return rc;
}

static orr_code make_root(const char *root) {
  if (orr_fs_is_dir(root)) return ORR_OK;
  ORR_TRY(orr_fs_mkdir(root)); // a run's folder that was moved away must not come back
  return ckpt_sync_parent(root);
}

orr_code ckpt_root_try(const char *root, int rank) {
  static const char page[4096];
  orr_path path;
  char name[32];
  int fd = -1;
  ORR_TRY(make_root(root));
  snprintf(name, sizeof(name), ".tmp-try-%d", rank);
  ORR_TRY(orr_fs_join(path, sizeof(path), root, name));
  ORR_TRY(orr_fs_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666, &fd));
  orr_code rc = orr_fs_pwrite_all(fd, path, page, sizeof(page), 0);
  if (rc == ORR_OK) rc = orr_fs_fsync(fd, path);
  close(fd);
  const orr_code removed = orr_fs_remove_tree(path);
  return rc != ORR_OK ? rc : removed;
}

orr_code ckpt_root_prepare(const char *root, int64_t step, uint64_t bytes) {
  orr_path path;
  ORR_TRY(make_root(root));
  ORR_TRY(for_each_name(root, remove_leftover, (void *)root));
  ORR_TRY(heal_replaced(root));
  ORR_TRY(check_space(root, bytes));
  ORR_TRY(orr_fs_join(path, sizeof(path), root, ckpt_tmp_name(step).s));
  return orr_fs_mkdir(path);
}

// A folder cannot be renamed over another one that is not empty, so the old one steps aside under a
// name that readers still know; retention removes it when the new one is in place.
static orr_code step_aside(const char *root, int64_t step) {
  ckpt_name name = step_name(step), old = step_or_replaced(step, true);
  ORR_TRY(remove_in(root, old.s)); // a step-N that is in place has replaced it for good
  return rename_in(root, name.s, old.s);
}

orr_code ckpt_root_publish(const char *root, int64_t step) {
  orr_path path;
  ckpt_name name = step_name(step);
  ORR_TRY(orr_fs_join(path, sizeof(path), root, name.s));
  if (orr_fs_exists(path)) ORR_TRY(step_aside(root, step));
  ORR_TRY(rename_in(root, ckpt_tmp_name(step).s, name.s));
  ORR_TRY(orr_fs_fsync_dir(root));
  ORR_TRY(orr_fs_join(path, sizeof(path), root, "latest"));
  char line[sizeof(name.s) + 1];
  int n = snprintf(line, sizeof(line), "%s\n", name.s);
  return orr_fs_write_atomic(path, line, (size_t)n);
}

// First out of the way in one step, then removed: a crash leaves no half checkpoint under its name.
static void retire(const char *root, const char *name) {
  char aside[96];
  snprintf(aside, sizeof(aside), ".tmp-%s.old", name);
  if (rename_in(root, name, aside) != ORR_OK || remove_in(root, aside) != ORR_OK)
    ORR_WARN("an old checkpoint stays: %s", orr_status_message());
}

void ckpt_root_retain(const char *root, int64_t step, int64_t keep, int64_t keep_every) {
  candidate_list l;
  if (list_steps(root, &l) != ORR_OK) {
    ORR_WARN("old checkpoints stay: %s", orr_status_message());
    return;
  }
  int64_t latest = latest_step(root), newer = 0;
  for (int i = 0; i < l.count; i++) {
    const ckpt_candidate *c = &l.items[i];
    if (c->step > step) continue; // of a run that was rolled back: not ours to remove
    if (c->replaced) {
      if (c->step == step) retire(root, c->name.s);
      continue;
    }
    bool ever = keep_every > 0 && c->step % keep_every == 0;
    if (keep > 0 && newer++ >= keep && !ever && c->step != latest) retire(root, c->name.s);
  }
  orr_free(l.items);
}

void ckpt_root_discard(const char *root, int64_t step) {
  if (remove_in(root, ckpt_tmp_name(step).s) != ORR_OK)
    ORR_WARN("an unfinished checkpoint stays: %s", orr_status_message());
}
