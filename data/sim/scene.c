#include "data/sim/scene.h"

#include <stdio.h>
#include <string.h>

const data_scene *data_scene_at(int i) {
#define ROW(name) &data_scene_##name,
  static const data_scene *const scenes[] = {DATA_SCENES(ROW)};
#undef ROW
  return i >= 0 && (size_t)i < sizeof scenes / sizeof *scenes ? scenes[i] : NULL;
}

orr_code data_scene_find(const char *name, const data_scene **out) {
  char names[256] = "";
  for (int i = 0; (*out = data_scene_at(i)); i++) {
    if (strcmp((*out)->name, name) == 0) return ORR_OK;
    size_t n = strlen(names);
    snprintf(names + n, sizeof names - n, "%s%s", i ? ", " : "", (*out)->name);
  }
  return ORR_FAIL(ORR_ECONFIG, "data generate --scene: got '%s', wanted one of: %s", name, names);
}
