// The sideband: plain sockets beside MPI, for the time when MPI is stuck. The first and the last
// rank (mostly on different hosts, so that one host's end leaves the other) each hold a connection
// to every rank; a rank that dies is known by its closed connection. Made while MPI works; used by
// one thread.
#ifndef DIST_SIDEBAND_H
#define DIST_SIDEBAND_H

#include "dist/hang.h"

typedef struct dist_sideband dist_sideband;

typedef enum {
  DIST_WORD_HANG, // to both centres: a collective of mine does not finish
  DIST_WORD_ASK,  // from a centre: send your recording
  DIST_WORD_ANSWER,
  DIST_WORD_END,  // from a centre: the report is written, end
  DIST_WORD_WAIT, // from a centre: everyone is there, go on waiting
  DIST_WORD_BYE,  // I leave in good order
  DIST_WORD_GONE, // never sent: the connection closed without BYE
} dist_word;

typedef struct {
  int rank; // who says it
  dist_word word;
  const dist_recording *recording; // of an ANSWER, until the next receive
} dist_message;

// Collective over `world`, which has more than one rank. A connection that cannot be made is left
// out and counted in *missing (the same number on all ranks): a firewall must not keep a job from
// running. ORR_ENOMEM, ORR_ECOMM.
orr_code dist_sideband_open(dist_comm *world, dist_sideband **out, int64_t *missing);
// Local. Says BYE to all. Takes NULL.
void dist_sideband_close(dist_sideband *s);

// Local. The two ranks that gather; this rank is one of them or not.
int dist_sideband_deputy(const dist_sideband *s); // the last rank; the first is 0
// Local. Who a rank is; an empty host when it never connected.
const dist_identity *dist_sideband_identity(const dist_sideband *s, int rank);

// Local. Without waiting; a rank without a connection is passed over. `recording` goes with an
// ANSWER, else NULL.
void dist_sideband_send(dist_sideband *s, int rank, dist_word word,
                        const dist_recording *recording);
// Local. True when a message came within timeout_ms; false after that time or a wake.
bool dist_sideband_receive(dist_sideband *s, int timeout_ms, dist_message *m);
// Local, from any thread. Ends the receive under way, or the next one.
void dist_sideband_wake(dist_sideband *s);

#endif
