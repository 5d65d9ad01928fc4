// Columns of all episodes, one after the other (stable-worldmodel and others):
// data/import/hdf5_cut.c finds where they end.
#include "data/import/formats.h"
#include "data/import/hdf5.h"
#include "data/shard/h5_dataset.h"

static bool is_flat(const data_import_options *o, hid_t file) {
  return (data_h5_has(file, "/ep_len") && data_h5_has(file, "/ep_offset")) ||
         (data_h5_has(file, "/pixels") && data_h5_has(file, "/action"));
}

static const data_import_layout layout = {
    .wants = "/pixels and /action, with /ep_len and /ep_offset",
    .frames = "*",
    .actions = "action",
    .reward = "reward|rewards",
    .done = "terminated|terminal|terminals|done|dones",
    .columns = true,
    .is = is_flat,
};

const data_import_format data_import_flat = {
    .name = "flat",
    DATA_IMPORT_HDF5(&layout),
};
