// What the thread that fetches (data/remote/thread.c) and those who ask (data/remote/remote.c)
// share. Private to data/remote*.c.
#ifndef DATA_REMOTE_STATE_H
#define DATA_REMOTE_STATE_H

#include <curl/curl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "data/remote/cache.h"
#include "data/remote/fetch.h"
#include "data/remote/http.h"
#include "data/remote/remote.h"
#include "data/remote/set.h"

typedef enum {
  DATA_REMOTE_IDLE,   // nothing is known, or it is not there
  DATA_REMOTE_BUSY,   // a fetch of this process is at it
  DATA_REMOTE_READY,  // checked by this process; it may have been evicted since
  DATA_REMOTE_FAILED, // rc and message say why
} data_remote_state;

typedef struct {
  data_remote_set *set;
  const char *file;
  char *stem;
  uint64_t bytes;
  orr_hash128 hash;
  // under the lock of data_remote:
  data_remote_state state;
  uint64_t need;    // as of data_cache_need
  int waiting;      // readers that wait for it
  bool downloaded;  // it was not in the cache when a reader asked
  double again_ms;  // IDLE, FAILED: no new fetch before
  struct stat seen; // READY: the file that was checked
  double looked_ms; // READY: when it was last seen there
  orr_code rc;
  char *message;
} data_remote_shard;

// An index that was read, and taken for one.
typedef struct data_remote_text {
  struct data_remote_text *next;
  char *address, *text;
  size_t bytes;
} data_remote_text;

struct data_remote_set {
  data_remote *remote;
  data_remote_text *index; // what was fetched, until its list has been taken
  data_url url;
  char folder[DATA_CACHE_PATH_MAX];
  int64_t count;
  data_remote_shard *shards;
  // under the lock:
  int fetching; // fetches of this set
  int waiting;  // readers that wait for one of its shards
  bool closing;
  data_remote_set *next;
};

// A fetch and whose it is: the thread's own.
typedef struct {
  data_fetch *fetch;
  data_remote_shard *shard;
  data_fetch_state state;
} data_remote_job;

struct data_remote {
  data_http *http;
  pthread_mutex_t lock;
  pthread_cond_t changed; // of any shard's state
  pthread_t thread;
  bool started, stop, interrupted;
  data_fetch_env env; // cache and multi; from the first address on
  data_remote_set *sets;
  data_remote_text *texts;  // one an address
  data_remote_shard **plan; // [planned]: those with a need, soonest first
  int64_t planned;
  data_remote_shard **named; // [listed]: all, by stem
  int64_t listed;
  data_remote_job *jobs; // the thread's
  data_remote_counters counters;
};

#endif
