// HDF5 files of any layout, whose datasets --map names.
#include "data/import/formats.h"
#include "data/import/hdf5.h"

static bool is_mapped(const data_import_options *o, hid_t file) {
  return o->map.frames.n > 0;
}

static const data_import_layout layout = {
    .wants = "what --map frames=PATH,actions=PATH names",
    .frames = "",
    .actions = "",
    .columns = true,
    .is = is_mapped,
};

const data_import_format data_import_map = {
    .name = "map",
    DATA_IMPORT_HDF5(&layout),
};
