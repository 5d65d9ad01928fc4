// What makes two configurations train the same weights: the rows that say so in configs/rows.h.
#include <stdlib.h>
#include <string.h>

#include "configs/config.h"
#include "configs/emit.h"
#include "configs/value.h"

static bool decides_weights(const cfg_knob *k) {
  return k->row->what == CFG_DECIDES_WEIGHTS;
}

orr_code cfg_hash(const cfg *c, orr_hash128 *out) {
  char *text = NULL;
  ORR_TRY(cfg_emit(c, decides_weights, &text));
  *out = orr_hash_bytes(text, strlen(text));
  free(text);
  return ORR_OK;
}

orr_code cfg_diff(const cfg *a, const cfg *b, char **out) {
  char *text = NULL;
  size_t bytes = 0;
  FILE *f = open_memstream(&text, &bytes);
  ORR_CHECK(f, ORR_ENOMEM, "configuration: out of memory: cannot compare two of them");
  cfg_knob k;
  for (int i = 0; cfg_knob_at(i, &k); i++) {
    const void *x = cfg_field_const(a, &k), *y = cfg_field_const(b, &k);
    if (!decides_weights(&k) || cfg_value_equal(&k, x, y)) continue;
    fprintf(f, "%s.%s: ", k.section->name, k.row->name);
    cfg_value_print(&k, x, f);
    fputs(" -> ", f);
    cfg_value_print(&k, y, f);
    fputc('\n', f);
  }
  bool bad = ferror(f) != 0;
  if (fclose(f) != 0 || bad) {
    free(text);
    return ORR_FAIL(ORR_ENOMEM, "configuration: out of memory: cannot compare two of them");
  }
  *out = text;
  return ORR_OK;
}
