#include "data/import/hdf5.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/shard/h5.h"
#include "data/shard/h5_dataset.h"
#include "data/shard/h5_storage.h"
#include "data/import/formats.h"
#include "data/import/sources.h"
#include "data/shard/lzf.h"

#define JPEG_BYTES_MIN 64 // no picture is shorter; rows of fewer bytes are something else

orr_code data_import_set_group(data_import_episode *e, const char *group) {
  char *copy = orr_strdup(group);
  ORR_CHECK(copy, ORR_ENOMEM, "%s: no memory to list %s", e->file, group);
  orr_free(e->group);
  e->group = copy;
  return ORR_OK;
}

// -- listing ---------------------------------------------------------------------------------

// Whether a format is in question for an HDF5 file.
static bool possible(const data_import_options *o, const data_import_format *f) {
  return f->layout && (!o->format || strcmp(o->format, f->name) == 0);
}

static orr_code fail_unknown(const data_import_options *o, hid_t file, const char *path) {
  char list[400] = "", wants[600] = "";
  char **names = NULL;
  const data_import_format *f;
  int64_t n = 0;
  size_t at = 0;
  ORR_CHECK(H5Aexists(file, "orrery_shard") <= 0, ORR_EINVAL,
            "%s: already a shard of an Orrery data set; train on its folder as it is", path);
  if (data_h5_list(file, path, "/", &names, &n) == ORR_OK)
    data_h5_join(list, sizeof list, names, n);
  orr_free(names);
  for (int i = 0; (f = data_import_format_at(i)) && at < sizeof wants; i++)
    if (possible(o, f))
      at += (size_t)snprintf(wants + at, sizeof wants - at, "%s%s (%s)", at ? ", or " : "",
                             f->layout->wants, f->name);
  return ORR_FAIL(ORR_EFORMAT, "%s: holds %s; wanted %s", path, list[0] ? list : "nothing", wants);
}

static orr_code list_open(const data_import_options *o, hid_t file, const char *path,
                          const char *name, data_import_list *list) {
  const data_import_format *f;
  for (int i = 0; (f = data_import_format_at(i)); i++)
    if (possible(o, f) && f->layout->is(file)) return f->layout->list(o, file, path, name, list);
  return fail_unknown(o, file, path);
}

orr_code data_import_hdf5_open(const char *path, const data_h5_others *others, data_h5_fault *fault,
                               hid_t *file) {
  ORR_TRY(data_lzf_register());
  *file = data_h5_file_open(path, others, fault);
  if (*file >= 0) return ORR_OK;
  if (fault->rc != ORR_OK) {
    orr_status_set(fault->message);
    return fault->rc;
  }
  return data_h5_fail(ORR_EFORMAT, __FILE__, __LINE__,
                      "%s: no HDF5 file, or a truncated one; copy or record it again", path);
}

data_h5_others data_import_hdf5_others(const data_import_episode *e) {
  return (data_h5_others){.root = e->root};
}

// Real paths of files that recordings refer to.
typedef struct {
  char **v;
  int64_t n, room;
} referred;

static void note_referred(void *ctx, const char *path) {
  referred *r = ctx;
  for (int64_t i = 0; i < r->n; i++)
    if (strcmp(r->v[i], path) == 0) return;
  if (r->n == r->room) {
    int64_t room = r->room ? 2 * r->room : 16;
    char **v = orr_realloc(r->v, (size_t)room * sizeof *v);
    if (!v) return;
    r->v = v;
    r->room = room;
  }
  char *copy = orr_strdup(path);
  if (copy) r->v[r->n++] = copy;
}

static bool was_referred(const referred *r, const char *path) {
  char real[PATH_MAX];
  bool found = false;
  for (int64_t i = 0; r->n && realpath(path, real) && !found && i < r->n; i++)
    found = strcmp(r->v[i], real) == 0;
  return found;
}

static orr_code list_file(data_import_search *s, const data_import_path *path,
                          const data_h5_others *others) {
  data_h5_fault fault;
  hid_t file = H5I_INVALID_HID;
  data_h5_enter();
  orr_code rc = data_import_hdf5_open(path->path, others, &fault, &file);
  bool ours = rc == ORR_OK && !path->given && H5Aexists(file, "orrery_shard") > 0;
  if (ours)
    s->shards++;
  else if (rc == ORR_OK)
    rc = list_open(s->o, file, path->path, path->name, s->list);
  if (file >= 0) H5Fclose(file);
  data_h5_leave();
  return rc;
}

// The episodes of one file, or its fault.
static orr_code list_one(data_import_search *s, const data_import_path *path, referred *r) {
  const int64_t before = s->list->n;
  const int n = (int)(path->name - path->path);
  char *root = n ? orr_format("%.*s", n, path->path) : orr_strdup(".");
  ORR_CHECK(root, ORR_ENOMEM, "%s: no memory to list it", path->path);
  orr_code rc = list_file(s, path, &(data_h5_others){root, note_referred, r});
  if (rc != ORR_OK) data_import_list_cut(s->list, before);
  for (int64_t i = before; rc == ORR_OK && i < s->list->n; i++) {
    s->list->v[i].root = orr_strdup(root);
    if (!s->list->v[i].root) rc = ORR_FAIL(ORR_ENOMEM, "%s: no memory to list it", path->path);
  }
  orr_free(root);
  return data_import_faults_take(s->faults, path->name, rc);
}

// A file that is there for other recordings only is none itself.
static void drop_referred(data_import_search *s, const referred *r) {
  for (int64_t i = 0; s->faults->n && i < s->paths->n; i++)
    if (s->paths->v[i].kind == DATA_PATH_HDF5 && was_referred(r, s->paths->v[i].path))
      data_import_faults_drop(s->faults, s->paths->v[i].name);
}

static orr_code list_files(data_import_search *s) {
  referred r = {0};
  orr_code rc = ORR_OK;
  for (int64_t i = 0; rc == ORR_OK && i < s->paths->n; i++) {
    const data_import_path *path = &s->paths->v[i];
    if (path->kind != DATA_PATH_HDF5) continue;
    data_import_note_reading(s->o, s->board, path->path);
    rc = list_one(s, path, &r);
  }
  if (rc == ORR_OK) drop_referred(s, &r);
  for (int64_t i = 0; i < r.n; i++) orr_free(r.v[i]);
  orr_free(r.v);
  return rc;
}

static data_import_claim claim(const data_import_paths *paths, const char **first) {
  return data_import_paths_claim(paths, DATA_PATH_HDF5, first);
}

const data_import_source data_import_hdf5_source = {
    .words = "HDF5 file (.h5, .hdf5)",
    .claim = claim,
    .list = list_files,
};

// -- cameras ---------------------------------------------------------------------------------

static bool holds_pictures(const data_h5_dataset *d) {
  if (d->kind == DATA_H5_SEQUENCE) return d->rank == 1;
  if (d->kind != DATA_H5_BYTES) return false;
  if (d->rank == 2) return d->dims[1] >= JPEG_BYTES_MIN;
  return d->rank == 4 && (d->dims[3] == 3 || d->dims[1] == 3);
}

// Adds `name` when it holds pictures; a dataset of anything else, such as depth, is passed over.
static orr_code try_camera(hid_t file, const char *group, const char *name,
                           data_import_episode *e) {
  char place[1024];
  data_h5_dataset d;
  H5O_info_t info;
  snprintf(place, sizeof place, "%s/%s", strcmp(group, "/") == 0 ? "" : group, name);
  if (H5Oget_info_by_name2(file, place, &info, H5O_INFO_BASIC, H5P_DEFAULT) < 0 ||
      info.type != H5O_TYPE_DATASET)
    return ORR_OK;
  ORR_TRY(data_h5_dataset_open(file, e->file, place, &d));
  bool pictures = holds_pictures(&d);
  int64_t frames = (int64_t)d.dims[0];
  data_h5_dataset_close(&d);
  if (!pictures) return ORR_OK;
  ORR_CHECK(!e->camera_count || e->frames == frames, ORR_EFORMAT,
            "%s: %s has %" PRId64 " frames, but %s has %" PRId64
            "; the cameras of an episode have as many",
            e->file, place, frames, e->cameras[0].place, e->frames);
  e->frames = frames;
  return data_import_add_camera(e, name, place);
}

orr_code data_import_hdf5_cameras(hid_t file, const char *group, data_import_episode *e) {
  char **names = NULL, list[512] = "";
  int64_t n = 0;
  orr_code rc = ORR_OK;
  ORR_CHECK(data_h5_has(file, group), ORR_EFORMAT, "%s: no %s, so no pictures to import", e->file,
            group);
  ORR_TRY(data_h5_list(file, e->file, group, &names, &n));
  for (int64_t i = 0; i < n; i++) ORR_TRY_GOTO(try_camera(file, group, names[i], e), done);
  data_h5_join(list, sizeof list, names, n);
  ORR_CHECK_GOTO(e->camera_count, done, ORR_EFORMAT,
                 "%s: no pictures (u8 [frames,height,width,3], or JPEGs as bytes) in %s, which "
                 "holds %s",
                 e->file, group, list[0] ? list : "nothing");
done:
  orr_free(names);
  return rc;
}

// -- actions ---------------------------------------------------------------------------------

typedef struct {
  data_h5_dataset set;
  char place[1024];
  int64_t width;
} part; // one dataset of actions

static orr_code part_open(hid_t file, const data_import_episode *e, const char *name, part *p) {
  snprintf(p->place, sizeof p->place, "%s/%s", name[0] == '/' ? "" : e->group,
           name + (name[0] == '/'));
  ORR_TRY(data_h5_dataset_open(file, e->file, p->place, &p->set));
  ORR_CHECK((p->set.kind == DATA_H5_NUMBERS || p->set.kind == DATA_H5_BYTES) && p->set.rank <= 2,
            ORR_EFORMAT, "%s: %s is no table of numbers [frames,components]", e->file, p->place);
  p->width = data_h5_dataset_row(&p->set);
  ORR_CHECK(p->width >= 1 && p->width <= 1 << 20, ORR_EFORMAT,
            "%s: %s has %" PRId64 " components, wanted 1 to 2^20", e->file, p->place, p->width);
  return ORR_OK;
}

// Copies one part's rows into its columns of the actions.
static orr_code part_read(hid_t file, const part *p, int64_t first, int64_t column,
                          data_import_actions *out) {
  ORR_TRY(data_h5_check_written(file, &p->set, first, out->rows));
  float *rows = orr_malloc((size_t)(out->rows * p->width) * sizeof *rows);
  ORR_CHECK(rows, ORR_ENOMEM, "%s: no memory for %" PRId64 " rows of %s", p->set.file, out->rows,
            p->place);
  orr_code rc = data_h5_dataset_read(&p->set, first, out->rows, H5T_NATIVE_FLOAT, rows);
  for (int64_t t = 0; rc == ORR_OK && t < out->rows; t++)
    memcpy(out->v + t * out->A + column, rows + t * p->width, (size_t)p->width * sizeof *rows);
  orr_free(rows);
  return rc;
}

// Rows of the parts that belong to the episode: all of them, but for episodes inside long columns.
static orr_code count_rows(const data_import_episode *e, const part *parts, int64_t n,
                           data_import_actions *out) {
  const bool columns = e->format->layout->rows_are_columns;
  out->A = 0;
  for (int64_t i = 0; i < n; i++) {
    const data_h5_dataset *d = &parts[i].set;
    ORR_CHECK(d->dims[0] == parts[0].set.dims[0], ORR_EFORMAT,
              "%s: %s has %" PRIu64 " rows, but %s has %" PRIu64, e->file, parts[i].place,
              (uint64_t)d->dims[0], parts[0].place, (uint64_t)parts[0].set.dims[0]);
    out->A += parts[i].width;
  }
  int64_t rows = (int64_t)parts[0].set.dims[0] - e->first;
  out->rows = columns && rows > e->frames ? e->frames : rows;
  ORR_CHECK(out->rows >= 1, ORR_EFORMAT, "%s: %s has no row for %s", e->file, parts[0].place,
            e->name);
  out->v = orr_malloc((size_t)(out->rows * out->A) * sizeof *out->v);
  ORR_CHECK(out->v, ORR_ENOMEM, "%s: no memory for %" PRId64 " actions", e->file, out->rows);
  return ORR_OK;
}

static orr_code read_parts(const data_import_options *o, hid_t file, const data_import_episode *e,
                           part *parts, data_import_actions *out) {
  const data_import_layout *layout = e->format->layout;
  int64_t n = o->actions.n ? o->actions.n : 1, column = 0;
  orr_code rc = ORR_OK;
  for (int64_t i = 0; i < n; i++)
    ORR_TRY_GOTO(part_open(file, e, o->actions.n ? o->actions.v[i] : layout->usual, &parts[i]),
                 close_parts);
  ORR_TRY_GOTO(count_rows(e, parts, n, out), close_parts);
  for (int64_t i = 0; i < n; column += parts[i].width, i++)
    ORR_TRY_GOTO(part_read(file, &parts[i], e->first, column, out), close_parts);
close_parts:
  for (int64_t i = 0; i < n; i++) data_h5_dataset_close(&parts[i].set);
  return rc;
}

orr_code data_import_hdf5_actions(const data_import_options *o, const data_import_episode *e,
                                  data_import_actions *out) {
  data_h5_fault fault;
  const data_h5_others others = data_import_hdf5_others(e);
  hid_t file = H5I_INVALID_HID;
  *out = (data_import_actions){0};
  part *parts = orr_calloc((size_t)(o->actions.n ? o->actions.n : 1), sizeof *parts);
  ORR_CHECK(parts, ORR_ENOMEM, "%s: no memory to read its actions", e->file);
  data_h5_enter();
  orr_code rc = data_import_hdf5_open(e->file, &others, &fault, &file);
  if (rc == ORR_OK) rc = read_parts(o, file, e, parts, out);
  if (file >= 0) H5Fclose(file);
  data_h5_leave();
  orr_free(parts);
  if (rc != ORR_OK) data_import_actions_release(out);
  return rc;
}
