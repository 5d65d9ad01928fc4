// Columns of all episodes, one behind the other, with the length and the first row of each; without
// those two, one episode.
#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "data/shard/h5_dataset.h"
#include "data/shard/h5_storage.h"
#include "data/import/formats.h"
#include "data/import/hdf5.h"

static bool is_flat(hid_t file) {
  return (data_h5_has(file, "/ep_len") && data_h5_has(file, "/ep_offset")) ||
         (data_h5_has(file, "/pixels") && data_h5_has(file, "/action"));
}

static orr_code read_column(hid_t file, const char *path, const char *name, int64_t **v,
                            int64_t *n) {
  data_h5_dataset d;
  orr_code rc = ORR_OK;
  *v = NULL;
  ORR_TRY(data_h5_dataset_open(file, path, name, &d));
  *n = (int64_t)d.dims[0];
  ORR_CHECK_GOTO((d.kind == DATA_H5_NUMBERS || d.kind == DATA_H5_BYTES) && *n >= 1 &&
                     data_h5_dataset_row(&d) == 1,
                 close, ORR_EFORMAT, "%s: %s is no list of numbers, one an episode", path, name);
  *v = orr_malloc((size_t)*n * sizeof **v);
  ORR_CHECK_GOTO(*v, close, ORR_ENOMEM, "%s: no memory for %" PRId64 " episodes", path, *n);
  ORR_TRY_GOTO(data_h5_check_written(file, &d, 0, *n), close);
  rc = data_h5_dataset_read(&d, 0, *n, H5T_NATIVE_INT64, *v);
close:
  data_h5_dataset_close(&d);
  if (rc != ORR_OK) orr_free(*v), *v = NULL;
  return rc;
}

// Adds an episode with the cameras of `all`, rows first .. first+frames-1.
static orr_code add_episode(const data_import_episode *all, const char *name, int64_t number,
                            int64_t first, int64_t frames, data_import_list *list) {
  char own[4200];
  data_import_episode *e;
  ORR_CHECK(first >= 0 && frames >= 1 && first <= all->frames && frames <= all->frames - first,
            ORR_EFORMAT,
            "%s: episode %" PRId64 " has /ep_offset %" PRId64 " and /ep_len %" PRId64
            ", but %s has %" PRId64 " rows",
            all->file, number, first, frames, all->cameras[0].place, all->frames);
  snprintf(own, sizeof own, "%s:%" PRId64, name, number);
  ORR_TRY(data_import_list_add(list, &data_import_flat, own, all->file, &e));
  for (int64_t c = 0; c < all->camera_count; c++)
    ORR_TRY(data_import_add_camera(e, all->cameras[c].name, all->cameras[c].place));
  e->first = first;
  e->frames = frames;
  return ORR_OK;
}

static orr_code add_episodes(hid_t file, const data_import_episode *all, const char *name,
                             data_import_list *list) {
  int64_t *lengths = NULL, *offsets = NULL, n = 0, m = 0;
  if (!data_h5_has(file, "/ep_len")) return add_episode(all, name, 0, 0, all->frames, list);
  orr_code rc = read_column(file, all->file, "/ep_len", &lengths, &n);
  if (rc == ORR_OK) rc = read_column(file, all->file, "/ep_offset", &offsets, &m);
  if (rc != ORR_OK) goto done;
  ORR_CHECK_GOTO(n == m, done, ORR_EFORMAT,
                 "%s: /ep_len has %" PRId64 " entries, /ep_offset %" PRId64 "; wanted one an "
                 "episode in both",
                 all->file, n, m);
  for (int64_t i = 0; i < n; i++)
    ORR_TRY_GOTO(add_episode(all, name, i, offsets[i], lengths[i], list), done);
done:
  orr_free(offsets);
  orr_free(lengths);
  return rc;
}

static orr_code list(const data_import_options *o, hid_t file, const char *path, const char *name,
                     data_import_list *list) {
  data_import_list whole = {0}; // the columns as one episode
  data_import_episode *all;
  orr_code rc = data_import_list_add(&whole, &data_import_flat, name, path, &all);
  if (rc == ORR_OK) rc = data_import_hdf5_cameras(file, "/", all);
  if (rc == ORR_OK) rc = add_episodes(file, all, name, list);
  data_import_list_release(&whole);
  return rc;
}

static const data_import_layout layout = {
    .wants = "/pixels and /action, with /ep_len and /ep_offset",
    .usual = "action",
    .rows_are_columns = true,
    .is = is_flat,
    .list = list,
};

const data_import_format data_import_flat = {
    .name = "flat",
    .source = &data_import_hdf5_source,
    .layout = &layout,
    .channels = DATA_CHANNELS_RGB,
    .merge = data_import_merge_last,
    .actions = data_import_hdf5_actions,
    .open = data_import_rows_open,
};
