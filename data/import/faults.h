// Recordings that cannot be imported, and why: all of them are named in one list, or left out by
// --skip-bad. Private to data/.
#ifndef DATA_IMPORT_FAULTS_H
#define DATA_IMPORT_FAULTS_H

#include <stdint.h>

#include "base/status.h"

typedef struct {
  char *recording; // its name below the operand
  char *path;      // of its file
  char *reason;
  orr_code code;
} data_import_fault;

typedef struct {
  data_import_fault *v;
  int64_t n, room;
} data_import_faults;

// Local. Takes what went wrong with one recording (rc and the message that is recorded) into the
// list and clears the message, so that the others are looked at, too: ORR_OK. rc itself where no
// recording is to blame (ORR_ENOMEM, ORR_ESTOPPED). Nothing to do for ORR_OK.
orr_code data_import_faults_take(data_import_faults *f, const char *recording, const char *path,
                                 orr_code rc);
// Local. Adds a fault. ORR_ENOMEM.
orr_code data_import_faults_add(data_import_faults *f, const char *recording, const char *path,
                                const char *reason, orr_code code);
// Local. The fault of a file, or NULL.
const data_import_fault *data_import_faults_find(const data_import_faults *f, const char *path);
// Local. Takes fault number i out of the list.
void data_import_faults_drop(data_import_faults *f, int64_t i);
// Local. Frees what the list holds, and zeroes it.
void data_import_faults_release(data_import_faults *f);

#endif
