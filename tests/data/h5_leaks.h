// What HDF5 still holds. Its objects hang on its own table of identifiers, where LeakSanitizer sees
// nothing, so tests that meet errors count them; what HDF5 itself loses when it meets damaged
// metadata is not Orrery's to free.
#ifndef TESTS_DATA_H5_LEAKS_H
#define TESTS_DATA_H5_LEAKS_H

#include <hdf5.h>

#include "tests/data/shards.h"

const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
  return "leak:libhdf5";
}

static inline void assert_h5_holds_nothing(void) {
  static const H5I_type_t types[] = {H5I_FILE, H5I_GROUP, H5I_DATASPACE, H5I_DATASET, H5I_ATTR};
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
    hsize_t n = 0;
    assert_true(H5Inmembers(types[i], &n) < 0 || n == 0); // < 0: none was ever made
  }
}

// Identifiers of property lists and of virtual file drivers, which HDF5 has of its own as well.
static inline hsize_t h5_lists_and_drivers(void) {
  hsize_t lists = 0, drivers = 0;
  H5Inmembers(H5I_GENPROP_LST, &lists);
  H5Inmembers(H5I_VFL, &drivers);
  return lists * 1000 + drivers;
}

#endif
