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
#include "data/import/referred.h"

// -- listing --------------------------------------------------------------------------------

// Whether a format is in question for an HDF5 file.
static bool possible(const data_import_options *o, const data_import_format *f) {
  return f->layout && (!o->format || strcmp(o->format, f->name) == 0);
}

// A link that leads nowhere may be why a file looks like nothing.
static orr_code check_links(hid_t file, const char *path, char *const *names, int64_t n) {
  char name[1024];
  for (int64_t i = 0; i < n; i++) {
    snprintf(name, sizeof name, "/%s", names[i]);
    ORR_TRY(data_h5_check_links(file, path, name));
  }
  return ORR_OK;
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
  orr_code rc = check_links(file, path, names, n);
  orr_free(names);
  ORR_TRY(rc);
  for (int i = 0; (f = data_import_format_at(i)) && at < sizeof wants; i++)
    if (possible(o, f))
      at += (size_t)snprintf(wants + at, sizeof wants - at, "%s%s (%s)", at ? ", or " : "",
                             f->layout->wants, f->name);
  return ORR_FAIL(ORR_EFORMAT, "%s: holds %s; wanted %s", path, list[0] ? list : "nothing", wants);
}

static orr_code list_open(data_import_search *s, hid_t file, const data_import_path *path) {
  const data_import_format *f;
  for (int i = 0; (f = data_import_format_at(i)); i++) {
    const data_import_h5 h = {s, f, file, path->path, path->name};
    if (!possible(s->o, f) || !f->layout->is(s->o, file)) continue;
    return f->layout->list ? f->layout->list(&h) : data_import_layout_list(&h, NULL, NULL);
  }
  return fail_unknown(s->o, file, path->path);
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

orr_code data_import_hdf5_close(hid_t file, const data_h5_fault *fault, orr_code rc) {
  if (file >= 0) H5Fclose(file);
  if (rc != ORR_OK || fault->rc == ORR_OK) return rc;
  orr_status_set(fault->message);
  return fault->rc;
}

data_h5_others data_import_hdf5_others(const data_import_episode *e) {
  return (data_h5_others){e->root, data_import_referred_note, e->referred};
}

static orr_code list_file(data_import_search *s, const data_import_path *path, const char *root) {
  const data_h5_others others = {root, data_import_referred_note, s->referred};
  data_h5_fault fault;
  hid_t file = H5I_INVALID_HID;
  data_h5_enter();
  orr_code rc = data_import_hdf5_open(path->path, &others, &fault, &file);
  if (rc == ORR_OK && !path->given && H5Aexists(file, "orrery_shard") > 0)
    s->shards++;
  else if (rc == ORR_OK)
    rc = list_open(s, file, path);
  rc = data_import_hdf5_close(file, &fault, rc);
  data_h5_leave();
  return rc;
}

static orr_code list_files(data_import_search *s) {
  for (int64_t i = 0; i < s->paths->n; i++) {
    const data_import_path *path = &s->paths->v[i];
    const int64_t before = s->list->n;
    if (path->kind != DATA_PATH_HDF5) continue;
    data_import_note_reading(s->o, s->board, path->path);
    char *root = data_import_path_root(path);
    ORR_CHECK(root, ORR_ENOMEM, "%s: out of memory: cannot list it", path->path);
    orr_code rc = list_file(s, path, root);
    orr_free(root);
    for (int64_t k = before; k < s->list->n; k++) s->list->v[k].referred = s->referred;
    if (rc != ORR_OK) data_import_list_cut(s->list, before);
    ORR_TRY(data_import_faults_take(s->faults, path->name, path->path, rc));
  }
  if (s->uncut)
    data_import_tell(
        s->o, s->board,
        "%s%s: nothing beside the pictures says where an episode ends (ep_len, "
        "episode_idx, is_first, terminated and the like), so each file is one episode; "
        "--map cut=DATASET names what does, --map cut=none says that it is so",
        s->first_uncut, s->uncut > 1 ? " and others" : "");
  return ORR_OK;
}

static data_import_claim claim(const data_import_paths *paths, const char **first) {
  return data_import_paths_claim(paths, DATA_PATH_HDF5, first);
}

const data_import_source data_import_hdf5_source = {
    .words = "HDF5 file (.h5, .hdf5)",
    .claim = claim,
    .list = list_files,
};
