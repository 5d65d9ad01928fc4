// The folder in which the processes of a node keep remote files:
//
//   CACHE/tabletop-0123456789abcdef/shard-00003.<xxh3-128>.h5              whole and checked
//                                   shard-00003.<xxh3-128>.<bytes>.part    on its way
//   CACHE/lock, CACHE/slot-0, ...                                          locks
//
// The folder is named for the data set's address, a file for its content: what the server replaces
// gets another name. All agreement is by flock, which a process gives back when it ends, however it
// ends: shared on a whole file = it is open somewhere, exclusive on a partial one = somebody is
// fetching it, exclusive on slot-N = one of the node's downloads. Private to data/; thread safe.
#ifndef DATA_CACHE_H
#define DATA_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/status.h"

#define DATA_CACHE_PATH_MAX 4096
#define DATA_CACHE_NEVER    UINT64_MAX // not needed as far as anybody here knows

// How soon this process needs a file (lower = sooner), by its path without what follows the hash.
typedef struct {
  uint64_t (*of)(void *ctx, const char *stem);
  void (*gone)(void *ctx, const char *stem); // it was evicted
  void *ctx;
} data_cache_need;

typedef struct data_cache data_cache;

// Local. dir "" = the user's cache folder. slots: downloads of the node at a time. Makes the
// folder.
orr_code data_cache_open(const char *dir, uint64_t bytes, int slots, data_cache **out);
void data_cache_close(data_cache *c); // takes NULL

// Local. Makes the folder of the data set at `address` and writes its path.
orr_code data_cache_folder(const data_cache *c, const char *address, const char *last,
                           char out[DATA_CACHE_PATH_MAX]);
// Local. "FOLDER/shard-00003.<hash>" for the file shard-00003.h5.
orr_code data_cache_stem(const char *folder, const char *file, orr_hash128 hash,
                         char out[DATA_CACHE_PATH_MAX]);
// Local. The whole and the partial file of a stem.
orr_code data_cache_whole(const char *stem, char out[DATA_CACHE_PATH_MAX]);
orr_code data_cache_part(const char *stem, uint64_t bytes, char out[DATA_CACHE_PATH_MAX]);

// Local. Opens a whole file under a shared lock: it stays until *fd is closed. *fd = -1 when it is
// not there.
orr_code data_cache_pin(const char *path, int *fd);
// Local. Opens or makes a partial file under an exclusive lock; *fd = -1 when another process
// fetches it.
orr_code data_cache_claim(const char *path, int *fd);
// Local. One of the node's downloads, until *fd is closed; -1 when all are taken.
orr_code data_cache_slot(const data_cache *c, int *fd);

// Local. Brings the cache into its budget, in which a partial file counts with its whole size, by
// evicting what is needed last: only what is needed later than `need`, and never what is open
// somewhere. *fits: it does now. One process of the node at a time.
orr_code data_cache_fit(const data_cache *c, uint64_t need, const data_cache_need *needs,
                        bool *fits);
// Local. The disk is full before the budget is: evicts as above until `bytes` are free. *freed: the
// bytes that were removed.
orr_code data_cache_evict(const data_cache *c, uint64_t bytes, uint64_t need,
                          const data_cache_need *needs, uint64_t *freed);

#endif
