#include "train/live/record_body.h"

#include <string.h>

orr_code train_record_body_open(train_record_body *b, const char *what, const uint8_t *packed,
                                size_t size, size_t plain) {
  *b = (train_record_body){.what = what, .left = plain};
  b->z.next_in = (Bytef *)(uintptr_t)packed;
  b->z.avail_in = (uInt)size;
  ORR_CHECK(inflateInit(&b->z) == Z_OK, ORR_ENOMEM, "%s: out of memory", what);
  return ORR_OK;
}

void train_record_body_close(train_record_body *b) {
  (void)inflateEnd(&b->z);
}

orr_code train_record_body_holds(const train_record_body *b, size_t bytes) {
  ORR_CHECK(bytes <= b->left, ORR_EFORMAT,
            "%s: the body ends too early: %zu bytes are left, %zu were to come", b->what, b->left,
            bytes);
  return ORR_OK;
}

static orr_code unpack_portion(train_record_body *b) {
  b->z.next_out = b->portion;
  b->z.avail_out = TRAIN_RECORD_PORTION;
  const int rc = inflate(&b->z, Z_NO_FLUSH);
  b->at = 0;
  b->got = TRAIN_RECORD_PORTION - b->z.avail_out;
  ORR_CHECK((rc == Z_OK || rc == Z_STREAM_END) && b->got > 0, ORR_EFORMAT,
            "%s: the body cannot be unpacked", b->what);
  return ORR_OK;
}

orr_code train_record_body_take(train_record_body *b, void *to, size_t bytes) {
  uint8_t *out = to;
  ORR_TRY(train_record_body_holds(b, bytes));
  b->left -= bytes;
  while (bytes > 0) {
    if (b->at == b->got) ORR_TRY(unpack_portion(b));
    const size_t here = b->got - b->at, n = here < bytes ? here : bytes;
    memcpy(out, b->portion + b->at, n);
    b->at += n;
    out += n;
    bytes -= n;
  }
  return ORR_OK;
}

// The stream's own end, with its checksum, comes after the last byte.
orr_code train_record_body_end(train_record_body *b) {
  uint8_t more;
  ORR_CHECK(b->left == 0 && b->at == b->got, ORR_EFORMAT, "%s: %zu bytes too many in the body",
            b->what, b->left + b->got - b->at);
  b->z.next_out = &more;
  b->z.avail_out = 1;
  const int rc = inflate(&b->z, Z_FINISH);
  ORR_CHECK(rc == Z_STREAM_END && b->z.avail_out == 1 && b->z.avail_in == 0, ORR_EFORMAT,
            "%s: the body does not end where it should", b->what);
  return ORR_OK;
}
