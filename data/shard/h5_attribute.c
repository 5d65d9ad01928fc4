#include "data/shard/h5_attribute.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "data/shard/h5.h"

// -- writing --------------------------------------------------------------------------------

static bool put(hid_t file, const char *name, hid_t type, hid_t memory_type, hid_t space,
                const void *value) {
  hid_t a = H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
  bool good = a >= 0 && H5Awrite(a, memory_type, value) >= 0;
  if (a >= 0) H5Aclose(a);
  return good;
}

static bool put_number(hid_t file, const char *name, hid_t type, hid_t memory_type,
                       const void *value) {
  hid_t space = H5Screate(H5S_SCALAR);
  bool good = space >= 0 && put(file, name, type, memory_type, space, value);
  if (space >= 0) H5Sclose(space);
  return good;
}

bool data_h5_put_i64(hid_t file, const char *name, int64_t value) {
  return put_number(file, name, H5T_STD_I64LE, H5T_NATIVE_INT64, &value);
}

bool data_h5_put_f64(hid_t file, const char *name, double value) {
  return put_number(file, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &value);
}

// One fixed length, padded with zeros: strings of variable length would live in HDF5's global
// heap, far from the attribute.
bool data_h5_put_strings(hid_t file, const char *name, const char *const *strings, int64_t n) {
  int64_t count = n ? n : 1;
  size_t length = 1;
  for (int64_t i = 0; i < count; i++) {
    if (strlen(strings[i]) > length) length = strlen(strings[i]);
  }
  char *text = orr_calloc((size_t)count, length);
  hid_t type = H5Tcopy(H5T_C_S1);
  hid_t space = n ? H5Screate_simple(1, (hsize_t[]){(hsize_t)n}, NULL) : H5Screate(H5S_SCALAR);
  bool good = text && type >= 0 && space >= 0 && H5Tset_size(type, length) >= 0 &&
              H5Tset_strpad(type, H5T_STR_NULLPAD) >= 0 && H5Tset_cset(type, H5T_CSET_UTF8) >= 0;
  for (int64_t i = 0; good && i < count; i++) {
    memcpy(text + (size_t)i * length, strings[i], strlen(strings[i]));
  }
  good = good && put(file, name, type, type, space, text);
  if (space >= 0) H5Sclose(space);
  if (type >= 0) H5Tclose(type);
  orr_free(text);
  return good;
}

// -- reading --------------------------------------------------------------------------------

static orr_code get_number(hid_t file, const char *path, const char *name, hid_t memory_type,
                           void *value) {
  orr_code rc = ORR_OK;
  hid_t a = H5Aexists(file, name) > 0 ? H5Aopen(file, name, H5P_DEFAULT) : H5I_INVALID_HID;
  ORR_CHECK(a >= 0, ORR_EFORMAT, "%s: attribute %s is missing; an Orrery shard has it", path, name);
  hid_t type = H5Aget_type(a), space = H5Aget_space(a);
  H5T_class_t class = type >= 0 ? H5Tget_class(type) : H5T_NO_CLASS;
  ORR_CHECK_GOTO((class == H5T_INTEGER || class == H5T_FLOAT) && space >= 0 &&
                     H5Sget_simple_extent_npoints(space) == 1,
                 done, ORR_EFORMAT, "%s: attribute %s is not one number", path, name);
  H5_CHECK_GOTO(H5Aread(a, memory_type, value) >= 0, done, ORR_EFORMAT,
                "%s: cannot read attribute %s", path, name);
done:
  if (space >= 0) H5Sclose(space);
  if (type >= 0) H5Tclose(type);
  H5Aclose(a);
  return rc;
}

orr_code data_h5_get_i64(hid_t file, const char *path, const char *name, int64_t *value) {
  return get_number(file, path, name, H5T_NATIVE_INT64, value);
}

orr_code data_h5_get_f64(hid_t file, const char *path, const char *name, double *value) {
  return get_number(file, path, name, H5T_NATIVE_DOUBLE, value);
}

// Packs n strings, string i of at most `most` bytes at text(i), into one block.
static orr_code pack(const char *path, const char *name, const char *fixed, char *const *variable,
                     size_t most, int64_t n, char ***strings) {
  size_t bytes = 0;
  for (int64_t i = 0; i < n; i++) {
    bytes += sizeof(char *) + 1;
    bytes += fixed ? most : variable[i] ? strlen(variable[i]) : 0;
  }
  char **block = orr_malloc(bytes);
  ORR_CHECK(block, ORR_ENOMEM, "%s: out of memory for the %zu bytes of attribute %s", path, bytes,
            name);
  char *text = (char *)(block + n);
  for (int64_t i = 0; i < n; i++) {
    const char *from = fixed ? fixed + (size_t)i * most : variable[i] ? variable[i] : "";
    size_t length = fixed ? strnlen(from, most) : strlen(from);
    block[i] = memcpy(text, from, length);
    text[length] = 0;
    text += length + 1;
  }
  *strings = block;
  return ORR_OK;
}

static orr_code get_variable(hid_t a, hid_t type, hid_t space, const char *path, const char *name,
                             int64_t n, char ***strings) {
  char **text = orr_calloc((size_t)n, sizeof *text);
  ORR_CHECK(text, ORR_ENOMEM, "%s: out of memory for attribute %s", path, name);
  orr_code rc = ORR_OK;
  H5_CHECK_GOTO(H5Aread(a, type, text) >= 0, free_text, ORR_EFORMAT, "%s: cannot read attribute %s",
                path, name);
  rc = pack(path, name, NULL, text, 0, n, strings);
  H5Dvlen_reclaim(type, space, H5P_DEFAULT, text);
free_text:
  orr_free(text);
  return rc;
}

static orr_code get_fixed(hid_t a, hid_t type, const char *path, const char *name, int64_t n,
                          char ***strings) {
  size_t length = H5Tget_size(type);
  char *text = orr_calloc((size_t)n, length);
  ORR_CHECK(text, ORR_ENOMEM, "%s: out of memory for attribute %s", path, name);
  orr_code rc = ORR_OK;
  H5_CHECK_GOTO(H5Aread(a, type, text) >= 0, free_text, ORR_EFORMAT, "%s: cannot read attribute %s",
                path, name);
  rc = pack(path, name, text, NULL, length, n, strings);
free_text:
  orr_free(text);
  return rc;
}

orr_code data_h5_get_strings(hid_t file, const char *path, const char *name, char ***strings,
                             int64_t *n) {
  orr_code rc = ORR_OK;
  hid_t a = H5Aexists(file, name) > 0 ? H5Aopen(file, name, H5P_DEFAULT) : H5I_INVALID_HID;
  ORR_CHECK(a >= 0, ORR_EFORMAT, "%s: attribute %s is missing; an Orrery shard has it", path, name);
  hid_t type = H5Aget_type(a), space = H5Aget_space(a);
  ORR_CHECK_GOTO(type >= 0 && space >= 0 && H5Tget_class(type) == H5T_STRING, done, ORR_EFORMAT,
                 "%s: attribute %s does not hold text", path, name);
  *n = (int64_t)H5Sget_simple_extent_npoints(space);
  ORR_CHECK_GOTO(*n >= 1 && *n <= 1 << 20, done, ORR_EFORMAT,
                 "%s: attribute %s holds %" PRId64 " strings, wanted 1 to %d", path, name, *n,
                 1 << 20);
  rc = H5Tis_variable_str(type) > 0 ? get_variable(a, type, space, path, name, *n, strings)
                                    : get_fixed(a, type, path, name, *n, strings);
done:
  if (space >= 0) H5Sclose(space);
  if (type >= 0) H5Tclose(type);
  H5Aclose(a);
  return rc;
}
