#include "checkpoints/index.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

// The index of the series that begins with file `first`; *end is the file after it.
static orr_code build_one(const ckpt_plan *plan, const ckpt_layout *l, int first, int *end,
                          ckpt_text_file *out) {
  const char *series = plan->sets[l->places[l->files[first].first_place].set].file;
  uint64_t bytes = 0;
  int bad = 0, f = first;
  json_t *map = json_object();
  for (; f < l->file_count; f++) {
    int p = l->files[f].first_place;
    if (strcmp(plan->sets[l->places[p].set].file, series) != 0) break;
    for (; p < l->files[f].end_place; p++) {
      const ckpt_set *set = &plan->sets[l->places[p].set];
      char *name = orr_format("%s%s", set->prefix, set->tensors[l->places[p].tensor].name);
      bad |= !name || json_object_set_new(map, name, json_string(l->files[f].name)) != 0;
      orr_free(name);
      bytes += l->places[p].bytes;
    }
  }
  *end = f;
  json_t *root =
      json_pack("{s:{s:I}, s:o}", "metadata", "total_size", (json_int_t)bytes, "weight_map", map);
  out->text = root && !bad ? json_dumps(root, JSON_INDENT(2)) : NULL;
  out->name = orr_format("%s.safetensors.index.json", series);
  json_decref(root);
  ORR_CHECK(out->text && out->name, ORR_ENOMEM, "out of memory for the index of the %s files",
            series);
  return ORR_OK;
}

orr_code ckpt_index_build(const ckpt_plan *plan, const ckpt_layout *l, ckpt_text_file **out,
                          int *count) {
  orr_code rc = ORR_OK;
  int n = 0;
  ckpt_text_file *files =
      orr_calloc((size_t)l->file_count, sizeof(*files)); // a series has a file or more
  ORR_CHECK(files, ORR_ENOMEM, "out of memory for the index of a checkpoint");
  for (int f = 0; f < l->file_count && rc == ORR_OK; n++) rc = build_one(plan, l, f, &f, &files[n]);
  if (rc != ORR_OK) {
    ckpt_index_release(files, n);
    return rc;
  }
  *out = files;
  *count = n;
  return ORR_OK;
}

void ckpt_index_release(ckpt_text_file *files, int count) {
  for (int i = 0; i < count; i++) {
    orr_free(files[i].name);
    free(files[i].text); // jansson's
  }
  orr_free(files);
}
