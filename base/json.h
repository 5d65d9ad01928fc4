// Glue over jansson: errors that name file, key, got and wanted.
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <jansson.h>
#include <stdint.h>

#include "base/status.h"

orr_code orr_json_load(const char *path, json_t **out); // ORR_EFORMAT names path, line, column
orr_code orr_json_parse(const char *what, const char *text, size_t bytes, json_t **out);
orr_code orr_json_store(const char *path, const json_t *j); // atomic, indented, sorted keys
// A new number; null for one that is not finite, which JSON has no word for.
json_t *orr_json_number(double v);
// Typed fields of an object. `what` names the object in messages.
orr_code orr_json_get_i64(const json_t *o, const char *what, const char *key, int64_t *out);
orr_code orr_json_get_f64(const json_t *o, const char *what, const char *key, double *out);
orr_code orr_json_get_str(const json_t *o, const char *what, const char *key,
                          const char **out); // borrowed
orr_code orr_json_get_array(const json_t *o, const char *what, const char *key,
                            json_t **out); // borrowed
orr_code orr_json_get_object(const json_t *o, const char *what, const char *key,
                             json_t **out); // borrowed

#endif
