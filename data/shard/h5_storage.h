// Where the bytes of a dataset lie: links to it, other files that it refers to, and rows that were
// never written, for which HDF5 would hand out zeros. Private to data/; HDF5's lock held.
#ifndef DATA_H5_STORAGE_H
#define DATA_H5_STORAGE_H

#include <hdf5.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "data/shard/h5_dataset.h"

// Local. Records why `name` leads to no object: a link on its way, and what that leads to. Returns
// ORR_OK where no link is to blame: then `name` is just not there.
orr_code data_h5_check_links(hid_t file, const char *path, const char *name);

// Local. ORR_EFORMAT unless `name` at the root of a file is a dataset that lies in the file itself,
// found by a plain link: no soft, external or other link, no virtual dataset, no raw data in other
// files. `words` follow the message: whoever must hold it, and what to do.
orr_code data_h5_check_own(hid_t file, const char *path, const char *name, const char *words);

// Local. ORR_EFORMAT unless the files that hold the raw data of an external dataset are there,
// allowed and long enough. *prefix [ORR_PATH_MAX]: the folder in which HDF5 has to look for them.
orr_code data_h5_check_external(hid_t file, const data_h5_dataset *d, hid_t create, char *prefix);

// Local. Rows first .. first+n-1 of an open dataset must be in the file: ORR_EFORMAT says how many
// of them were written, or which source of a virtual dataset is missing.
orr_code data_h5_check_written(hid_t file, const data_h5_dataset *d, int64_t first, int64_t n);

// Local. How many of these rows are in the file, for a dataset that is not virtual.
int64_t data_h5_rows_written(hid_t set, const hsize_t *dims, int rank, int64_t first, int64_t n);

#endif
