// MessagePack (msgpack.org, the specification of 2013) as policy servers speak it: what is written,
// and a cursor over what has come. Arrays of numbers are maps whose keys are *bytes*, as
// msgpack-numpy makes them: __ndarray__ true, data, dtype, shape. Local.
#ifndef TRAIN_POLICY_MSGPACK_H
#define TRAIN_POLICY_MSGPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

// -- writing ----------------------------------------------------------------------------------

// Grows as it is written to; `failed`: memory ran out, and nothing counts.
typedef struct {
  uint8_t *bytes;
  size_t used, room;
  bool failed;
} train_msgpack;

// Local. Frees what was written.
void train_msgpack_release(train_msgpack *m);
// Local. A map of n pairs follows, each a key and a value.
void train_msgpack_map(train_msgpack *m, uint32_t n);
void train_msgpack_text(train_msgpack *m, const char *text);
void train_msgpack_whole(train_msgpack *m, int64_t v);
// Local. An array of `dtype` ("|u1", "<f4") and shape [dims].
void train_msgpack_array(train_msgpack *m, const char *dtype, const int64_t *shape, int dims,
                         const void *data, size_t bytes);

// -- reading ----------------------------------------------------------------------------------

typedef enum {
  TRAIN_MSGPACK_NIL,
  TRAIN_MSGPACK_BOOL,
  TRAIN_MSGPACK_WHOLE,
  TRAIN_MSGPACK_REAL,
  TRAIN_MSGPACK_TEXT,
  TRAIN_MSGPACK_BYTES,
  TRAIN_MSGPACK_LIST,
  TRAIN_MSGPACK_MAP,
  TRAIN_MSGPACK_OTHER, // an extension
} train_msgpack_kind;

// One item; of a list or a map its head alone, and `count` items, or pairs, follow it.
typedef struct {
  train_msgpack_kind kind;
  int64_t whole;
  double real;
  const uint8_t *bytes; // of text and bytes, in the message
  size_t size;
  uint32_t count;
} train_msgpack_item;

typedef struct {
  const uint8_t *at, *end;
} train_msgpack_cursor;

// Local. The next item. ORR_EFORMAT where the bytes end before it does.
orr_code train_msgpack_next(train_msgpack_cursor *c, train_msgpack_item *out);
// Local. Passes over the next item and all that is in it, to a depth of 64. ORR_EFORMAT.
orr_code train_msgpack_skip(train_msgpack_cursor *c);
// Local. Puts the cursor at the value of `key`, text or bytes, of the map that comes next; *found
// says whether there is one. ORR_EFORMAT for bytes that are no map.
orr_code train_msgpack_find(train_msgpack_cursor *c, const char *key, bool *found);

// An array that has come.
typedef struct {
  const uint8_t *data; // [shape], in the message, not aligned
  size_t bytes;
  int64_t shape[8];
  int dims;
  char dtype[8];
} train_msgpack_ndarray;

// Local. The array that comes next. ORR_EFORMAT for anything else, or where data and shape differ.
orr_code train_msgpack_read_array(train_msgpack_cursor c, train_msgpack_ndarray *out);
// Local. Element i of an array of floats or whole numbers. ORR_EFORMAT for a dtype of other things.
orr_code train_msgpack_element(const train_msgpack_ndarray *a, int64_t i, double *out);

#endif
