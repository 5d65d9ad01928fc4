// A game in a library of somebody else, by the C interface of gym3's environments (version 1): our
// own declarations of that ABI, and a process without rights (base/confine.h) that loads the
// library and plays. The library never runs in the caller's process; whatever it does - it crashes,
// hangs, answers nonsense - is one error here, and the next call says the same.
//
// One environment at a time, of one level that is drawn from a number: `begin` makes it anew, so an
// episode does not depend on what was played before. Frames are [side,side,3] bytes.
#ifndef DATA_LIBENV_H
#define DATA_LIBENV_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

// -- the ABI ----------------------------------------------------------------------------------

#define LIBENV_VERSION  1
#define LIBENV_NAME_MAX 128
#define LIBENV_DIMS_MAX 16

enum { LIBENV_UINT8 = 1, LIBENV_INT32 = 2, LIBENV_FLOAT32 = 3 };     // types of elements
enum { LIBENV_OBSERVATION = 1, LIBENV_ACTION = 2, LIBENV_INFO = 3 }; // spaces

typedef union {
  uint8_t uint8;
  int32_t int32;
  float float32;
} libenv_value;

typedef struct {
  char name[LIBENV_NAME_MAX];
  int scalar_type;
  int dtype;
  int shape[LIBENV_DIMS_MAX];
  int ndim;
  libenv_value low, high;
} libenv_tensortype;

typedef struct {
  char name[LIBENV_NAME_MAX];
  int dtype;
  int count;
  void *data;
} libenv_option;

typedef struct {
  libenv_option *items;
  int count;
} libenv_options;

typedef struct { // arrays of one pointer a tensor and environment
  void **ob;
  float *rew;
  uint8_t *first;
  void **info;
  void **ac;
} libenv_buffers;

// X(type, name, arguments): every function of the library that is used.
#define LIBENV_FUNCTIONS(X)                                                                        \
  X(int, version, (void))                                                                          \
  X(void *, make, (int environments, libenv_options options))                                      \
  X(int, get_tensortypes, (void *environment, int space, libenv_tensortype *types))                \
  X(void, set_buffers, (void *environment, libenv_buffers *buffers))                               \
  X(void, observe, (void *environment))                                                            \
  X(void, act, (void *environment))                                                                \
  X(void, close, (void *environment))

// -- the process ------------------------------------------------------------------------------

typedef struct {
  const char *library; // its file; its hash is the caller's business
  const char *assets;  // folder of pictures that it reads
  const char *game;    // which of its games
  int64_t side;        // of a frame, in pixels
  int32_t actions;     // it takes 0..actions-1
  bool easy;           // its easy distribution of levels, not the hard one
  int patience_s;      // for one answer, then it hangs; 0 = two minutes
} data_libenv_options;

typedef struct {
  float reward; // of the last action
  bool over;    // it ended the episode: the frame is the next one's
} data_libenv_outcome;

typedef struct data_libenv data_libenv;

// Local. Starts the process and loads the library there. ORR_EUNSUPPORTED where a process cannot be
// confined; ORR_EFORMAT for a library that is not what it should be, with what it said; ORR_ENOMEM.
// The caller has no threads.
orr_code data_libenv_create(const data_libenv_options *o, data_libenv **out);
// Local. Ends the process. Takes NULL.
void data_libenv_destroy(data_libenv *l);
// Local. The first frame of a level. ORR_EIO: it crashed or hung; ORR_EFORMAT: nonsense came.
orr_code data_libenv_begin(data_libenv *l, int32_t level);
// Local. One action and what came of it. ORR_EINVAL for one outside of its range, else like begin.
orr_code data_libenv_act(data_libenv *l, int32_t action, data_libenv_outcome *out);
// Local. The frame now, [side,side,3]; the caller copies it before the next call.
const uint8_t *data_libenv_frame(const data_libenv *l);

#endif
