// What parent and child of a foreign game say to each other, and the child's life. Private to
// libenv.
#ifndef DATA_LIBENV_CHILD_H
#define DATA_LIBENV_CHILD_H

#include "data/sim/libenv.h"

// Messages of a SOCK_SEQPACKET pair, one request and one answer at a time.
enum { LIBENV_LOAD, LIBENV_BEGIN, LIBENV_ACT };

typedef struct {
  uint32_t number; // counts requests
  int32_t what;    // one of the above
  int32_t value;   // level or action
} libenv_request;

typedef struct {
  uint32_t number; // of the request
  int32_t code;    // orr_code
  float reward;
  int32_t over;      // 0 or 1
  char message[512]; // why not, where code says so
} libenv_answer;

typedef struct {
  const data_libenv_options *o;
  int fd;         // to the parent
  uint8_t *frame; // [side,side,3], which both processes see
} libenv_child;

// What a child may take of memory beyond its parent's; pictures and a level are 200 MB.
#define LIBENV_MEMORY (UINT64_C(2) << 30)

// Local, in a confined process (base/confine.h), until the parent closes the socket: answers
// requests. ctx: libenv_child.
void data_libenv_live(void *ctx, orr_code confined);

#endif
