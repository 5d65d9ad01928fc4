// What a server replies: any header lines and any error text end in words that a person can be
// shown. The first 0 byte of the input divides headers from text.
#include <string.h>

#include "data/remote/reply.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  data_reply r = {0};
  char words[64];
  const char *at = (const char *)data, *end = at + size;
  const char *text = size ? memchr(at, 0, size) : NULL;
  const char *stop = text ? text : end;
  while (at < stop) {
    const char *line = memchr(at, '\n', (size_t)(stop - at));
    size_t n = line ? (size_t)(line + 1 - at) : (size_t)(stop - at);
    data_reply_header(&r, at, n);
    at += n;
  }
  for (; text && text < end; text += end - text < 700 ? end - text : 700)
    data_reply_keep(&r, text, (size_t)(end - text < 700 ? end - text : 700));
  FUZZ_PROMISE(strlen(r.etag) < sizeof r.etag && (r.etag[0] == 0 || r.etag[0] == '"'));
  FUZZ_PROMISE(r.body_bytes < sizeof r.body && r.status >= 0 && r.status <= 999);
  data_reply_words(&r, words, sizeof words);
  fuzz_check_refusal(data_reply_fail(&r, "s3://clips/set/index.json", true, false));
  (void)data_reply_is_passing(&r);
  (void)data_reply_is_about_keys(&r);
  return 0;
}
