#include "data/import/verdicts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/fs.h"

// Anonymous memory costs nothing where nobody writes to it.
orr_code data_import_verdicts_create(int64_t n, data_import_verdicts *out) {
  const size_t bytes = (size_t)(n ? n : 1) * sizeof *out->v;
  void *p =
      mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  *out = (data_import_verdicts){0, NULL};
  ORR_CHECK(p != MAP_FAILED, ORR_ENOMEM, "out of memory to judge %" PRId64 " recordings", n);
  *out = (data_import_verdicts){n, p};
  return ORR_OK;
}

void data_import_verdicts_destroy(data_import_verdicts *v) {
  if (v->v) munmap(v->v, (size_t)(v->n ? v->n : 1) * sizeof *v->v);
  *v = (data_import_verdicts){0, NULL};
}

static void set(data_import_verdicts *v, int64_t item, orr_code code, const char *reason) {
  char *own = v->v[item].reason;
  snprintf(own, DATA_VERDICT_MAX, "%s", reason);
  json_t *text = json_string(own); // names of files in it need not be text
  for (char *c = own; !text && *c; c++)
    if (*c & 0x80) *c = '?';
  json_decref(text);
  atomic_store(&v->v[item].code, (int)code);
}

void data_import_verdicts_take(data_import_verdicts *v, int64_t item, orr_code code) {
  set(v, item, code, orr_status_message());
  orr_status_clear();
}

bool data_import_verdicts_bad(const data_import_verdicts *v, int64_t item) {
  return atomic_load(&v->v[item].code) != ORR_OK;
}

int64_t data_import_verdicts_count(const data_import_verdicts *v, int64_t first, int64_t n) {
  int64_t bad = 0;
  for (int64_t i = first; i < first + n; i++) bad += data_import_verdicts_bad(v, i);
  return bad;
}

orr_code data_import_verdicts_store(const data_import_verdicts *v, int64_t first, int64_t n,
                                    const char *path) {
  json_t *list = json_array();
  if (!data_import_verdicts_count(v, first, n)) {
    json_decref(list);
    return ORR_OK;
  }
  for (int64_t i = first; i < first + n; i++)
    if (data_import_verdicts_bad(v, i))
      json_array_append_new(
          list, json_pack("{s:I, s:s}", "item", (json_int_t)(i - first), "reason", v->v[i].reason));
  orr_code rc =
      list ? orr_json_store(path, list)
           : ORR_FAIL(ORR_ENOMEM, "%s: out of memory for the list of bad recordings", path);
  json_decref(list);
  return rc;
}

orr_code data_import_verdicts_load(data_import_verdicts *v, int64_t first, int64_t n,
                                   const char *path, bool *there) {
  json_t *list = NULL;
  *there = orr_fs_exists(path);
  if (!*there) return ORR_OK;
  ORR_TRY(orr_json_load(path, &list));
  for (size_t i = 0; i < json_array_size(list); i++) {
    const json_t *entry = json_array_get(list, i);
    const int64_t item = json_integer_value(json_object_get(entry, "item"));
    const char *reason = json_string_value(json_object_get(entry, "reason"));
    if (item >= 0 && item < n) set(v, first + item, ORR_EFORMAT, reason ? reason : "");
  }
  json_decref(list);
  return ORR_OK;
}
