// The life of a configuration, and its printers.
#include "configs/config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "configs/emit.h"
#include "configs/schema.h"
#include "configs/value.h"

orr_code cfg_create(cfg **out) {
  orr_code rc = ORR_OK;
  cfg *c = orr_calloc(1, sizeof *c);
  cfg_knob k;
  ORR_CHECK(c, ORR_ENOMEM, "configuration: out of memory for its %zu bytes", sizeof *c);
  for (int i = 0; cfg_knob_at(i, &k); i++) {
    ORR_TRY_GOTO(cfg_value_default(&k, cfg_field(c, &k)), destroy);
  }
  *out = c;
  return ORR_OK;
destroy:
  cfg_destroy(c);
  return rc;
}

void cfg_destroy(cfg *c) {
  cfg_knob k;
  if (!c) return;
  for (int i = 0; cfg_knob_at(i, &k); i++) cfg_value_release(&k, cfg_field(c, &k));
  orr_free(c);
}

orr_code cfg_emit(const cfg *c, cfg_wanted_fn wanted, char **yaml) {
  char *text = NULL;
  size_t bytes = 0;
  FILE *out = open_memstream(&text, &bytes);
  ORR_CHECK(out, ORR_ENOMEM, "configuration: out of memory: cannot print it");
  const cfg_section *section = NULL;
  cfg_knob k;
  for (int i = 0; cfg_knob_at(i, &k); i++) {
    if (wanted && !wanted(&k)) continue;
    if (k.section != section) fprintf(out, "%s:\n", k.section->name);
    section = k.section;
    fprintf(out, "  %s: ", k.row->name);
    cfg_value_print(&k, cfg_field_const(c, &k), out);
    fputc('\n', out);
  }
  bool bad = ferror(out) != 0;
  if (fclose(out) != 0 || bad) {
    free(text); // the C library's, not orr_malloc's
    return ORR_FAIL(ORR_ENOMEM, "configuration: out of memory: cannot print it");
  }
  *yaml = text;
  return ORR_OK;
}

orr_code cfg_print(const cfg *c, char **yaml) {
  return cfg_emit(c, NULL, yaml);
}

void cfg_print_row(const cfg *c, const char *key, FILE *out) {
  cfg_knob k;
  for (int i = 0; cfg_knob_at(i, &k); i++) {
    const size_t n = strlen(k.section->name);
    if (strncmp(key, k.section->name, n) == 0 && key[n] == '.' &&
        strcmp(key + n + 1, k.row->name) == 0)
      cfg_value_print(&k, cfg_field_const(c, &k), out);
  }
}

static const char *kind_word(cfg_kind kind) {
  switch (kind) {
  case CFG_KIND_I64:
    return "integer";
  case CFG_KIND_F64:
    return "number";
  case CFG_KIND_BOOL:
    return "boolean";
  case CFG_KIND_STR:
    return "text";
  case CFG_KIND_ENUM:
    return "choice";
  case CFG_KIND_LI64:
    return "list of integers";
  case CFG_KIND_LF64:
    return "list of numbers";
  case CFG_KIND_LSTR:
    return "list of texts";
  }
  return "";
}

static void print_range(const cfg_row *r, FILE *out) {
  if (r->kind == CFG_KIND_I64 || r->kind == CFG_KIND_LI64) {
    fprintf(out, "%" PRId64 " to %" PRId64, r->i_lowest, r->i_highest);
  } else if (r->kind == CFG_KIND_F64 || r->kind == CFG_KIND_LF64) {
    fprintf(out, "%g to %g", r->f_lowest, r->f_highest);
  } else if (r->kind == CFG_KIND_ENUM) {
    for (const char *s = r->choices; *s; s++) fputs(*s == '|' ? ", " : (char[]){*s, 0}, out);
  }
  if (cfg_kind_is_list(r->kind)) {
    fprintf(out, "%sat most %d", r->kind == CFG_KIND_LSTR ? "" : "; ", r->most);
  }
}

// Markdown's table separator inside a cell must be escaped.
static void print_cell(const char *text, FILE *out) {
  for (; *text; text++) {
    if (*text == '|') fputc('\\', out);
    fputc(*text, out);
  }
}

orr_code cfg_doc(FILE *out) {
  cfg *c = NULL;
  ORR_TRY(cfg_create(&c));
  const cfg_section *section = NULL;
  cfg_knob k;
  fputs("# Configuration\n\nEvery knob, by section. Keys are written `section.key` on the command "
        "line\n(`--set optim.lr_peak=1e-4`) and nested in YAML files.\n",
        out);
  for (int i = 0; cfg_knob_at(i, &k); i++) {
    if (k.section != section) {
      fprintf(out, "\n## %s\n\n| key | type | default | range | unit | meaning |\n",
              k.section->name);
      fputs("|---|---|---|---|---|---|\n", out);
    }
    section = k.section;
    fprintf(out, "| `%s` | %s | `", k.row->name, kind_word(k.row->kind));
    cfg_value_print(&k, cfg_field_const(c, &k), out);
    fputs("` | ", out);
    print_range(k.row, out);
    fprintf(out, " | %s | ", k.row->unit);
    print_cell(k.row->sentence, out);
    fputs(" |\n", out);
  }
  cfg_destroy(c);
  ORR_CHECK(!ferror(out), ORR_EIO, "configuration reference: cannot be written");
  return ORR_OK;
}

cfg_blocks cfg_blocks_of(const cfg *c) {
  if (c->train.stage == CFG_STAGE_DYNAMICS)
    return (cfg_blocks){.section = "model",
                        .width = c->model.width,
                        .heads = c->model.heads,
                        .kv_heads = c->model.kv_heads,
                        .hidden = c->model.hidden};
  return (cfg_blocks){.section = "tokenizer",
                      .width = c->tokenizer.width,
                      .heads = c->tokenizer.heads,
                      .kv_heads = c->tokenizer.kv_heads,
                      .hidden = c->tokenizer.hidden};
}
