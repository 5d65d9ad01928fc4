// What HDF5 still holds. Its objects hang on its own table of identifiers, where LeakSanitizer sees
// nothing, so tests that meet errors look there; what HDF5 itself loses when it meets damaged
// metadata is not Orrery's to free.
#ifndef TESTS_DATA_H5_LEAKS_H
#define TESTS_DATA_H5_LEAKS_H

#include <hdf5.h>

#include "tests/data/shards.h"

const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
  return "leak:libhdf5";
}

// HDF5 numbers the identifiers of a type in turn: those given out between two marks lie between
// theirs.
typedef struct {
  hid_t space, list;
} h5_mark;

static inline h5_mark h5_mark_make(void) {
  h5_mark m = {H5Screate(H5S_SCALAR), H5Pcreate(H5P_DATASET_CREATE)};
  assert_true(m.space >= 0 && m.list >= 0);
  return m;
}

static inline int64_t h5_valid_between(hid_t first, hid_t last) {
  int64_t n = 0;
  for (hid_t id = first + 1; id < last; id++) n += H5Iis_valid(id) > 0;
  return n;
}

// Nothing is left of what was opened since the mark: files and what is in them, spaces, lists.
static inline void assert_h5_holds_nothing_since(h5_mark m) {
  h5_mark now = h5_mark_make();
  assert_int_equal(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL), 0);
  assert_true(now.space > m.space && now.list > m.list);
  assert_int_equal(h5_valid_between(m.space, now.space), 0);
  assert_int_equal(h5_valid_between(m.list, now.list), 0);
  H5Sclose(now.space);
  H5Pclose(now.list);
  H5Sclose(m.space);
  H5Pclose(m.list);
}

#endif
