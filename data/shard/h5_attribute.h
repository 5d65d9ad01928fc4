// Attributes at the root of an HDF5 file: numbers and strings, read in any form that h5py or HDF5's
// own tools write. Private to data/; HDF5's lock held.
#ifndef DATA_H5_ATTRIBUTE_H
#define DATA_H5_ATTRIBUTE_H

#include <hdf5.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

// Local. Written at the root; false when HDF5 refuses.
bool data_h5_put_i64(hid_t file, const char *name, int64_t value);
// Local. The same for a double.
bool data_h5_put_f64(hid_t file, const char *name, double value);
// Local. n strings, or one scalar string for n = 0.
bool data_h5_put_strings(hid_t file, const char *name, const char *const *strings, int64_t n);

// Local. `path` names the file in messages. ORR_EFORMAT: missing, of another type, or not one
// number.
orr_code data_h5_get_i64(hid_t file, const char *path, const char *name, int64_t *value);
orr_code data_h5_get_f64(hid_t file, const char *path, const char *name, double *value);

// Local. Strings of an attribute. (*strings)[i] point into the same block: one orr_free(*strings).
// *n is their number, 1 for a scalar string. ORR_EFORMAT, ORR_ENOMEM.
orr_code data_h5_get_strings(hid_t file, const char *path, const char *name, char ***strings,
                             int64_t *n);

#endif
