// What all requests of a process for remote files share: settings, keys, and what a server said
// about its load. One request's options are set here; data/remote/transfer.h makes the requests.
// Private to data/. Thread safe.
#ifndef DATA_HTTP_H
#define DATA_HTTP_H

#include <curl/curl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "data/remote/aws.h"
#include "data/remote/remote.h"
#include "data/remote/url.h"

typedef struct {
  data_remote_options o; // texts are copies
  pthread_mutex_t lock;
  // under the lock:
  data_aws aws;
  bool aws_known;
  bool answered;        // some server has answered since the start
  double held_until_ms; // no request before: a server asked for it (Retry-After)
} data_http;

// Local. Copies the options. ORR_ENOMEM, ORR_EUNSUPPORTED when libcurl lacks TLS or SigV4.
orr_code data_http_create(const data_remote_options *o, data_http **out);
void data_http_destroy(data_http *h); // takes NULL

// Local. Finds the keys for s3:// addresses at the first call; `again`: looks a second time, and
// *changed (may be NULL) tells whether others lie there now. ORR_EINVAL as data_aws_find.
orr_code data_http_keys(data_http *h, bool again, bool *changed);
// Local. The address that a request for `name` below u asks for.
orr_code data_http_address(data_http *h, const data_url *u, const char *name, char *out,
                           size_t size);
// Local. Sets a request for `address` from byte `from` on: time-outs, TLS, no redirects followed,
// and for `sign` the signature. etag: the version that the bytes before `from` are of, "" = not
// known. *headers (=) to free with curl_slist_free_all after the handle. ORR_ENOMEM.
orr_code data_http_prepare(data_http *h, CURL *c, const char *address, bool sign, uint64_t from,
                           const char *etag, struct curl_slist **headers);

// Local. Notes that a server answered, and how long it wants to be left alone (0 = not said).
void data_http_note(data_http *h, double wait_ms);
// Local. When requests may go out again, on the clock of orr_clock_ms.
double data_http_held_until(data_http *h);
// Local. How long a transfer may try without progress: until some server has answered a wrong
// address or a missing network is more likely than a passing trouble.
double data_http_patience_ms(data_http *h);

#endif
