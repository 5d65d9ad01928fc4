// The flight recorder: the last collectives of this rank, for the report on a hang. One thread at a
// time writes (the one that calls dist_*), another may read at any moment; neither waits for the
// other and nothing is allocated after creation.
#ifndef DIST_RECORDER_H
#define DIST_RECORDER_H

#include "dist/comm.h"

#define DIST_RECORDED 64 // calls kept

typedef struct dist_recorder dist_recorder;

// One call. Ages are nanoseconds before the recording was read, because clocks of hosts differ.
typedef struct {
  dist_call call;
  int64_t entered_age_ns;
  int64_t finished_age_ns; // -1 = has not finished
} dist_record;

// What a reader gets: the bytes that go from rank to rank.
typedef struct {
  int64_t entered[DIST_AXES]; // number of the last call entered on each axis; 0 = none
  int32_t n;                  // records, oldest first
  int32_t inside;             // the record that this rank is inside of, -1 = none
  int64_t inside_age_ns;      // for how long (a wait begins later than its call)
  int64_t inside_ticket;      // tells one stay from the next
  char fault[192];            // of a collective on the device, in words; "" = none (the watchdog's)
  dist_record records[DIST_RECORDED];
} dist_recording;

// Local. ORR_ENOMEM.
orr_code dist_recorder_create(dist_recorder **out);
// Local. Takes NULL.
void dist_recorder_destroy(dist_recorder *r);
// Local. Forgets all calls: the axes start to count anew. Who reads meanwhile may miss some.
void dist_recorder_clear(dist_recorder *r);

// The writer's calls take a NULL recorder and do nothing then. A ticket names a record.
//
// Local. A new record, and this rank is inside of it.
int64_t dist_recorder_enter(dist_recorder *r, const dist_call *call, int64_t now_ns);
// Local. Inside again of a call that was left unfinished; recorded anew, with a new ticket, when
// the ring has passed over it since.
void dist_recorder_resume(dist_recorder *r, const dist_call *call, int64_t *ticket, int64_t now_ns);
// Local. Inside of nothing; `finished` tells whether the call has finished, too.
void dist_recorder_leave(dist_recorder *r, bool finished, int64_t now_ns);

typedef enum {
  DIST_HEARD_ENTER, // a stay inside a call begins; from = to
  DIST_HEARD_LEAVE, // and ends
  DIST_HEARD_FLIGHT // a call that was left unfinished, from its entry until it was seen to have
                    // ended
} dist_heard;
// Hears of the writer's time, on the writer's thread.
typedef void (*dist_recorder_tap_fn)(void *ctx, const dist_call *call, dist_heard what,
                                     int64_t from_ns, int64_t to_ns);
// Local. NULL = nobody listens.
void dist_recorder_tap(dist_recorder *r, dist_recorder_tap_fn tap, void *ctx);

// Local, from any thread. A record that is overwritten while it is read is left out.
void dist_recorder_read(dist_recorder *r, int64_t now_ns, dist_recording *out);

#endif
