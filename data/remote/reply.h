// What a server replied to one request, and what that means. Private to data/.
#ifndef DATA_REPLY_H
#define DATA_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct {
  long status;     // of HTTP; 0 = nothing came
  char etag[256];  // a strong one, with its quotes; "" = none
  uint64_t first;  // of 206: number of the first byte
  double retry_ms; // Retry-After; 0 = none
  bool begun;      // the file's first byte came
  bool too_long;   // more bytes came than the file has
  char body[2048]; // beginning of an error's text
  size_t body_bytes;
} data_reply;

// Local. Takes one header line, as it came; a status line starts anew.
void data_reply_header(data_reply *r, const char *line, size_t bytes);
// Local. Takes a part of an error's text.
void data_reply_keep(data_reply *r, const char *p, size_t bytes);
// Local. Whether the same request may do better a little later.
bool data_reply_is_passing(const data_reply *r);
// Local. Whether the keys that signed the request have expired or are wrong.
bool data_reply_is_about_keys(const data_reply *r);
// Local. "503 (SlowDown)": status and, of an object store, its code.
void data_reply_words(const data_reply *r, char *out, size_t size);
// Local. Records the error with its remedy; `what` is the file's address. unsigned_: no keys were
// found to sign the request with. ORR_ENOTFOUND for a file that is not there, else ORR_EIO.
orr_code data_reply_fail(const data_reply *r, const char *what, bool s3, bool unsigned_);

#endif
