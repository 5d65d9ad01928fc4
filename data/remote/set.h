// One remote data set, as data/set/index.c sees it. Private to data/; thread safe.
#ifndef DATA_REMOTE_SET_H
#define DATA_REMOTE_SET_H

#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/status.h"
#include "data/remote/remote.h"

typedef struct data_remote_set data_remote_set;

// A file of the set, as its index lists it. The name is borrowed.
typedef struct {
  const char *name;
  uint64_t bytes;
  orr_hash128 hash; // XXH3-128 of the file
} data_remote_file;

// A shard and how soon it will be read: lower = sooner, on a scale that all data sets of a process
// share.
typedef struct {
  int64_t shard;
  uint64_t need;
} data_remote_need;

// Local. Checks the address and makes its folder in the cache. `r` outlives the set.
orr_code data_remote_set_open(data_remote *r, const char *where, data_remote_set **out);
void data_remote_set_close(data_remote_set *s); // takes NULL; nobody may wait in it
// Local. The address without a slash at the end; borrowed.
const char *data_remote_set_address(const data_remote_set *s);
// Local. Fetches index.json; *text is from orr_malloc, with a 0 after its end. One that was listed
// (data_remote_set_list) is what every later set of the same address and data_remote gets: a
// process that looks at a data set first and opens it then asks once, and sees one state of it.
orr_code data_remote_set_fetch_index(data_remote_set *s, char **text, size_t *bytes);
// Local. Tells which shards there are, once, before the calls below. The names are borrowed.
orr_code data_remote_set_list(data_remote_set *s, const data_remote_file *files, int64_t count);

// Local. As data_index_pin and data_index_want.
orr_code data_remote_set_pin(data_remote_set *s, int64_t i, char *path, size_t size, int *pin);
// Local. As data_index_want. ORR_ENOMEM.
orr_code data_remote_set_want(data_remote_set *s, const data_remote_need *needs, int64_t count);

#endif
