// What worker processes found wrong with recordings while they wrote them, in memory that parent
// and workers share. Private to data/.
#ifndef DATA_IMPORT_VERDICTS_H
#define DATA_IMPORT_VERDICTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "base/status.h"

#define DATA_VERDICT_MAX 1024

typedef struct {
  _Atomic int code; // an orr_code; ORR_OK: nothing is wrong so far
  char reason[DATA_VERDICT_MAX];
} data_import_verdict;

typedef struct {
  int64_t n;              // items of the plan
  data_import_verdict *v; // [n]
} data_import_verdicts;

// Local. ORR_ENOMEM. Made before the workers.
orr_code data_import_verdicts_create(int64_t n, data_import_verdicts *out);
void data_import_verdicts_destroy(data_import_verdicts *v); // takes one that is zeroed
// Local, one process an item. Takes the message that is recorded as the reason, and clears it.
void data_import_verdicts_take(data_import_verdicts *v, int64_t item, orr_code code);
// Local. Whether an item is bad.
bool data_import_verdicts_bad(const data_import_verdicts *v, int64_t item);
// Local. How many of items first .. first+n-1 are bad.
int64_t data_import_verdicts_count(const data_import_verdicts *v, int64_t first, int64_t n);

// Local. Those of items first .. first+n-1 that are bad, kept in a file for an import that goes on
// later; nothing is written where there are none.
orr_code data_import_verdicts_store(const data_import_verdicts *v, int64_t first, int64_t n,
                                    const char *path);
// Local. Reads such a file. *there: whether it exists.
orr_code data_import_verdicts_load(data_import_verdicts *v, int64_t first, int64_t n,
                                   const char *path, bool *there);

#endif
