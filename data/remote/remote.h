// Remote data sets: http://, https:// and s3:// addresses, read through a cache folder that all
// processes of a node share. A thread downloads ahead in the order in which shards will be wanted;
// a shard that is handed out lies whole in the cache and has the XXH3-128 that index.json lists.
//
// Processes agree through locks on files (flock), which end with the process: one of them downloads
// a shard, the others find it; an open shard is never evicted; who dies leaves a partial file that
// the next one continues.
#ifndef DATA_REMOTE_H
#define DATA_REMOTE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

typedef struct {
  const char *cache_dir; // "" = $XDG_CACHE_HOME/orrery or ~/.cache/orrery
  uint64_t cache_bytes;  // kept in it, over all data sets; only shards in use may exceed it
  int downloads;         // at a time, over the processes of the node
  const char *endpoint;  // of s3://: "" = AWS_ENDPOINT_URL, ~/.aws/config or Amazon
  const char *region;    // of s3://: "" = AWS_REGION, ~/.aws/config or us-east-1
  const char *ca_file;   // PEM of authorities to trust instead of the system's; "" = the system's
  double timeout_s;      // a file without progress for this long is an error
  double connect_s;      // one attempt to connect
  double slow_s;         // a connection below slow_bytes a second for this long is given up
  int64_t slow_bytes;
  double backoff_s; // before the second try; doubles from try to try, up to 30 s
} data_remote_options;

// What this process did since the start.
typedef struct {
  uint64_t bytes;     // downloaded, of shards and indexes
  uint64_t downloads; // shards downloaded
  uint64_t hits;      // shards that were asked for and found in the cache
  uint64_t waits;     // shards that were asked for before they were there
  double wait_ms;     // spent on those
  uint64_t retries;   // requests that had to be made again
  uint64_t evictions; // shards removed from the cache
} data_remote_counters;

typedef struct data_remote data_remote;

// Local. Whether `where` is an address, and not a folder.
bool data_remote_reads(const char *where);
// Every option at its default.
data_remote_options data_remote_defaults(void);
// Local. Touches neither disk nor network before the first address is opened; the options are
// copied. Thread safe from here on. ORR_EINVAL, ORR_ENOMEM.
orr_code data_remote_create(const data_remote_options *o, data_remote **out);
// Data sets that were opened through it must be closed before. Takes NULL. Partial downloads stay
// in the cache for the next process.
void data_remote_destroy(data_remote *r);
// Local. From now on nobody waits for a shard: whoever does gets ORR_ESTOPPED. Takes NULL.
void data_remote_interrupt(data_remote *r);
// Local. All zero for NULL.
void data_remote_count(data_remote *r, data_remote_counters *out);

#endif
