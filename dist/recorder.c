// The flight recorder. Each slot is a sequence lock (after Lameter's seqlock of Linux) whose
// counter is the ticket of the record in it: 0 while the slot is written. The writer's stores are
// releases and the reader's loads acquires, so that a reader who sees the same ticket before and
// after has seen one record. Ticket t lives in slot t % DIST_RECORDED.
#include "dist/recorder.h"

#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"

typedef struct {
  atomic_int_least64_t ticket; // 0 = empty or being written
  atomic_int_least64_t what;   // collective, axis and type
  atomic_int_least64_t count, sequence;
  atomic_int_least64_t entered_ns, finished_ns; // finished 0 = not yet
} slot;

struct dist_recorder {
  int64_t last;                   // ticket of the newest record; the writer's own
  atomic_int_least64_t newest;    // the same, for the reader
  atomic_int_least64_t inside;    // ticket, 0 = inside of nothing
  atomic_int_least64_t inside_ns; // since when
  atomic_int_least64_t entered[DIST_AXES];
  dist_recorder_tap_fn tap; // the writer's
  void *tap_ctx;
  slot slots[DIST_RECORDED];
};

#define ON_DEVICE 65536 // in a slot's `what`: the bit above collective, axis and type

static int64_t load(const atomic_int_least64_t *from) {
  return atomic_load_explicit(from, memory_order_acquire);
}

static void store(atomic_int_least64_t *to, int64_t value) {
  atomic_store_explicit(to, value, memory_order_release);
}

static slot *slot_of(dist_recorder *r, int64_t ticket) {
  return r->slots + ticket % DIST_RECORDED;
}

orr_code dist_recorder_create(dist_recorder **out) {
  *out = orr_calloc(1, sizeof **out);
  ORR_CHECK(*out, ORR_ENOMEM, "flight recorder: out of memory for %d calls", DIST_RECORDED);
  return ORR_OK;
}

void dist_recorder_destroy(dist_recorder *r) {
  orr_free(r);
}

void dist_recorder_tap(dist_recorder *r, dist_recorder_tap_fn tap, void *ctx) {
  if (!r) return;
  r->tap = tap;
  r->tap_ctx = ctx;
}

void dist_recorder_clear(dist_recorder *r) {
  store(&r->inside, 0);
  for (int i = 0; i < DIST_AXES; i++) store(r->entered + i, 0);
  for (int i = 0; i < DIST_RECORDED; i++) store(&r->slots[i].ticket, 0);
}

static int64_t add(dist_recorder *r, const dist_call *call, int64_t now_ns) {
  int64_t ticket = ++r->last;
  slot *s = slot_of(r, ticket);
  store(&s->ticket, 0);
  store(&s->what, call->on_device * ON_DEVICE + call->collective * 256 + call->axis * 16 +
                      (int64_t)call->type);
  store(&s->count, call->count);
  store(&s->sequence, call->sequence);
  store(&s->entered_ns, now_ns);
  store(&s->finished_ns, 0);
  store(&s->ticket, ticket);
  store(&r->newest, ticket);
  return ticket;
}

static dist_call call_of(const slot *s) {
  const int64_t what = load(&s->what);
  return (dist_call){.collective = (dist_collective)(what % ON_DEVICE / 256),
                     .axis = (dist_axis)(what / 16 % 16),
                     .type = (dist_dtype)(what % 16),
                     .count = load(&s->count),
                     .sequence = load(&s->sequence),
                     .on_device = what >= ON_DEVICE};
}

// Of the record in s, which is the writer's own.
static void tell(dist_recorder *r, const slot *s, dist_heard what, int64_t from_ns, int64_t to_ns) {
  if (!r->tap) return;
  const dist_call call = call_of(s);
  r->tap(r->tap_ctx, &call, what, from_ns, to_ns);
}

static void go_inside(dist_recorder *r, int64_t ticket, int64_t now_ns) {
  store(&r->inside_ns, now_ns);
  store(&r->inside, ticket);
  tell(r, slot_of(r, ticket), DIST_HEARD_ENTER, now_ns, now_ns);
}

int64_t dist_recorder_enter(dist_recorder *r, const dist_call *call, int64_t now_ns) {
  if (!r) return 0;
  int64_t ticket = add(r, call, now_ns);
  store(r->entered + call->axis, call->sequence);
  go_inside(r, ticket, now_ns);
  return ticket;
}

void dist_recorder_resume(dist_recorder *r, const dist_call *call, int64_t *ticket,
                          int64_t now_ns) {
  if (!r) return;
  if (load(&slot_of(r, *ticket)->ticket) != *ticket) *ticket = add(r, call, now_ns);
  go_inside(r, *ticket, now_ns);
}

static void set_finished(dist_recorder *r, int64_t ticket, bool flight, int64_t now_ns) {
  slot *s = slot_of(r, ticket);
  if (ticket == 0 || load(&s->ticket) != ticket) return;
  store(&s->finished_ns, now_ns);
  if (flight) tell(r, s, DIST_HEARD_FLIGHT, load(&s->entered_ns), now_ns);
}

void dist_recorder_leave(dist_recorder *r, bool finished, int64_t now_ns) {
  if (!r) return;
  const int64_t ticket = load(&r->inside), since_ns = load(&r->inside_ns);
  const slot *s = slot_of(r, ticket);
  store(&r->inside, 0);
  if (ticket == 0) return;
  tell(r, s, DIST_HEARD_LEAVE, since_ns, now_ns);
  if (finished) set_finished(r, ticket, since_ns != load(&s->entered_ns), now_ns);
}

static bool read_slot(const slot *s, int64_t ticket, int64_t now_ns, dist_record *out) {
  if (load(&s->ticket) != ticket) return false;
  const int64_t finished_ns = load(&s->finished_ns);
  *out = (dist_record){.call = call_of(s),
                       .entered_age_ns = now_ns - load(&s->entered_ns),
                       .finished_age_ns = finished_ns ? now_ns - finished_ns : -1};
  return load(&s->ticket) == ticket;
}

void dist_recorder_read(dist_recorder *r, int64_t now_ns, dist_recording *out) {
  memset(out, 0, sizeof *out); // padding too: it is sent as bytes
  out->inside = -1;
  int64_t inside = load(&r->inside), inside_ns = load(&r->inside_ns), newest = load(&r->newest);
  if (load(&r->inside) != inside) inside = 0; // it is moving
  for (int64_t t = newest > DIST_RECORDED ? newest - DIST_RECORDED + 1 : 1; t <= newest; t++) {
    if (!read_slot(slot_of(r, t), t, now_ns, out->records + out->n)) continue;
    if (t == inside) {
      out->inside = out->n;
      out->inside_ticket = t;
      out->inside_age_ns = now_ns - inside_ns;
    }
    out->n++;
  }
  for (int i = 0; i < DIST_AXES; i++) out->entered[i] = load(r->entered + i);
}
