// Glue over jansson.
#include "base/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"

static const char *type_name(const json_t *j) {
  switch (json_typeof(j)) {
  case JSON_OBJECT:
    return "an object";
  case JSON_ARRAY:
    return "an array";
  case JSON_STRING:
    return "a string";
  case JSON_INTEGER:
    return "an integer";
  case JSON_REAL:
    return "a real number";
  case JSON_TRUE:
  case JSON_FALSE:
    return "a boolean";
  case JSON_NULL:
    break;
  }
  return "null";
}

orr_code orr_json_load(const char *path, json_t **out) {
  char *text = NULL;
  size_t bytes = 0;
  ORR_TRY(orr_fs_read_all(path, &text, &bytes));
  orr_code rc = orr_json_parse(path, text, bytes, out);
  orr_free(text);
  return rc;
}

orr_code orr_json_parse(const char *what, const char *text, size_t bytes, json_t **out) {
  json_error_t e;
  *out = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &e);
  ORR_CHECK(*out, ORR_EFORMAT, "%s: not valid JSON at line %d, column %d: %s", what, e.line,
            e.column, e.text);
  return ORR_OK;
}

orr_code orr_json_store(const char *path, const json_t *j) {
  char *text = json_dumps(j, JSON_INDENT(2) | JSON_SORT_KEYS);
  ORR_CHECK(text, ORR_ENOMEM, "%s: out of memory: cannot write it as JSON", path);
  size_t n = strlen(text);
  text[n] = '\n'; // the terminating 0 is not written
  orr_code rc = orr_fs_write_atomic(path, text, n + 1);
  free(text); // jansson's, not orr_malloc's
  return rc;
}

static orr_code get(const json_t *o, const char *what, const char *key, const json_t **out) {
  ORR_CHECK(json_is_object(o), ORR_EFORMAT, "%s: got %s, wanted an object with '%s'", what,
            o ? type_name(o) : "nothing", key);
  *out = json_object_get(o, key);
  ORR_CHECK(*out, ORR_EFORMAT, "%s: key '%s' is missing", what, key);
  return ORR_OK;
}

#define CHECK_TYPE(j, is, wanted)                                                                  \
  ORR_CHECK(is(j), ORR_EFORMAT, "%s: key '%s': got %s, wanted %s", what, key, type_name(j), wanted)

json_t *orr_json_number(double v) {
  return isfinite(v) ? json_real(v) : json_null();
}

orr_code orr_json_get_i64(const json_t *o, const char *what, const char *key, int64_t *out) {
  const json_t *j = NULL;
  ORR_TRY(get(o, what, key, &j));
  CHECK_TYPE(j, json_is_integer, "an integer");
  *out = json_integer_value(j);
  return ORR_OK;
}

orr_code orr_json_get_f64(const json_t *o, const char *what, const char *key, double *out) {
  const json_t *j = NULL;
  ORR_TRY(get(o, what, key, &j));
  CHECK_TYPE(j, json_is_number, "a number");
  *out = json_number_value(j);
  return ORR_OK;
}

orr_code orr_json_get_str(const json_t *o, const char *what, const char *key, const char **out) {
  const json_t *j = NULL;
  ORR_TRY(get(o, what, key, &j));
  CHECK_TYPE(j, json_is_string, "a string");
  *out = json_string_value(j);
  return ORR_OK;
}

orr_code orr_json_get_array(const json_t *o, const char *what, const char *key, json_t **out) {
  const json_t *j = NULL;
  ORR_TRY(get(o, what, key, &j));
  CHECK_TYPE(j, json_is_array, "an array");
  *out = json_object_get(o, key);
  return ORR_OK;
}

orr_code orr_json_get_object(const json_t *o, const char *what, const char *key, json_t **out) {
  const json_t *j = NULL;
  ORR_TRY(get(o, what, key, &j));
  CHECK_TYPE(j, json_is_object, "an object");
  *out = json_object_get(o, key);
  return ORR_OK;
}
