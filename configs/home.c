#include "configs/home.h"

#include <string.h>

#include "base/fs.h"
#include "base/home.h"
#include "base/mem.h"
#include "configs/schema.h"
#include "configs/value.h"

// "@~/token" names a file, too.
static orr_code expand(const cfg_knob *k, const char *file, char **text) {
  orr_path path;
  const size_t skip = (*text)[0] == '@';
  if (orr_home_expand(*text + skip, path + skip, sizeof path - skip) != ORR_OK) {
    char words[ORR_STATUS_MESSAGE_MAX];
    orr_status_copy(words, sizeof words);
    return ORR_FAIL(ORR_ECONFIG, "%s: %s.%s: %s", file, k->section->name, k->row->name, words);
  }
  if (skip) path[0] = '@';
  if (strcmp(path, *text) == 0) return ORR_OK;
  char *copy = orr_strdup(path);
  ORR_CHECK(copy, ORR_ENOMEM, "%s.%s: out of memory", k->section->name, k->row->name);
  orr_free(*text);
  *text = copy;
  return ORR_OK;
}

orr_code cfg_expand_home(cfg *c, const char *file) {
  cfg_knob k;
  for (int i = 0; cfg_knob_at(i, &k); i++) {
    if (k.row->kind == CFG_KIND_STR) ORR_TRY(expand(&k, file, cfg_field(c, &k)));
    if (k.row->kind != CFG_KIND_LSTR) continue;
    cfg_list_str *list = cfg_field(c, &k);
    for (int j = 0; j < list->n; j++) ORR_TRY(expand(&k, file, &list->v[j]));
  }
  return ORR_OK;
}
