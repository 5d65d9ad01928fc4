// One remote file on its way into a sink, over as many requests as it takes: a request that breaks
// off is followed by one for the rest, after a pause that doubles from time to time. Private to
// data/; one thread at a time.
#ifndef DATA_TRANSFER_H
#define DATA_TRANSFER_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "data/remote/http.h"
#include "data/remote/url.h"

// Where the bytes go, in order from the first one.
typedef struct {
  orr_code (*put)(void *ctx, const void *p, size_t bytes);
  orr_code (*restart)(void *ctx); // forgets all that came: the next byte is the first again
  void *ctx;
} data_sink;

typedef enum {
  DATA_TRANSFER_WAITING, // call data_transfer_start when data_transfer_due_ms is over
  DATA_TRANSFER_RUNNING, // curl has it
  DATA_TRANSFER_DONE,
  DATA_TRANSFER_FAILED, // the message of the thread says why
} data_transfer_state;

typedef struct data_transfer data_transfer;

// Local. File `name` below u (borrowed, as is the sink's ctx). bytes: its size, 0 = not known.
// have: bytes that are in the sink already. ORR_ENOMEM, ORR_EINVAL.
orr_code data_transfer_create(data_http *h, const data_url *u, const char *name, uint64_t bytes,
                              uint64_t have, const data_sink *sink, data_transfer **out);
void data_transfer_destroy(data_transfer *t); // takes NULL; out of curl's hands first
// Local. When the next request may start, on the clock of orr_clock_ms.
double data_transfer_due_ms(const data_transfer *t);
// Local. Gives the next request to `multi`; CURLINFO_PRIVATE of its handle is the transfer.
// ORR_ENOMEM.
orr_code data_transfer_start(data_transfer *t, CURLM *multi);
// Local. Takes the request back; `result` as curl_multi_info_read told it. FAILED leaves the code
// in *rc.
data_transfer_state data_transfer_end(data_transfer *t, CURLcode result, orr_code *rc);
// Local. The bytes were not those that were wanted: fetches the file once more from its first byte,
// or gives up with ORR_ECORRUPT and `words` when that has happened before.
data_transfer_state data_transfer_reject(data_transfer *t, const char *words, orr_code *rc);
// Local. Requests that had to be made again, and bytes that came, since the last call.
void data_transfer_count(data_transfer *t, uint64_t *retries, uint64_t *bytes);
// Local. Runs a transfer to its end in this thread.
orr_code data_transfer_run(data_transfer *t);

#endif
