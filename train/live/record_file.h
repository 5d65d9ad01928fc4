// The file of a record (train/live/record.h):
//
//   0 char[8]  "orrsess1"
//   8 u32      bytes of the head, 12 u32 of the packed body, 16 u32 of the plain one
//  20 head     JSON: checkpoint, tokenizer, ema, branch, fps, components, positions, prompt,
//  frames,
//              seed, sample, steps, temperature, choice_temperature, window, mapping, start
//     body     deflated (RFC 1950): tokens of the prompt u32 [prompt,positions], its actions
//              f32 [prompt-1,components], then runs until there are `frames` of them: a count of 7
//              bits a byte, the lower ones first, and f32 [components]; then a u64 every
//              TRAIN_RECORD_DIGEST_EVERY frames and one for the rest: the chain of hashes up to
//              there
//     u8[16]   XXH3-128 of all before
//
// All numbers are little-endian. What a file claims costs nothing until its bytes bear it out: the
// body is unpacked as it is read, an action held for a billion frames is one run, and a record
// takes TRAIN_RECORD_MOST_BYTES at most.
#ifndef TRAIN_LIVE_RECORD_FILE_H
#define TRAIN_LIVE_RECORD_FILE_H

#include "train/live/record.h"

// Local. The file; *bytes is from orr_malloc. ORR_ENOMEM.
orr_code train_record_write(const train_record *r, uint8_t **bytes, size_t *size);
// Local. A record from a file's bytes, `what` names it; released also where this fails.
// ORR_EFORMAT, ORR_ECORRUPT, ORR_ENOMEM.
orr_code train_record_read(const char *what, const uint8_t *bytes, size_t size, train_record *r);

#endif
