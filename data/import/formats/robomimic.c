// robomimic's demonstrations: a group each in /data, and lists of their names in /mask.
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "data/shard/h5.h"
#include "data/shard/h5_attribute.h"
#include "data/shard/h5_dataset.h"
#include "data/shard/h5_storage.h"
#include "data/import/formats.h"
#include "data/import/hdf5.h"

static bool is_robomimic(const data_import_options *o, hid_t file) {
  return data_h5_has(file, "/data/demo_0") ||
         (data_h5_has(file, "/data") &&
          H5Aexists_by_name(file, "/data", "env_args", H5P_DEFAULT) > 0);
}

// Steps a second, from the simulator's arguments; 0 where they do not say.
static double control_frequency(hid_t file, const char *path) {
  char **text = NULL;
  int64_t n = 0;
  double fps = 0;
  hid_t data = H5Gopen2(file, "/data", H5P_DEFAULT);
  if (data >= 0 && H5Aexists(data, "env_args") > 0 &&
      data_h5_get_strings(data, path, "env_args", &text, &n) == ORR_OK) {
    json_t *j = json_loads(text[0], 0, NULL);
    fps = json_number_value(json_object_get(json_object_get(j, "env_kwargs"), "control_freq"));
    json_decref(j);
  }
  orr_free(text);
  if (data >= 0) H5Gclose(data);
  return fps > 0 ? fps : 0;
}

// -- filter keys ----------------------------------------------------------------------------

typedef struct {
  char *text; // [n] names of `width` bytes each, padded with zeros
  int64_t n;
  size_t width;
} mask;

static bool mask_holds(const mask *m, const char *name) {
  for (int64_t i = 0; i < m->n; i++) {
    const char *at = m->text + (size_t)i * m->width;
    if (strnlen(at, m->width) == strlen(name) && memcmp(at, name, strlen(name)) == 0) return true;
  }
  return false;
}

// Reads names of fixed or variable length into rows of one width.
static orr_code read_names(const data_h5_dataset *d, hid_t type, mask *m) {
  orr_code rc = ORR_OK;
  m->n = (int64_t)d->dims[0];
  if (H5Tis_variable_str(type) <= 0) {
    m->width = H5Tget_size(type);
    m->text = orr_calloc((size_t)m->n + 1, m->width);
    ORR_CHECK(m->text, ORR_ENOMEM, "%s: out of memory for %s", d->file, d->name);
    return data_h5_dataset_read(d, 0, m->n, type, m->text);
  }
  char **text = orr_calloc((size_t)m->n + 1, sizeof *text);
  ORR_CHECK(text, ORR_ENOMEM, "%s: out of memory for %s", d->file, d->name);
  ORR_TRY_GOTO(data_h5_dataset_read(d, 0, m->n, type, text), done);
  for (int64_t i = 0; i < m->n; i++)
    if (text[i] && strlen(text[i]) > m->width) m->width = strlen(text[i]);
  m->text = orr_calloc((size_t)m->n + 1, m->width + 1);
  for (int64_t i = 0; m->text && i < m->n; i++)
    if (text[i]) memcpy(m->text + (size_t)i * m->width, text[i], strlen(text[i]));
  H5Dvlen_reclaim(type, d->space, H5P_DEFAULT, text);
  ORR_CHECK_GOTO(m->text, done, ORR_ENOMEM, "%s: out of memory for %s", d->file, d->name);
done:
  orr_free(text);
  return rc;
}

static orr_code mask_read(hid_t file, const char *path, const char *key, mask *m) {
  char name[512];
  data_h5_dataset d;
  orr_code rc = ORR_OK;
  ORR_CHECK(snprintf(name, sizeof name, "/mask/%s", key) < (int)sizeof name, ORR_EINVAL,
            "%s: the filter key has more than 500 letters", path);
  ORR_TRY(data_h5_dataset_open(file, path, name, &d));
  hid_t type = H5Dget_type(d.set);
  ORR_CHECK_GOTO(type >= 0 && H5Tget_class(type) == H5T_STRING && d.rank == 1, close, ORR_EFORMAT,
                 "%s: %s is no list of names of demos", path, name);
  ORR_TRY_GOTO(data_h5_check_written(file, &d, 0, (int64_t)d.dims[0]), close);
  rc = read_names(&d, type, m);
close:
  if (type >= 0) H5Tclose(type);
  data_h5_dataset_close(&d);
  return rc;
}

// -- listing --------------------------------------------------------------------------------

static bool keep(void *ctx, const char *name) {
  return mask_holds(ctx, name);
}

static orr_code list(const data_import_h5 *h) {
  mask m = {0};
  const char *key = h->search->o->mask;
  if (!key) return data_import_layout_list(h, NULL, NULL);
  orr_code rc = mask_read(h->file, h->path, key, &m);
  if (rc == ORR_OK) rc = data_import_layout_list(h, keep, &m);
  orr_free(m.text);
  return rc;
}

static const data_import_layout layout = {
    .wants = "/data/demo_0/actions and /data/demo_0/obs",
    .episodes = "data/*",
    .frames = "obs/*",
    .actions = "actions",
    .reward = "rewards",
    .done = "dones",
    .success = "success",
    .hint = "; make some with robomimic's dataset_states_to_obs.py",
    .is = is_robomimic,
    .fps = control_frequency,
    .list = list,
};

const data_import_format data_import_robomimic = {
    .name = "robomimic",
    DATA_IMPORT_HDF5(&layout),
    .fps = 20,
};
