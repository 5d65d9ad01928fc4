// HDF5 as data/ uses it: one lock for the process, errors as one line, files through base/fs.h.
// Private to data/. Every call into HDF5 lies between data_h5_enter and data_h5_leave.
#ifndef DATA_H5_H
#define DATA_H5_H

#include <hdf5.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

// Takes the process's HDF5 lock, silences HDF5's own printing and forgets its old errors.
void data_h5_enter(void);
void data_h5_leave(void);

// Records "words: HDF5's most specific reason" and returns code.
orr_code data_h5_fail(orr_code code, const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#define H5_CHECK_GOTO(cond, label, code, ...)                                                      \
  do {                                                                                             \
    if (!(cond)) {                                                                                 \
      rc = data_h5_fail((code), __FILE__, __LINE__, __VA_ARGS__);                                  \
      goto label;                                                                                  \
    }                                                                                              \
  } while (0)

// A filter that data was packed with.
typedef struct {
  int id;
  char name[64];
} data_h5_filter;
// Whether a dataset made with this property list needs a filter that this HDF5 lacks: the first one
// goes to *missing. Lock held.
bool data_h5_lacks_filter(hid_t create, data_h5_filter *missing);

// Which files a file may refer to, by external links, virtual datasets or external raw data. Both
// outlive the file.
typedef struct {
  const char *root;                            // those in this folder
  void (*opened)(void *ctx, const char *path); // told of each of them, with its real path; or NULL
  void *ctx;
} data_h5_others;

// What went wrong below HDF5, in base/fs.h: it knows errno, HDF5's own text does not.
typedef struct data_h5_fault {
  orr_code rc; // of the first operation that failed
  char message[ORR_STATUS_MESSAGE_MAX];
  char refused[1024]; // a file that the open one refers to and that may not be read; "" = none
  // What HDF5 carries from one open to the next: here, so that nothing of it is ever allocated.
  struct data_h5_access {
    struct data_h5_fault *fault;
    const data_h5_others *others;
    bool other; // of a file that an open one refers to
  } own, other;
} data_h5_fault;

// Records the fault below HDF5 when there was one, else "path: cannot <what>; <remedy>" with HDF5's
// own reason as ORR_EFORMAT: bytes that are no shard. Lock held.
orr_code data_h5_blame(const data_h5_fault *fault, const char *path, const char *what,
                       const char *remedy);

// Opens or creates an HDF5 file over base/fs.h, so that faults can be injected. `fault` outlives
// the file. After the first failing write the file is dead: HDF5 goes on and closes in peace,
// nothing more reaches the disk, and `fault` tells. Closing a created file syncs it. Returns a
// negative number on failure, with `fault` set when the system refused. Lock held.
hid_t data_h5_file_create(const char *path, data_h5_fault *fault);
// others: NULL = the file may refer to none. Whatever HDF5 opens besides then fails.
hid_t data_h5_file_open(const char *path, const data_h5_others *others, data_h5_fault *fault);
// Whether a file that an open one refers to may be read; its real path goes to `real`
// [ORR_PATH_MAX]. false with fault->refused set where it lies elsewhere, without where there is
// none.
bool data_h5_other_allowed(const data_h5_others *others, const char *path, char *real,
                           data_h5_fault *fault);

// A look below an open file, valid until it is closed. While `probing`, reads of raw data only note
// where they would have gone and leave the buffer alone: so HDF5 tells where a chunk lies through
// one quick search of its index, where H5Dget_chunk_info walks over all chunks before it.
typedef struct {
  int fd; // pread from any thread, without the lock
  uint64_t bytes;
  bool probing;
  uint64_t address; // of the last probed read, from the start of the file
  size_t length;
  const data_h5_others *others;
  data_h5_fault *fault;
} data_h5_window;
// NULL when HDF5 refuses; never for a file that data_h5_file_open opened. Lock held.
data_h5_window *data_h5_file_window(hid_t file);

#endif
