// Addresses of remote data sets: http://host/path, https://host/path, s3://bucket/prefix. Private
// to data/. An address carries no credentials, no query and no fragment: it ends up in config.yaml,
// in logs and in messages.
#ifndef DATA_URL_H
#define DATA_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

#define DATA_URL_MAX 2048

typedef enum { DATA_URL_HTTP, DATA_URL_HTTPS, DATA_URL_S3 } data_url_scheme;

typedef struct {
  data_url_scheme scheme;
  char text[DATA_URL_MAX]; // as it was given, without a slash at the end
  char host[256];          // with its port; of s3:// the bucket
  char path[DATA_URL_MAX]; // "" or "/a/b": percent-encoded, no slash at the end
} data_url;

// Local. Whether `where` names something remote and not a folder: it starts with letters and "://".
bool data_url_is(const char *where);
// Local. ORR_EINVAL names the address (without credentials that it should not hold) and what is
// wrong with it.
orr_code data_url_parse(const char *where, data_url *out);
// Local. Whether `name` is safe as a file's name in a folder and in an address: letters, digits and
// . _ - only, at most 200 of them, the first no dot.
bool data_url_is_name(const char *name);
// Local. The last part of the address, for people: "tabletop" of s3://bucket/sets/tabletop.
const char *data_url_last(const data_url *u);

// Where requests for an s3:// address go. `endpoint`: "http(s)://host[:port]" of a store like
// MinIO, then the bucket is the first part of the path; "" = Amazon's host of the region. Local.
// The address of file `name` below u into out[size]: what a request asks for.
orr_code data_url_request(const data_url *u, const char *name, const char *endpoint,
                          const char *region, char *out, size_t size);
// Local. Whether two http(s) addresses have the same scheme, host and port.
bool data_url_same_origin(const char *a, const char *b);

#endif
