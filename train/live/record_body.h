// The deflated body of a session file, unpacked in small portions as it is read, so that a few
// packed bytes that stand for gigabytes cost no more than what is taken of them. One thread at a
// time.
#ifndef TRAIN_LIVE_RECORD_BODY_H
#define TRAIN_LIVE_RECORD_BODY_H

#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

#include "base/status.h"

enum { TRAIN_RECORD_PORTION = 16384 };

typedef struct {
  const char *what; // names the file
  z_stream z;
  size_t left; // plain bytes that have not been taken
  size_t at, got;
  uint8_t portion[TRAIN_RECORD_PORTION];
} train_record_body;

// Local. `plain` bytes packed into `size`. ORR_ENOMEM.
orr_code train_record_body_open(train_record_body *b, const char *what, const uint8_t *packed,
                                size_t size, size_t plain);
void train_record_body_close(train_record_body *b);
// Local. Whether `bytes` more are claimed; else ORR_EFORMAT.
orr_code train_record_body_holds(const train_record_body *b, size_t bytes);
// Local. The next `bytes`. ORR_EFORMAT where they are not there.
orr_code train_record_body_take(train_record_body *b, void *to, size_t bytes);
// Local. ORR_EFORMAT unless all has been taken.
orr_code train_record_body_end(train_record_body *b);

#endif
