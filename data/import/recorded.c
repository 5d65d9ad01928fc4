#include "data/import/recorded.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "data/import/copies.h"
#include "data/set/index.h"

// How it was made; `ranges` lets a program undo the mapping of the actions.
static json_t *describe(const data_import_plan *p) {
  const data_import_options *o = p->o;
  json_t *ranges = p->ranges ? json_array() : NULL;
  for (int64_t i = 0; ranges && i < p->format->A; i++)
    json_array_append_new(ranges, json_pack("[f,f]", p->ranges[i][0], p->ranges[i][1]));
  return json_pack("{s:s, s:s, s:I, s:f, s:I, s:o*, s:o*}", "key", orr_hash_to_hex(p->key).s,
                   "format", p->episodes.v[0].format->name, "action_shift",
                   (json_int_t)o->action_shift, "validation", o->validation, "seed",
                   (json_int_t)o->seed, "ranges", ranges, "pixel_range",
                   p->numbers ? json_pack("[f,f]", p->pixel_low, p->pixel_high) : NULL);
}

// A copy of what a part's index listed before this import; entries beyond `n` are of an attempt of
// it.
static json_t *list_before(const data_import_part *part, const char *key, int64_t n) {
  json_t *list = json_array();
  const json_t *before = part->index ? json_object_get(part->index->json, key) : NULL;
  for (size_t i = 0; i < json_array_size(before) && (n < 0 || (int64_t)i < n); i++)
    json_array_append(list, json_array_get(before, i));
  return list;
}

// Names of files need not be text.
static const char *as_text(char *name) {
  json_t *text = json_string(name);
  for (char *c = name; !text && *c; c++)
    if (*c & 0x80) *c = '?';
  json_decref(text);
  return name;
}

static json_t *list_recordings(const data_import_folder *f, const data_import_plan *p,
                               const data_import_verdicts *v, bool validation) {
  json_t *list = list_before(&f->parts[validation], "recordings", f->parts[validation].recordings);
  char label[4400], key[17], made[17], content[17], files[17];
  for (int64_t i = 0; i < p->count; i++) {
    const data_import_item *item = &p->items[i];
    if (item->validation != validation || data_import_verdicts_bad(v, i)) continue;
    data_import_plan_label(p, item->episode, label, sizeof label);
    snprintf(key, sizeof key, "%016" PRIx64, item->key);
    snprintf(made, sizeof made, "%016" PRIx64, item->made);
    snprintf(content, sizeof content, "%016" PRIx64, item->content);
    snprintf(files, sizeof files, "%016" PRIx64,
             data_import_copies_files(&p->episodes.v[item->episode]));
    json_array_append_new(list,
                          json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", as_text(label), "key", key,
                                    "made", made, "content", content, "files", files));
  }
  return list;
}

// Names of the recordings of the validation part, earlier ones first.
static json_t *list_held_out(const data_import_folder *f, const data_import_plan *p,
                             const data_import_verdicts *v) {
  json_t *recordings = list_recordings(f, p, v, true), *list = json_array();
  for (size_t i = 0; i < json_array_size(recordings); i++)
    json_array_append(list, json_object_get(json_array_get(recordings, i), "name"));
  json_decref(recordings);
  return list;
}

// A recording that was left out is listed once, however often the import is called.
static void add_skipped(json_t *list, const char *recording, const char *said) {
  orr_path name;
  char reason[ORR_STATUS_MESSAGE_MAX];
  snprintf(name, sizeof name, "%s", recording);
  snprintf(reason, sizeof reason, "%s", said);
  as_text(name);
  for (size_t i = 0; i < json_array_size(list); i++) {
    const char *there = json_string_value(json_object_get(json_array_get(list, i), "name"));
    if (there && strcmp(there, name) == 0) return;
  }
  json_array_append_new(list, json_pack("{s:s, s:s}", "name", name, "reason", as_text(reason)));
}

static json_t *list_skipped(const data_import_folder *f, const data_import_plan *p,
                            const data_import_verdicts *v) {
  json_t *list = list_before(&f->parts[0], "skipped", -1);
  char label[4400];
  for (int64_t i = 0; i < p->faults.n; i++)
    add_skipped(list, p->faults.v[i].recording, p->faults.v[i].reason);
  for (int64_t i = 0; i < p->count; i++) {
    if (!data_import_verdicts_bad(v, i)) continue;
    data_import_plan_label(p, p->items[i].episode, label, sizeof label);
    add_skipped(list, label, v->v[i].reason);
  }
  return list;
}

orr_code data_import_recorded_write(const data_import_folder *f, const data_import_plan *p,
                                    const data_import_verdicts *v, bool validation) {
  json_t *extra = json_pack("{s:o, s:o}", "import", describe(p), "recordings",
                            list_recordings(f, p, v, validation));
  ORR_CHECK(extra, ORR_ENOMEM, "%s: out of memory for its index", p->o->dir);
  if (!validation && p->o->validation > 0)
    json_object_set_new(extra, "held_out", list_held_out(f, p, v));
  json_t *skipped = validation ? NULL : list_skipped(f, p, v);
  if (json_array_size(skipped)) json_object_set(extra, "skipped", skipped);
  json_decref(skipped);
  orr_code rc = data_index_build(f->parts[validation].dir, extra);
  json_decref(extra);
  return rc;
}
