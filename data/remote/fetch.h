// One shard on its way into the cache: found there and checked, or downloaded, by this process or
// by another one of the node. Private to data/; one thread.
#ifndef DATA_FETCH_H
#define DATA_FETCH_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/status.h"
#include "data/remote/cache.h"
#include "data/remote/http.h"
#include "data/remote/transfer.h"
#include "data/remote/url.h"

// What all fetches of a process share.
typedef struct {
  data_cache *cache;
  data_http *http;
  CURLM *multi;
  data_cache_need needs;
} data_fetch_env;

typedef struct {
  const data_url *url; // of the data set
  const char *file;    // "shard-00003.h5"
  const char *stem;    // its place in the cache
  uint64_t bytes;
  orr_hash128 hash;
  uint64_t need; // as of data_cache_need
  bool must;     // a reader waits for it: it may exceed the budget
} data_fetch_target;

typedef enum {
  DATA_FETCH_CHECKING,  // call data_fetch_step again soon
  DATA_FETCH_LOADING,   // call it when curl or the clock has something
  DATA_FETCH_ELSEWHERE, // another process fetches it, or the node's downloads are taken: over
  DATA_FETCH_NO_ROOM,   // neither budget nor disk has room now; over, with a message
  DATA_FETCH_READY,     // whole and right; over
  DATA_FETCH_FAILED,    // over, with a message
} data_fetch_state;

typedef struct data_fetch data_fetch;

// Local. Texts of the target are borrowed. The fetch is to be destroyed in any state. ORR_ENOMEM.
orr_code data_fetch_create(const data_fetch_env *env, const data_fetch_target *target,
                           data_fetch **out);
// A partial file stays for the next one.
void data_fetch_destroy(data_fetch *f); // takes NULL
// Local. Goes on a little; *rc with DATA_FETCH_FAILED and DATA_FETCH_NO_ROOM.
data_fetch_state data_fetch_step(data_fetch *f, orr_code *rc);
// Local. Whether `t` is this fetch's; then curl is done with it.
bool data_fetch_owns(const data_fetch *f, const data_transfer *t);
// Local. Curl is done with the request.
data_fetch_state data_fetch_ended(data_fetch *f, CURLcode result, orr_code *rc);
// Local. When data_fetch_step is due while LOADING, on the clock of orr_clock_ms.
double data_fetch_due_ms(const data_fetch *f);
// Local. Requests made again and bytes downloaded since the last call, and whether any byte came.
void data_fetch_count(data_fetch *f, uint64_t *retries, uint64_t *bytes);
// Local. Whether a reader waited for it from the beginning.
bool data_fetch_must(const data_fetch *f);
// Local. Whether the shard had to be downloaded (by this process).
bool data_fetch_loaded(const data_fetch *f);

#endif
