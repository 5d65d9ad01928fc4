// What the filters of a chunk did, undone without HDF5 and its lock: gzip, lzf, shuffle, in any
// combination. Private to data/.
#ifndef DATA_UNPACK_H
#define DATA_UNPACK_H

#include <hdf5.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DATA_UNPACK_STEPS 4

typedef enum { DATA_UNPACK_GZIP, DATA_UNPACK_LZF, DATA_UNPACK_SHUFFLE } data_unpack_kind;

typedef struct {
  int count;
  data_unpack_kind step[DATA_UNPACK_STEPS]; // in the order in which the writer applied them
  size_t element;                           // bytes of one, for shuffle
  size_t bytes;                             // of an unpacked chunk
} data_unpack;

// Local. The filters of a dataset's creation list; `element` and `bytes` are the caller's to set.
// false when another filter is among them, or too many. HDF5's lock held.
bool data_unpack_from(hid_t create, data_unpack *out);

// Local; any thread, no lock. packed [packed_bytes] -> out [u->bytes]. Bit i of `skipped`: filter i
// was left out for this chunk. `spare` [u->bytes] may be NULL for fewer than two filters. NULL when
// it went well, else the reason in words.
const char *data_unpack_run(const data_unpack *u, uint32_t skipped, const unsigned char *packed,
                            size_t packed_bytes, unsigned char *out, unsigned char *spare);

#endif
