#define _GNU_SOURCE // sched_getaffinity, getline
#include "base/cores.h"

#include <math.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

enum { PATH_BYTES = 8192 };

static bool may_use(const orr_cores_mask *mask, int core) {
  return mask->word[core / 64] >> core % 64 & 1;
}

void orr_cores_allowed(orr_cores_mask *out) {
  memset(out, 0, sizeof *out);
  if (sched_getaffinity(0, sizeof *out, (cpu_set_t *)(void *)out->word) != 0) out->word[0] = 1;
}

void orr_cores_bind(const orr_cores_mask *mask) {
  (void)sched_setaffinity(0, sizeof *mask, (const cpu_set_t *)(const void *)mask->word);
}

int orr_cores_count(const orr_cores_mask *mask) {
  int n = 0;
  for (size_t i = 0; i < ORR_CORES_MAX / 64; i++) n += __builtin_popcountll(mask->word[i]);
  return n;
}

orr_cores_mask orr_cores_nth(const orr_cores_mask *mask, int n) {
  orr_cores_mask one = {{0}};
  for (int c = 0; c < ORR_CORES_MAX; c++)
    if (may_use(mask, c) && n-- == 0) {
      one.word[c / 64] = (uint64_t)1 << c % 64;
      break;
    }
  return one;
}

// -- quota ----------------------------------------------------------------------------------

// The groups of this process, by version, and what has been found about them.
typedef struct {
  const char *root;          // goes before paths
  char group[2][PATH_BYTES]; // of version 1's cpu controller, and of version 2; "" = in none
  bool seen[2];              // a mount shows that group
  double least[2];           // limit of the mounts that do; until one does, of all mounts' tops
} search;

// Whether `word` is one of the words between commas.
static bool lists(const char *words, const char *word) {
  const size_t n = strlen(word);
  for (const char *at = words; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
    if (strncmp(at, word, n) == 0 && (at[n] == ',' || at[n] == '\0')) return true;
  return false;
}

// Spaces and the like stand as \040 in mountinfo. What does not fit is no path: "".
static void copy_path(char *to, const char *from) {
  size_t n = 0;
  for (; *from && n + 1 < PATH_BYTES; n++) {
    const bool octal = from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] && from[3];
    to[n] = octal ? (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0')) : *from;
    from += octal ? 4 : 1;
  }
  to[*from ? 0 : n] = '\0';
}

// Calls f(line) for every line of a file, without its end; a file that is not there has none.
static void each_line(search *s, const char *path, void (*f)(char *line, search *s)) {
  char full[PATH_BYTES];
  if (snprintf(full, sizeof full, "%s%s", s->root, path) >= (int)sizeof full) return;
  FILE *file = fopen(full, "re");
  char *line = NULL;
  size_t bytes = 0;
  while (file && getline(&line, &bytes, file) > 0) {
    line[strcspn(line, "\n")] = '\0';
    f(line, s);
  }
  free(line);
  if (file) fclose(file);
}

// NUMBER:CONTROLLERS:GROUP; no controllers mean version 2.
static void read_membership(char *line, search *s) {
  char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
  if (!group) return;
  *controllers++ = *group++ = '\0';
  const bool v2 = *controllers == '\0';
  if (v2 || lists(controllers, "cpu")) copy_path(s->group[v2], group);
}

static bool read_text(const char *root, const char *folder, const char *name, char *text,
                      size_t size) {
  char full[2 * PATH_BYTES];
  if (snprintf(full, sizeof full, "%s%s/%s", root, folder, name) >= (int)sizeof full) return false;
  FILE *file = fopen(full, "re");
  const bool got = file && fgets(text, (int)size, file);
  if (file) fclose(file);
  return got;
}

// "QUOTA PERIOD" in microseconds; anything else ("max", -1) is no limit.
static double ratio_of(const char *text) {
  char *end;
  const double quota = strtod(text, &end), period = strtod(end, NULL);
  return end != text && quota > 0.0 && period > 0.0 ? quota / period : INFINITY;
}

static double limit_of(const char *root, const char *folder, bool v2) {
  char text[128] = "", period[64] = "";
  if (v2) return read_text(root, folder, "cpu.max", text, sizeof text) ? ratio_of(text) : INFINITY;
  if (!read_text(root, folder, "cpu.cfs_quota_us", text, 64) ||
      !read_text(root, folder, "cpu.cfs_period_us", period, sizeof period))
    return INFINITY;
  text[strcspn(text, "\n")] = ' ';
  strncat(text, period, sizeof text - strlen(text) - 1);
  return ratio_of(text);
}

// The least limit of a folder and of those above it, up to the mount.
static double least_limit(const char *root, const char *mount, const char *below, bool v2) {
  char folder[2 * PATH_BYTES];
  double least = INFINITY;
  snprintf(folder, sizeof folder, "%s%s", mount, below);
  for (const size_t top = strlen(mount);;) {
    least = fmin(least, limit_of(root, folder, v2));
    if (strlen(folder) <= top) return least;
    *strrchr(folder, '/') = '\0';
  }
}

// A mount whose top is the group `top`. A container that has no namespace of its own for groups
// knows its group by the host's name, and sees it as the mount's top.
static void look_at_mount(search *s, bool v2, const char *top, const char *mount) {
  const char *group = s->group[v2];
  const size_t n = strcmp(top, "/") == 0 ? 0 : strlen(top);
  const bool inside = strncmp(group, top, n) == 0 && (group[n] == '/' || !group[n]);
  const bool shown = inside && !strstr(group, "/..");
  if (!shown && s->seen[v2]) return;
  if (shown && !s->seen[v2]) s->least[v2] = INFINITY;
  s->seen[v2] |= shown;
  const char *below = shown && strcmp(group, "/") != 0 ? group + n : "";
  s->least[v2] = fmin(s->least[v2], least_limit(s->root, mount, below, v2));
}

// ID PARENT MAJOR:MINOR TOP MOUNT OPTIONS [FIELD]... - TYPE SOURCE OPTIONS
static void read_mount(char *line, search *s) {
  char *rest = strstr(line, " - "), *field[5] = {0}, *save = NULL;
  char top[PATH_BYTES], mount[PATH_BYTES];
  if (!rest) return;
  *rest = '\0';
  char *type = rest + 3, *options = strrchr(type, ' ');
  for (int i = 0; i < 5; i++)
    if (!(field[i] = strtok_r(i ? NULL : line, " ", &save))) return;
  const bool v2 = strncmp(type, "cgroup2 ", 8) == 0;
  if (!v2 && !(strncmp(type, "cgroup ", 7) == 0 && options && lists(options + 1, "cpu"))) return;
  copy_path(top, field[3]);
  copy_path(mount, field[4]);
  if (*top && *mount) look_at_mount(s, v2, top, mount);
}

double orr_cores_quota(const char *root) {
  search s = {.root = root, .least = {INFINITY, INFINITY}};
  each_line(&s, "/proc/self/cgroup", read_membership);
  each_line(&s, "/proc/self/mountinfo", read_mount);
  return fmin(s.least[0], s.least[1]);
}

// -- threads --------------------------------------------------------------------------------

void orr_cores_add(uint16_t sharers[ORR_CORES_MAX], const orr_cores_mask *mask) {
  for (int c = 0; c < ORR_CORES_MAX; c++) sharers[c] += may_use(mask, c);
}

double orr_cores_share(const orr_cores_mask *mine, const uint16_t sharers[ORR_CORES_MAX], int n,
                       double quota) {
  double cores = 0.0;
  for (int c = 0; c < ORR_CORES_MAX; c++)
    if (may_use(mine, c)) cores += 1.0 / sharers[c];
  return fmin(cores, quota / n);
}

int orr_cores_threads(double cores) {
  const int whole = (int)(cores + 1e-6); // thirds of a core add up
  return whole > 0 ? whole : 1;
}

int orr_cores_usable(void) {
  orr_cores_mask mine;
  orr_cores_allowed(&mine);
  return orr_cores_threads(fmin(orr_cores_count(&mine), orr_cores_quota("")));
}
