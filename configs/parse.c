// Reading: YAML through libyaml's document interface. A file is a mapping of sections, a section a
// mapping of keys, a value a scalar or a flat list of scalars.
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/nearest.h"
#include "configs/config.h"
#include "configs/schema.h"
#include "configs/value.h"
#include "configs/home.h"

#define KEY_MAX 64 // bytes of a key that are compared and shown

typedef struct {
  cfg *config;
  const char *file;
  yaml_document_t *document;
  bool one_line; // from the command line: places have no line number
} reader;

static yaml_node_t *node_of(const reader *r, int index) {
  return yaml_document_get_node(r->document, index);
}

static cfg_place place_of(const reader *r, const yaml_node_t *n) {
  return (cfg_place){r->file, r->one_line ? 0 : (int64_t)n->start_mark.line + 1};
}

static const char *scalar_text(const yaml_node_t *n) {
  return (const char *)n->data.scalar.value;
}

static orr_code fail_at(const cfg_place *p, const char *section, const char *key,
                        const char *words) {
  char place[CFG_PLACE_TEXT_MAX];
  cfg_place_text(p, section, key, place);
  return ORR_FAIL(ORR_ECONFIG, "%s: %s", place, words);
}

static orr_code fail_unknown_section(const cfg_place *p, const char *name) {
  char all[256] = "", words[512];
  int n = 0;
  const cfg_section *s = cfg_sections(&n);
  orr_nearest near = orr_nearest_start(name);
  for (int i = 0; i < n; i++) {
    orr_nearest_offer(&near, s[i].name);
    size_t at = strlen(all);
    snprintf(all + at, sizeof all - at, "%s%s", i ? ", " : "", s[i].name);
  }
  snprintf(words, sizeof words, "unknown section%s%s; sections are %s",
           near.best ? ", did you mean " : "", near.best ? near.best : "", all);
  return fail_at(p, name, NULL, words);
}

// Suggests a key of this section, or the section that has a key of exactly this name.
static orr_code fail_unknown_key(const cfg_place *p, const cfg_section *s, const char *key) {
  char words[256];
  orr_nearest near = orr_nearest_start(key);
  const cfg_section *elsewhere = NULL;
  cfg_knob k;
  for (int i = 0; cfg_knob_at(i, &k); i++) {
    if (k.section == s) orr_nearest_offer(&near, k.row->name);
    if (k.section != s && strcmp(k.row->name, key) == 0) elsewhere = k.section;
  }
  if (near.best || elsewhere) {
    snprintf(words, sizeof words, "unknown key, did you mean %s.%s?",
             near.best ? s->name : elsewhere->name, near.best ? near.best : key);
  } else {
    snprintf(words, sizeof words, "unknown key; `orrery config doc` lists all keys");
  }
  return fail_at(p, s->name, key, words);
}

// Copies a mapping's key; it must be a scalar without zeros and must not stand twice.
static orr_code read_key(const reader *r, const yaml_node_t *map, const yaml_node_pair_t *pair,
                         const char *section, char key[KEY_MAX + 1]) {
  const yaml_node_t *n = node_of(r, pair->key);
  cfg_place p = place_of(r, n);
  if (n->type != YAML_SCALAR_NODE || strlen(scalar_text(n)) != n->data.scalar.length) {
    return fail_at(&p, section ? section : "file", NULL, "got a key that is not a plain word");
  }
  snprintf(key, KEY_MAX + 1, "%s", scalar_text(n));
  for (yaml_node_pair_t *q = map->data.mapping.pairs.start; q < pair; q++) {
    const yaml_node_t *other = node_of(r, q->key);
    if (strcmp(scalar_text(other), scalar_text(n)) != 0) continue;
    char words[128];
    snprintf(words, sizeof words, "stands here for the second time, first in line %zu; keep one",
             other->start_mark.line + 1);
    return fail_at(&p, section ? section : key, section ? key : NULL, words);
  }
  return ORR_OK;
}

static orr_code to_scalar(const reader *r, const yaml_node_t *n, const cfg_knob *k,
                          cfg_scalar *out) {
  cfg_place p = place_of(r, n);
  if (n->type != YAML_SCALAR_NODE) {
    char allowed[256], words[384];
    cfg_knob_allowed(k, allowed, sizeof allowed);
    snprintf(words, sizeof words, "got a nested %s, wanted %s",
             n->type == YAML_MAPPING_NODE ? "mapping" : "list", allowed);
    return fail_at(&p, k->section->name, k->row->name, words);
  }
  if (strlen(scalar_text(n)) != n->data.scalar.length) {
    return fail_at(&p, k->section->name, k->row->name, "got a text with a zero byte inside");
  }
  *out = (cfg_scalar){scalar_text(n), n->data.scalar.style != YAML_PLAIN_SCALAR_STYLE};
  return ORR_OK;
}

static orr_code read_list(const reader *r, const yaml_node_t *n, const cfg_knob *k) {
  orr_code rc = ORR_OK;
  cfg_place p = place_of(r, n);
  yaml_node_item_t *first = n->data.sequence.items.start;
  size_t count = (size_t)(n->data.sequence.items.top - first);
  if (count > 65536)
    return fail_at(&p, k->section->name, k->row->name, "got more than 65536 entries");
  cfg_scalar *entries = orr_calloc(count, sizeof *entries);
  ORR_CHECK(entries, ORR_ENOMEM, "%s: out of memory for a list of %zu entries", r->file, count);
  for (size_t i = 0; i < count; i++) {
    ORR_TRY_GOTO(to_scalar(r, node_of(r, first[i]), k, entries + i), free_entries);
  }
  rc = cfg_value_set_list(k, cfg_field(r->config, k), &p, entries, (int)count);
free_entries:
  orr_free(entries);
  return rc;
}

static orr_code read_value(const reader *r, const yaml_node_t *n, const cfg_knob *k) {
  if (n->type == YAML_SEQUENCE_NODE) return read_list(r, n, k);
  cfg_place p = place_of(r, n);
  cfg_scalar s;
  ORR_TRY(to_scalar(r, n, k, &s));
  return cfg_value_set(k, cfg_field(r->config, k), &p, &s);
}

static orr_code read_section(const reader *r, const yaml_node_t *n, const cfg_section *s) {
  cfg_place p = place_of(r, n);
  bool empty = n->type == YAML_SCALAR_NODE && n->data.scalar.length == 0;
  if (empty) return ORR_OK; // "optim:" with all its keys commented out
  if (n->type != YAML_MAPPING_NODE) {
    return fail_at(&p, s->name, NULL, "got a value, wanted keys with values, indented under it");
  }
  for (yaml_node_pair_t *q = n->data.mapping.pairs.start; q < n->data.mapping.pairs.top; q++) {
    char key[KEY_MAX + 1];
    ORR_TRY(read_key(r, n, q, s->name, key));
    cfg_place at = place_of(r, node_of(r, q->key));
    cfg_knob k = {s, cfg_row_find(s, key)};
    if (!k.row) return fail_unknown_key(&at, s, key);
    ORR_TRY(read_value(r, node_of(r, q->value), &k));
  }
  return ORR_OK;
}

static orr_code read_root(const reader *r) {
  const yaml_node_t *n = yaml_document_get_root_node(r->document);
  bool empty = !n || (n->type == YAML_SCALAR_NODE && n->data.scalar.length == 0);
  if (empty) return ORR_OK; // all defaults
  cfg_place p = place_of(r, n);
  if (n->type != YAML_MAPPING_NODE) {
    return fail_at(&p, "file", NULL,
                   "got no mapping, wanted sections (run:, train:, ...) with keys");
  }
  for (yaml_node_pair_t *q = n->data.mapping.pairs.start; q < n->data.mapping.pairs.top; q++) {
    char name[KEY_MAX + 1];
    ORR_TRY(read_key(r, n, q, NULL, name));
    cfg_place at = place_of(r, node_of(r, q->key));
    const cfg_section *s = cfg_section_find(name);
    if (!s) return fail_unknown_section(&at, name);
    ORR_TRY(read_section(r, node_of(r, q->value), s));
  }
  return ORR_OK;
}

// Loads the next document of the stream into *document.
static orr_code load(yaml_parser_t *parser, const char *name, yaml_document_t *document) {
  if (yaml_parser_load(parser, document)) return ORR_OK;
  ORR_CHECK(parser->error != YAML_MEMORY_ERROR, ORR_ENOMEM, "%s: out of memory: cannot read it",
            name);
  bool decoding = parser->error == YAML_READER_ERROR; // has an offset instead of a line
  return ORR_FAIL(ORR_ECONFIG, "%s:%zu: not valid YAML: %s", name,
                  decoding ? (size_t)1 : parser->problem_mark.line + 1,
                  parser->problem ? parser->problem : "cannot be parsed");
}

// Refuses a second document: it would be ignored silently.
static orr_code check_end(yaml_parser_t *parser, const char *name) {
  yaml_document_t document;
  ORR_TRY(load(parser, name, &document));
  yaml_node_t *n = yaml_document_get_root_node(&document);
  size_t line = n ? n->start_mark.line + 1 : 0;
  yaml_document_delete(&document);
  ORR_CHECK(!n, ORR_ECONFIG, "%s:%zu: got a second document (---), wanted one in a file", name,
            line);
  return ORR_OK;
}

orr_code cfg_read_text(cfg *c, const char *name, const char *text, size_t bytes) {
  orr_code rc = ORR_OK;
  yaml_parser_t parser;
  yaml_document_t document;
  ORR_CHECK(yaml_parser_initialize(&parser), ORR_ENOMEM, "%s: out of memory: cannot read it", name);
  yaml_parser_set_input_string(&parser, (const unsigned char *)text, bytes);
  ORR_TRY_GOTO(load(&parser, name, &document), delete_parser);
  reader r = {.config = c, .file = name, .document = &document};
  ORR_TRY_GOTO(read_root(&r), delete_document);
  if (yaml_document_get_root_node(&document)) rc = check_end(&parser, name);
delete_document:
  yaml_document_delete(&document);
delete_parser:
  yaml_parser_delete(&parser);
  return rc;
}

orr_code cfg_read_file(cfg *c, const char *path) {
  char *text = NULL;
  size_t bytes = 0;
  orr_code rc = orr_fs_read_all(path, &text, &bytes);
  if (rc == ORR_ENOTFOUND || rc == ORR_EFORMAT) return ORR_ECONFIG; // a wrong name is bad usage
  ORR_TRY(rc);
  rc = cfg_read_text(c, path, text, bytes);
  orr_free(text);
  return rc == ORR_OK ? cfg_expand_home(c, path) : rc;
}

// The value of --set for a list row: a YAML flow sequence.
static orr_code set_list(cfg *c, const cfg_knob *k, const char *value) {
  orr_code rc = ORR_OK;
  yaml_parser_t parser;
  yaml_document_t document;
  cfg_place p = {.file = "--set"};
  ORR_CHECK(yaml_parser_initialize(&parser), ORR_ENOMEM, "--set: out of memory: cannot read it");
  yaml_parser_set_input_string(&parser, (const unsigned char *)value, strlen(value));
  if (!yaml_parser_load(&parser, &document)) {
    cfg_scalar whole = {.text = value};
    rc = cfg_value_set(k, cfg_field(c, k), &p, &whole); // not a list: says what is wanted
    goto delete_parser;
  }
  reader r = {.config = c, .file = "--set", .document = &document, .one_line = true};
  yaml_node_t *n = yaml_document_get_root_node(&document);
  cfg_scalar nothing = {.text = ""};
  rc = n ? read_value(&r, n, k) : cfg_value_set(k, cfg_field(c, k), &p, &nothing);
  yaml_document_delete(&document);
delete_parser:
  yaml_parser_delete(&parser);
  return rc;
}

orr_code cfg_set(cfg *c, const char *assignment) {
  char section[KEY_MAX + 1], key[KEY_MAX + 1];
  cfg_place p = {.file = "--set"};
  const char *equals = strchr(assignment, '='), *dot = strchr(assignment, '.');
  ORR_CHECK(equals && dot && dot < equals && dot - assignment <= KEY_MAX && equals - dot <= KEY_MAX,
            ORR_ECONFIG, "--set: got '%.200s', wanted section.key=value", assignment);
  snprintf(section, sizeof section, "%.*s", (int)(dot - assignment), assignment);
  snprintf(key, sizeof key, "%.*s", (int)(equals - dot - 1), dot + 1);
  cfg_knob k = {.section = cfg_section_find(section)};
  if (!k.section) return fail_unknown_section(&p, section);
  k.row = cfg_row_find(k.section, key);
  if (!k.row) return fail_unknown_key(&p, k.section, key);
  cfg_scalar s = {.text = equals + 1}; // taken as it is: no quotes, no comments
  ORR_TRY(cfg_kind_is_list(k.row->kind) ? set_list(c, &k, equals + 1)
                                        : cfg_value_set(&k, cfg_field(c, &k), &p, &s));
  return cfg_expand_home(c, "--set");
}
