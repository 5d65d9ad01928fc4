// What makes two configurations train the same weights. Two runs whose hashes agree see the same
// samples, random numbers, model, loss and learning rates; their weights are equal up to the order
// of sums. So these rows are left out:
#include <stdlib.h>
#include <string.h>

#include "configs/config.h"
#include "configs/emit.h"
#include "configs/value.h"

static bool decides_weights(const cfg_knob *k) {
  static const char *const operational[][2] = {
      {"run", "dir"},           // where results go
      {"run", "device"},        // who computes
      {"run", "threads"},       //
      {"run", "attention"},     //
      {"run", "capture"},       //
      {"run", "tune"},          //
      {"train", "micro_batch"}, // how a batch is cut: gradients are summed over all pieces
      {"train", "recompute"},   // trades time for memory
      {"train", "max_wall_s"},  // when to pause; a resumed run goes on where it stopped
      {"train", "trace_steps"}, // looks on
      {"metrics", "*"},         //
      {"guard", "record_every"},
      {"guard", "record_bytes"},
      {"data", "prefetch"}, // reading ahead does not change what is read
      {"data", "prefetch_bytes"},
      {"data", "unpack_threads"},
      {"data", "chunk_cache_bytes"},
      {"data", "cache_dir"},   // where shards come by, and how: their checksums are checked
      {"data", "cache_bytes"}, //
      {"data", "downloads"},   //
      {"data", "timeout_s"},   //
      {"data", "endpoint"},    //
      {"data", "region"},      //
      {"data", "ca_file"},     //
      {"dist", "*"},           // any layout continues any other's run
      {"ckpt", "*"},           // what is kept on disk
      {"eval", "*"},           // read after training
  };
  for (size_t i = 0; i < sizeof operational / sizeof *operational; i++) {
    const char *section = operational[i][0], *name = operational[i][1];
    if (strcmp(section, k->section->name) != 0) continue;
    if (strcmp(name, "*") == 0 || strcmp(name, k->row->name) == 0) return false;
  }
  return true;
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
  ORR_CHECK(f, ORR_ENOMEM, "configuration: no memory to compare two of them");
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
    return ORR_FAIL(ORR_ENOMEM, "configuration: no memory to compare two of them");
  }
  *out = text;
  return ORR_OK;
}
