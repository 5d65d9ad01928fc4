// Several faults told at once: somebody who mends one should not meet the next only then. Local; a
// list a thread.
#ifndef BASE_FAULTS_H
#define BASE_FAULTS_H

#include "base/status.h"

typedef struct {
  int count;
  orr_code code;                     // of the first
  char text[ORR_STATUS_MESSAGE_MAX]; // "\n  1. ...\n  2. ..." as far as there is room
  char only[ORR_STATUS_MESSAGE_MAX]; // the first
} orr_faults;                        // starts as {0}

// Local. Takes what went wrong (rc and the message that is recorded) into the list and clears the
// message, so that the rest is looked at, too: ORR_OK. rc itself where the user can mend nothing
// (ORR_ENOMEM, ORR_ESTOPPED, ORR_ECOMM). Nothing to do for ORR_OK.
orr_code orr_faults_take(orr_faults *f, orr_code rc);
// Local. ORR_OK for an empty list. Else the code of the first; the message is that of the only one,
// or all of them, a line each.
orr_code orr_faults_end(const orr_faults *f);

#endif
