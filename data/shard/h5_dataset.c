#include "data/shard/h5_dataset.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/natural.h"
#include "data/shard/h5.h"
#include "data/shard/h5_storage.h"

#define ROW_MAX        (INT64_C(1) << 40)
#define LINKS_MAX      (1 << 24)
#define CACHE_MAX_BYTE ((size_t)256 << 20)

// -- groups ---------------------------------------------------------------------------------

// H5Lexists wants every part of the path but the last to be there.
bool data_h5_has(hid_t file, const char *name) {
  char part[1024];
  size_t n = strlen(name);
  if (n == 0 || n >= sizeof part) return false;
  for (size_t i = 1; i <= n; i++) {
    if (name[i] != '/' && name[i] != 0) continue;
    memcpy(part, name, i);
    part[i] = 0;
    if (strcmp(part, "/") != 0 && H5Lexists(file, part, H5P_DEFAULT) <= 0) return false;
  }
  return H5Oexists_by_name(file, name, H5P_DEFAULT) > 0;
}

bool data_h5_is_group(hid_t file, const char *name) {
  hid_t group = H5Gopen2(file, name, H5P_DEFAULT);
  H5Eclear2(H5E_DEFAULT);
  if (group >= 0) H5Gclose(group);
  return group >= 0;
}

typedef struct {
  char **names;
  int64_t n, room;
  size_t bytes;
  bool failed;
} listing;

static herr_t add_link(hid_t group, const char *name, const H5L_info_t *info, void *ctx) {
  listing *l = ctx;
  if (l->n == l->room) {
    int64_t room = l->room ? 2 * l->room : 64;
    char **names = room <= LINKS_MAX ? orr_realloc(l->names, (size_t)room * sizeof *names) : NULL;
    if (names) l->names = names, l->room = room;
  }
  char *copy = l->n < l->room ? orr_strdup(name) : NULL;
  l->failed = copy == NULL;
  if (l->failed) return -1;
  l->names[l->n++] = copy;
  l->bytes += strlen(name) + 1 + sizeof(char *);
  return 0;
}

// Packs the names after their pointers.
static char **pack(const listing *l) {
  char **block = orr_malloc(l->bytes + 1);
  if (!block) return NULL;
  char *text = (char *)(block + l->n);
  for (int64_t i = 0; i < l->n; i++) {
    size_t bytes = strlen(l->names[i]) + 1;
    block[i] = memcpy(text, l->names[i], bytes);
    text += bytes;
  }
  return block;
}

orr_code data_h5_list(hid_t file, const char *path, const char *group, char ***names, int64_t *n) {
  listing l = {0};
  orr_code rc = ORR_OK;
  hid_t g = H5Gopen2(file, group, H5P_DEFAULT);
  H5_CHECK_GOTO(g >= 0, done, ORR_EFORMAT, "%s: cannot open group %s", path, group);
  bool good = H5Literate(g, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, add_link, &l) >= 0;
  H5Gclose(g);
  H5_CHECK_GOTO(good, done, l.failed ? ORR_ENOMEM : ORR_EFORMAT, "%s: cannot list group %s", path,
                group);
  if (l.n > 1) qsort(l.names, (size_t)l.n, sizeof *l.names, orr_natural_compare_names);
  *names = pack(&l);
  *n = l.n;
  ORR_CHECK_GOTO(*names, done, ORR_ENOMEM, "%s: out of memory: cannot list group %s", path, group);
done:
  for (int64_t i = 0; i < l.n; i++) orr_free(l.names[i]);
  orr_free(l.names);
  return rc;
}

void data_h5_join(char *out, size_t size, char *const *names, int64_t n) {
  size_t at = 0;
  out[0] = 0;
  for (int64_t i = 0; i < n; i++) {
    size_t left = size - at;
    if (strlen(names[i]) + 8 >= left) {
      snprintf(out + at, left, ", ...");
      return;
    }
    at += (size_t)snprintf(out + at, left, "%s%s", i ? ", " : "", names[i]);
  }
}

// What lies beside a dataset that is missing: the deepest group of its path that is there.
static orr_code fail_missing(hid_t file, const char *path, const char *name) {
  ORR_TRY(data_h5_check_links(file, path, name));
  char group[1024], list[512] = "";
  char **names = NULL;
  int64_t n = 0;
  snprintf(group, sizeof group, "%s%s", name[0] == '/' ? "" : "/", name);
  do {
    char *slash = strrchr(group, '/');
    slash[slash == group] = 0;
  } while (strcmp(group, "/") != 0 && !data_h5_has(file, group));
  if (data_h5_list(file, path, group, &names, &n) == ORR_OK)
    data_h5_join(list, sizeof list, names, n);
  orr_free(names);
  H5Eclear2(H5E_DEFAULT);
  return ORR_FAIL(ORR_ENOTFOUND, "%s: no %s; in %s there is: %s", path, name, group,
                  list[0] ? list : "nothing");
}

// -- datasets -------------------------------------------------------------------------------

static data_h5_kind kind_of(hid_t type) {
  H5T_class_t class = H5Tget_class(type);
  if (class == H5T_INTEGER && H5Tget_size(type) == 1 && H5Tget_sign(type) == H5T_SGN_NONE)
    return DATA_H5_BYTES;
  if (class == H5T_INTEGER || class == H5T_FLOAT) return DATA_H5_NUMBERS;
  if (class == H5T_ENUM && H5Tget_size(type) == 1) return DATA_H5_NUMBERS; // h5py's booleans
  if (class == H5T_OPAQUE || (class == H5T_STRING && H5Tis_variable_str(type) == 0))
    return DATA_H5_STRING;
  if (class != H5T_VLEN) return DATA_H5_OTHER;
  hid_t base = H5Tget_super(type);
  bool bytes = base >= 0 && H5Tget_class(base) == H5T_INTEGER && H5Tget_size(base) == 1;
  data_h5_kind kind = bytes ? DATA_H5_SEQUENCE : DATA_H5_OTHER;
  if (base >= 0) H5Tclose(base);
  return kind;
}

static orr_code check_filters(const data_h5_dataset *d, hid_t create) {
  data_h5_filter missing;
  ORR_CHECK(!data_h5_lacks_filter(create, &missing), ORR_EUNSUPPORTED,
            "%s: %s is packed with filter %d (%s), which this HDF5 lacks; install its plugin, or "
            "repack the file with `h5repack -f GZIP=4` where the plugin is",
            d->file, d->name, missing.id, missing.name);
  return ORR_OK;
}

// Access with a cache of two chunks: pictures are read in order, each chunk unpacked once.
static hid_t cached_access(hid_t create, hid_t type) {
  hsize_t chunk[DATA_H5_RANK_MAX];
  hid_t access = H5Pcreate(H5P_DATASET_ACCESS);
  if (access < 0 || H5Pget_layout(create) != H5D_CHUNKED) return access;
  int rank = H5Pget_chunk(create, DATA_H5_RANK_MAX, chunk);
  size_t bytes = H5Tget_size(type) * 2;
  for (int i = 0; i < rank && i < DATA_H5_RANK_MAX; i++) {
    if (bytes > CACHE_MAX_BYTE || chunk[i] > CACHE_MAX_BYTE) return access;
    bytes *= (size_t)chunk[i];
  }
  if (bytes <= CACHE_MAX_BYTE) H5Pset_chunk_cache(access, 521, bytes, 1.0);
  return access;
}

static orr_code open_cached(hid_t file, data_h5_dataset *d) {
  orr_path prefix;
  orr_code rc = ORR_OK;
  hid_t type = H5I_INVALID_HID, create = H5I_INVALID_HID, access = H5I_INVALID_HID;
  hid_t plain = H5Dopen2(file, d->name, H5P_DEFAULT);
  H5_CHECK_GOTO(plain >= 0 || !data_h5_is_group(file, d->name), done, ORR_EFORMAT,
                "%s: %s is a group, wanted a dataset", d->file, d->name);
  H5_CHECK_GOTO(plain >= 0, done, ORR_EFORMAT, "%s: cannot open %s as a dataset", d->file, d->name);
  type = H5Dget_type(plain);
  create = H5Dget_create_plist(plain);
  H5_CHECK_GOTO(type >= 0 && create >= 0, done, ORR_EFORMAT, "%s: cannot look at %s", d->file,
                d->name);
  d->kind = kind_of(type);
  d->size = H5Tget_size(type);
  d->enumerated = H5Tget_class(type) == H5T_ENUM;
  ORR_TRY_GOTO(check_filters(d, create), done);
  access = cached_access(create, type);
  d->set = plain;
  if (H5Pget_external_count(create) > 0) {
    ORR_TRY_GOTO(data_h5_check_external(file, d, create, prefix), done);
    H5_CHECK_GOTO(access >= 0 && H5Pset_efile_prefix(access, prefix) >= 0, done, ORR_ENOMEM,
                  "%s: out of memory: cannot open %s", d->file, d->name);
  }
  H5Dclose(plain); // the cache's size is fixed at the first open
  plain = H5I_INVALID_HID;
  d->set = access < 0 ? H5I_INVALID_HID : H5Dopen2(file, d->name, access);
  H5_CHECK_GOTO(d->set >= 0, done, ORR_EFORMAT, "%s: cannot open %s", d->file, d->name);
done:
  if (access >= 0) H5Pclose(access);
  if (create >= 0) H5Pclose(create);
  if (type >= 0) H5Tclose(type);
  if (plain >= 0) {
    H5Dclose(plain);
    d->set = H5I_INVALID_HID;
  }
  return rc;
}

orr_code data_h5_dataset_open(hid_t file, const char *path, const char *name,
                              data_h5_dataset *out) {
  orr_code rc = ORR_OK;
  *out = (data_h5_dataset){.file = path, .name = name, .set = -1, .space = -1};
  if (!data_h5_has(file, name)) return fail_missing(file, path, name);
  ORR_TRY_GOTO(open_cached(file, out), fail);
  out->space = H5Dget_space(out->set);
  out->rank = out->space < 0 ? -1 : H5Sget_simple_extent_ndims(out->space);
  H5_CHECK_GOTO(out->rank >= 0, fail, ORR_EFORMAT, "%s: cannot look at %s", path, name);
  ORR_CHECK_GOTO(out->rank >= 1 && out->rank <= DATA_H5_RANK_MAX, fail, ORR_EFORMAT,
                 "%s: %s has %d dimensions, wanted one row a frame", path, name, out->rank);
  H5Sget_simple_extent_dims(out->space, out->dims, NULL);
  ORR_CHECK_GOTO(out->dims[0] <= (hsize_t)ROW_MAX, fail, ORR_EFORMAT,
                 "%s: %s claims %" PRIu64 " rows; the file is damaged", path, name,
                 (uint64_t)out->dims[0]);
  return ORR_OK;
fail:
  data_h5_dataset_close(out);
  return rc;
}

void data_h5_dataset_close(data_h5_dataset *d) {
  if (d->space > 0) H5Sclose(d->space);
  if (d->set > 0) H5Dclose(d->set);
  d->set = d->space = 0;
}

static void describe_type(hid_t type, char *out, size_t size) {
  const int bits = (int)H5Tget_size(type) * 8;
  switch (H5Tget_class(type)) {
  case H5T_INTEGER:
    snprintf(out, size, "%sint%d", H5Tget_sign(type) == H5T_SGN_NONE ? "u" : "", bits);
    return;
  case H5T_FLOAT:
    snprintf(out, size, "float%d", bits);
    return;
  case H5T_STRING:
    if (H5Tis_variable_str(type) > 0)
      snprintf(out, size, "strings of any length");
    else
      snprintf(out, size, "strings of %d bytes", bits / 8);
    return;
  case H5T_OPAQUE:
    snprintf(out, size, "opaque values of %d bytes", bits / 8);
    return;
  case H5T_REFERENCE:
    snprintf(out, size, "%s references", H5Tequal(type, H5T_STD_REF_OBJ) > 0 ? "object" : "region");
    return;
  case H5T_VLEN:
    snprintf(out, size, "sequences");
    return;
  case H5T_COMPOUND:
    snprintf(out, size, "compound values");
    return;
  case H5T_ENUM:
    snprintf(out, size, "booleans or enumerated values");
    return;
  default:
    snprintf(out, size, "values of another type");
  }
}

void data_h5_dataset_describe(const data_h5_dataset *d, char *out, size_t size) {
  hid_t type = H5Dget_type(d->set);
  describe_type(type, out, size);
  if (type >= 0) H5Tclose(type);
  size_t at = strlen(out);
  for (int i = 0; i < d->rank && at + 24 < size; i++)
    at += (size_t)snprintf(out + at, size - at, "%s%" PRIu64 "%s", i ? "," : " [",
                           (uint64_t)d->dims[i], i + 1 < d->rank ? "" : "]");
}

int64_t data_h5_dataset_row(const data_h5_dataset *d) {
  int64_t n = 1;
  for (int i = 1; i < d->rank; i++) {
    if (d->dims[i] > (hsize_t)ROW_MAX || (d->dims[i] && n > ROW_MAX / (int64_t)d->dims[i]))
      return -1;
    n *= (int64_t)d->dims[i];
  }
  return n;
}

orr_code data_h5_dataset_read(const data_h5_dataset *d, int64_t first, int64_t n, hid_t memory_type,
                              void *out) {
  hsize_t start[DATA_H5_RANK_MAX] = {(hsize_t)first}, count[DATA_H5_RANK_MAX] = {(hsize_t)n};
  ORR_CHECK(first >= 0 && n >= 1 && (hsize_t)first < d->dims[0] &&
                (hsize_t)n <= d->dims[0] - (hsize_t)first,
            ORR_EINVAL, "%s: rows %" PRId64 " to %" PRId64 " of %s asked for, it has %" PRIu64,
            d->file, first, first + n - 1, d->name, (uint64_t)d->dims[0]);
  for (int i = 1; i < d->rank; i++) count[i] = d->dims[i];
  hid_t memory = H5Screate_simple(d->rank, count, NULL);
  bool good = memory >= 0 &&
              H5Sselect_hyperslab(d->space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0 &&
              H5Dread(d->set, memory_type, memory, d->space, H5P_DEFAULT, out) >= 0;
  if (memory >= 0) H5Sclose(memory);
  if (good) return ORR_OK;
  return data_h5_fail(ORR_EFORMAT, __FILE__, __LINE__,
                      "%s: cannot read rows %" PRId64 " to %" PRId64
                      " of %s; the file is damaged or truncated",
                      d->file, first, first + n - 1, d->name);
}
