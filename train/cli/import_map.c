// frames=PATH,actions=PATH,episodes=PATTERN,...: frames and actions may come more than once.
#include "train/cli/import_map.h"

#include <stdio.h>
#include <string.h>

static orr_code add(const char *word, const char *path, const char **list, data_words *words) {
  ORR_CHECK(words->n < TRAIN_IMPORT_MAP_PATHS, ORR_ECONFIG,
            "orrery data import: --map: more than %d times %s", TRAIN_IMPORT_MAP_PATHS, word);
  list[words->n++] = path;
  words->v = list;
  return ORR_OK;
}

static orr_code set(const char *word, const char *path, const char **member) {
  ORR_CHECK(!*member, ORR_ECONFIG, "orrery data import: --map: %s is given twice: %s and %s", word,
            *member, path);
  *member = path;
  return ORR_OK;
}

static orr_code parse_part(train_import_map *m, char *part, data_import_options *o,
                           data_words *actions) {
  data_import_mapping *map = &o->map;
  char *path = strchr(part, '=');
  ORR_CHECK(path && path[1], ORR_ECONFIG,
            "orrery data import: --map: got '%s', wanted WORD=PATH, e.g. frames=obs/rgb", part);
  *path++ = 0;
  if (strcmp(part, "frames") == 0) return add(part, path, m->frames, &map->frames);
  if (strcmp(part, "actions") == 0) return add(part, path, m->actions, actions);
  if (strcmp(part, "episodes") == 0) return set(part, path, &map->episodes);
  if (strcmp(part, "reward") == 0) return set(part, path, &map->reward);
  if (strcmp(part, "done") == 0) return set(part, path, &map->done);
  if (strcmp(part, "success") == 0) return set(part, path, &map->success);
  if (strcmp(part, "cut") == 0) return set(part, path, &map->cut);
  return ORR_FAIL(ORR_ECONFIG,
                  "orrery data import: --map: got '%s=', wanted frames, actions, episodes, reward, "
                  "done, success or cut",
                  part);
}

// Letters of a path up to the end of its first part with a '*'; 0 without one.
static size_t starred(const char *path) {
  const char *star = strchr(path, '*');
  return star ? (size_t)(star - path) + strcspn(star, "/") : 0;
}

static bool shift(const char **path, const char *prefix, size_t n) {
  if (strncmp(*path, prefix, n) != 0 || (*path)[n] != '/') return false;
  *path += n + 1;
  return true;
}

// frames=traj_*/rgb,actions=traj_*/actions means episodes=traj_* and what is below.
static void find_episodes(train_import_map *m, data_import_options *o, const data_words *actions) {
  data_import_mapping *map = &o->map;
  const size_t n = map->frames.n ? starred(m->frames[0]) : 0;
  if (map->episodes || !n || !actions->n) return;
  bool shared = true;
  for (int64_t i = 0; i < map->frames.n; i++)
    shared &= strncmp(m->frames[i], m->frames[0], n) == 0 && m->frames[i][n] == '/';
  for (int64_t i = 0; i < actions->n; i++)
    shared &= strncmp(m->actions[i], m->frames[0], n) == 0 && m->actions[i][n] == '/';
  if (!shared) return;
  snprintf(m->episodes, sizeof m->episodes, "%.*s", (int)n, m->frames[0]);
  map->episodes = m->episodes;
  for (int64_t i = 0; i < map->frames.n; i++) shift(&m->frames[i], m->episodes, n);
  for (int64_t i = 0; i < actions->n; i++) shift(&m->actions[i], m->episodes, n);
  const char **others[] = {&map->reward, &map->done, &map->success};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    if (*others[i]) shift(others[i], m->episodes, n);
}

orr_code train_import_map_parse(const orr_args *args, train_import_map *m, data_import_options *o) {
  data_words actions = {NULL, 0};
  size_t used = 0;
  const char *text;
  for (int i = 0; (text = orr_args_nth(args, "map", i)); i++) {
    char *at = m->text + used;
    const size_t n = strlen(text) + 1;
    ORR_CHECK(n <= sizeof m->text - used, ORR_ECONFIG,
              "orrery data import: --map: more than %d letters", TRAIN_IMPORT_MAP_LETTERS - 1);
    memcpy(at, text, n);
    used += n;
    for (char *comma; at; at = comma) {
      comma = strchr(at, ',');
      if (comma) *comma++ = 0;
      ORR_TRY(parse_part(m, at, o, &actions));
    }
  }
  ORR_CHECK(!actions.n || !o->actions.n, ORR_ECONFIG,
            "orrery data import: actions are named twice: by --actions %s and by --map actions=%s; "
            "keep one",
            o->actions.v[0], actions.v[0]);
  find_episodes(m, o, &actions);
  if (actions.n) o->actions = actions;
  return ORR_OK;
}
