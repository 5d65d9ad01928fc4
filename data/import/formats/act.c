// ALOHA's and ACT's episodes: one a file. Cameras that hold no colours, such as depth, are passed
// over. What `compress_len` says is in the JPEGs themselves.
#include "data/import/formats.h"
#include "data/import/hdf5.h"
#include "data/shard/h5_dataset.h"

#define IMAGES "/observations/images"

static bool is_act(const data_import_options *o, hid_t file) {
  return data_h5_has(file, IMAGES) && (data_h5_has(file, "/action") || !data_h5_has(file, "/data"));
}

static const data_import_layout layout = {
    .wants = "/action and " IMAGES,
    .frames = "observations/images/*",
    .actions = "action",
    .reward = "reward|rewards",
    .done = "done|dones|terminated",
    .success = "success",
    .is = is_act,
};

const data_import_format data_import_act = {
    .name = "act",
    DATA_IMPORT_HDF5(&layout),
    .fps = 50, // ALOHA's control period is 20 ms
};
