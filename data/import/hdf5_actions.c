// Actions of an episode in datasets with one row a frame, and what belongs to them.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "data/import/h5_paths.h"
#include "data/import/hdf5.h"
#include "data/shard/h5_storage.h"

typedef struct {
  data_h5_dataset set;
  char place[1024];
  int64_t width;
} part; // one dataset of actions

// Where a name of the user or the layout lies: below the episode's group, or at the root.
static void place_of(hid_t file, const data_import_episode *e, const char *name, char place[1024]) {
  const char *below = name + (name[0] == '/');
  snprintf(place, 1024, "/%s", below);
  if (name[0] == '/' && data_h5_has(file, place)) return;
  snprintf(place, 1024, "%s/%s", e->group, below);
}

static orr_code part_open(hid_t file, const data_import_episode *e, const char *name, part *p) {
  char words[256];
  place_of(file, e, name, p->place);
  ORR_TRY(data_h5_dataset_open(file, e->file, p->place, &p->set));
  data_h5_dataset_describe(&p->set, words, sizeof words);
  ORR_CHECK((p->set.kind == DATA_H5_NUMBERS || p->set.kind == DATA_H5_BYTES) && p->set.rank <= 2,
            ORR_EFORMAT, "%s: %s holds %s, wanted a table of numbers [frames,components]", e->file,
            p->place, words);
  p->width = data_h5_dataset_row(&p->set);
  ORR_CHECK(p->width >= 1 && p->width <= 1 << 20, ORR_EFORMAT,
            "%s: %s has %" PRId64 " components, wanted 1 to 2^20", e->file, p->place, p->width);
  return ORR_OK;
}

// Copies one part's rows into its columns of the actions.
static orr_code part_read(hid_t file, const part *p, int64_t first, int64_t column,
                          data_import_actions *out) {
  if (out->rows == 0) return ORR_OK;
  ORR_TRY(data_h5_check_written(file, &p->set, first, out->rows));
  float *rows = orr_malloc((size_t)(out->rows * p->width) * sizeof *rows);
  ORR_CHECK(rows, ORR_ENOMEM, "%s: out of memory for %" PRId64 " rows of %s", p->set.file,
            out->rows, p->place);
  orr_code rc = data_h5_dataset_read(&p->set, first, out->rows, H5T_NATIVE_FLOAT, rows);
  for (int64_t t = 0; rc == ORR_OK && t < out->rows; t++)
    memcpy(out->v + t * out->A + column, rows + t * p->width, (size_t)p->width * sizeof *rows);
  orr_free(rows);
  return rc;
}

// Rows of the parts that belong to the episode: all of them, but for episodes inside long columns.
static orr_code count_rows(const data_import_episode *e, const part *parts, int64_t n,
                           data_import_actions *out) {
  out->A = 0;
  for (int64_t i = 0; i < n; i++) {
    const data_h5_dataset *d = &parts[i].set;
    ORR_CHECK(d->dims[0] == parts[0].set.dims[0], ORR_EFORMAT,
              "%s: %s has %" PRIu64 " rows, but %s has %" PRIu64, e->file, parts[i].place,
              (uint64_t)d->dims[0], parts[0].place, (uint64_t)parts[0].set.dims[0]);
    out->A += parts[i].width;
  }
  const int64_t rows = (int64_t)parts[0].set.dims[0] - e->first;
  out->rows = rows < 0 ? 0 : e->rows && rows > e->rows ? e->rows : rows;
  ORR_CHECK(out->rows >= 1 || e->frames == 0, ORR_EFORMAT, "%s: %s has no row for %s", e->file,
            parts[0].place, e->name);
  out->v = orr_malloc((size_t)(out->rows * out->A + 1) * sizeof *out->v);
  ORR_CHECK(out->v, ORR_ENOMEM, "%s: out of memory for %" PRId64 " actions", e->file, out->rows);
  return ORR_OK;
}

static orr_code read_parts(const data_import_options *o, hid_t file, const data_import_episode *e,
                           part *parts, data_import_actions *out) {
  const char *usual = e->format->layout->actions;
  int64_t n = o->actions.n ? o->actions.n : 1, column = 0;
  orr_code rc = ORR_OK;
  ORR_CHECK(o->actions.n || usual[0], ORR_EINVAL,
            "%s: no dataset of actions is named; say --map actions=PATH", e->file);
  for (int64_t i = 0; i < n; i++)
    ORR_TRY_GOTO(part_open(file, e, o->actions.n ? o->actions.v[i] : usual, &parts[i]),
                 close_parts);
  ORR_TRY_GOTO(count_rows(e, parts, n, out), close_parts);
  for (int64_t i = 0; i < n; column += parts[i].width, i++)
    ORR_TRY_GOTO(part_read(file, &parts[i], e->first, column, out), close_parts);
close_parts:
  for (int64_t i = 0; i < n; i++) data_h5_dataset_close(&parts[i].set);
  return rc;
}

// -- rewards, ends and success --------------------------------------------------------------

// Where an optional dataset lies: one that the user named, else the layout's. *named: by the user.
static bool find(hid_t file, const data_import_episode *e, const char *given, const char *usual,
                 char place[1024], bool *named) {
  *named = given != NULL;
  if ((!given && !usual) || (given && strcmp(given, "none") == 0)) return false;
  if (data_h5_paths_first(file, e->group, given ? given : usual, place, 1024)) return true;
  if (given) place_of(file, e, given, place);
  return *named;
}

// A number a row of the actions, from orr_malloc; NULL where the layout's usual dataset is
// something else. The message is for one that the user named.
static orr_code read_column(hid_t file, const data_import_episode *e, const char *place, bool named,
                            int64_t rows, float **out) {
  data_h5_dataset d;
  char words[256];
  *out = NULL;
  orr_code rc = data_h5_dataset_open(file, e->file, place, &d);
  if (rc != ORR_OK) goto failed;
  data_h5_dataset_describe(&d, words, sizeof words);
  ORR_CHECK_GOTO((d.kind == DATA_H5_NUMBERS || d.kind == DATA_H5_BYTES) &&
                     data_h5_dataset_row(&d) == 1 && (int64_t)d.dims[0] >= e->first + rows,
                 close, ORR_EFORMAT,
                 "%s: %s holds %s, wanted a number for each of the %" PRId64 " actions", e->file,
                 place, words, rows);
  ORR_TRY_GOTO(data_h5_check_written(file, &d, e->first, rows), close);
  *out = orr_malloc((size_t)(rows + 1) * sizeof **out);
  ORR_CHECK_GOTO(*out, close, ORR_ENOMEM, "%s: out of memory for %" PRId64 " rows of %s", e->file,
                 rows, place);
  if (rows) rc = data_h5_dataset_read(&d, e->first, rows, H5T_NATIVE_FLOAT, *out);
close:
  data_h5_dataset_close(&d);
  if (rc != ORR_OK) orr_free(*out), *out = NULL;
failed:
  if (rc == ORR_OK || rc == ORR_ENOMEM || named) return rc;
  orr_status_clear();
  H5Eclear2(H5E_DEFAULT);
  return ORR_OK;
}

// Whether any value of a dataset or attribute is not zero: -1 where it holds no numbers.
static int any_value(hid_t object, bool attribute) {
  double v[256];
  int found = -1;
  hid_t space = attribute ? H5Aget_space(object) : H5Dget_space(object);
  hid_t type = attribute ? H5Aget_type(object) : H5Dget_type(object);
  const hssize_t n = space < 0 ? -1 : H5Sget_simple_extent_npoints(space);
  const H5T_class_t class = type < 0 ? H5T_NO_CLASS : H5Tget_class(type);
  double *all = n > 256 && n <= 1 << 24 ? orr_malloc((size_t)n * sizeof *all) : v;
  if (n >= 1 && n <= 1 << 24 && all &&
      (class == H5T_INTEGER || class == H5T_FLOAT || class == H5T_ENUM) &&
      (attribute ? H5Aread(object, H5T_NATIVE_DOUBLE, all)
                 : H5Dread(object, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, all)) >= 0) {
    found = 0;
    for (hssize_t i = 0; i < n; i++) found |= all[i] != 0;
  }
  if (all != v) orr_free(all);
  if (type >= 0) H5Tclose(type);
  if (space >= 0) H5Sclose(space);
  return found;
}

// An episode has succeeded where it ever did.
static orr_code read_success(const data_import_options *o, hid_t file, const data_import_episode *e,
                             int *out) {
  char place[1024];
  bool named;
  *out = -1;
  if (e->rows) return ORR_OK; // part of a column: nothing tells whose it is
  if (!find(file, e, o->map.success, e->format->layout->success, place, &named)) return ORR_OK;
  hid_t set = H5Dopen2(file, place, H5P_DEFAULT), a = H5I_INVALID_HID;
  if (set >= 0) *out = any_value(set, false);
  char *slash = strrchr(place, '/');
  if (set < 0 && slash) { // an attribute of the group
    *slash = 0;
    a = H5Aopen_by_name(file, place[0] ? place : "/", slash + 1, H5P_DEFAULT, H5P_DEFAULT);
    if (a >= 0) *out = any_value(a, true);
    *slash = '/';
  }
  if (a >= 0) H5Aclose(a);
  if (set >= 0) H5Dclose(set);
  H5Eclear2(H5E_DEFAULT);
  ORR_CHECK(*out >= 0 || !named, ORR_EFORMAT, "%s: no numbers in %s that tell success", e->file,
            place);
  return ORR_OK;
}

static orr_code read_extras(const data_import_options *o, hid_t file, const data_import_episode *e,
                            data_import_actions *out) {
  const data_import_layout *l = e->format->layout;
  char place[1024];
  bool named;
  if (find(file, e, o->map.reward, l->reward, place, &named))
    ORR_TRY(read_column(file, e, place, named, out->rows, &out->reward));
  if (find(file, e, o->map.done, l->done, place, &named))
    ORR_TRY(read_column(file, e, place, named, out->rows, &out->done));
  return read_success(o, file, e, &out->success);
}

orr_code data_import_hdf5_actions(const data_import_options *o, const data_import_episode *e,
                                  data_import_actions *out) {
  data_h5_fault fault;
  const data_h5_others others = data_import_hdf5_others(e);
  hid_t file = H5I_INVALID_HID;
  *out = (data_import_actions){.success = -1};
  part *parts = orr_calloc((size_t)(o->actions.n ? o->actions.n : 1), sizeof *parts);
  ORR_CHECK(parts, ORR_ENOMEM, "%s: out of memory: cannot read its actions", e->file);
  data_h5_enter();
  orr_code rc = data_import_hdf5_open(e->file, &others, &fault, &file);
  if (rc == ORR_OK) rc = read_parts(o, file, e, parts, out);
  if (rc == ORR_OK) rc = read_extras(o, file, e, out);
  rc = data_import_hdf5_close(file, &fault, rc);
  data_h5_leave();
  orr_free(parts);
  if (rc != ORR_OK) data_import_actions_release(out);
  return rc;
}
