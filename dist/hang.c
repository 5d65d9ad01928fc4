// The report on a hang.
//
// A rank waits in a call: (axis, its group on that axis, number of the call). It is held up by
// those members of the group that have not entered that call, or have entered another one under
// that number. When one of them waits in nothing itself (it is dead, silent, asleep or busy), the
// hang begins there; a rank that waits elsewhere is only held up in its turn, unless there is
// nobody else: then ranks called collectives in different orders, and the call where most ranks
// wait counts as the right one.
#include "dist/hang.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LAST_CALLS 8 // shown of each rank

// The ranks of one axis that take part in each other's calls.
typedef struct {
  dist_axis axis;
  int first, step, n; // world ranks first, first + step, ...
} group;

// A call of a group, and who holds it up.
typedef struct {
  bool found;
  group members;
  dist_call call;
  int waiting;       // members that are inside of it
  double longest_s;  // the longest of these waits
  bool begins_there; // a member that holds it up waits in nothing itself
  bool death;        // of a member
} hang;

typedef enum {
  MEMBER_TAKES_PART,
  MEMBER_GONE,      // dead, silent or left
  MEMBER_OUTSIDE,   // waits in nothing and has not entered it, or not gone on to wait for it
  MEMBER_ELSEWHERE, // waits in another call
  MEMBER_DIFFERENT, // its call of that number is another one
} part;

static group group_of(const dist_grid *g, int rank, dist_axis axis) {
  dist_grid o;
  if (axis == DIST_AXIS_WORLD || dist_grid_init(g->tp, g->cp, g->dp, rank, g->ranks, &o) != ORR_OK)
    return (group){DIST_AXIS_WORLD, 0, 1, g->ranks};
  o.shard = g->shard;
  const dist_axis_line line = dist_grid_line(&o, axis);
  return (group){axis, line.first, line.step, line.size};
}

static int member(const group *m, int i) {
  return m->first + i * m->step;
}

// -- what a rank did ------------------------------------------------------------------------

// The record this rank is inside of; NULL when it waits in nothing or did not answer.
static const dist_record *waits_in(const dist_peer *p) {
  bool inside = p->state == DIST_PEER_ANSWERED && p->recording.inside >= 0;
  return inside ? p->recording.records + p->recording.inside : NULL;
}

static const dist_record *find_call(const dist_peer *p, dist_axis axis, int64_t sequence) {
  for (int i = p->recording.n - 1; p->state == DIST_PEER_ANSWERED && i >= 0; i--) {
    const dist_record *r = p->recording.records + i;
    if (r->call.axis == axis && r->call.sequence == sequence) return r;
  }
  return NULL;
}

// Ranks send different counts in an all-to-all; everything else must be equal.
static bool same_call(const dist_call *a, const dist_call *b) {
  return a->collective == b->collective && a->type == b->type &&
         (a->count == b->count || a->collective == DIST_ALL_TO_ALL);
}

// What most members called under this number, into *call; false when nobody's record of it is left.
// *agree: all who have a record of it called the same.
static bool usual_call(const dist_peer *peers, const group *m, int64_t sequence, dist_call *call,
                       bool *agree) {
  int most = 0, have = 0;
  for (int i = 0; i < m->n; i++) have += find_call(peers + member(m, i), m->axis, sequence) != NULL;
  for (int i = 0; i < m->n && most < have; i++) {
    const dist_record *mine = find_call(peers + member(m, i), m->axis, sequence);
    int votes = 0;
    for (int j = 0; mine && j < m->n; j++) {
      const dist_record *other = find_call(peers + member(m, j), m->axis, sequence);
      votes += other && same_call(&mine->call, &other->call);
    }
    if (votes <= most) continue;
    most = votes;
    *call = mine->call;
  }
  *agree = most == have;
  return have > 0;
}

// How member `p` takes part in call `h->call`.
static part part_of(const dist_peer *p, const dist_call *call) {
  if (p->state != DIST_PEER_ANSWERED) return MEMBER_GONE;
  const dist_record *in = waits_in(p);
  const dist_record *mine = find_call(p, call->axis, call->sequence);
  if (mine && !same_call(&mine->call, call)) return MEMBER_DIFFERENT;
  if (p->recording.entered[call->axis] < call->sequence)
    return in ? MEMBER_ELSEWHERE : MEMBER_OUTSIDE;
  if (mine && mine->finished_age_ns < 0 && !in) return MEMBER_OUTSIDE;
  return MEMBER_TAKES_PART;
}

// -- which call hangs -----------------------------------------------------------------------

static hang judge(const dist_grid *g, const dist_peer *peers, int rank, const dist_call *call) {
  hang h = {.members = group_of(g, rank, call->axis), .call = *call};
  for (int i = 0; i < h.members.n; i++) {
    const dist_peer *p = peers + member(&h.members, i);
    const dist_record *in = waits_in(p);
    part how = part_of(p, call);
    if (how != MEMBER_TAKES_PART) h.found = true;
    if (how == MEMBER_GONE || how == MEMBER_OUTSIDE) h.begins_there = true;
    if (p->state == DIST_PEER_ENDED) h.death = true;
    if (!in || in->call.axis != call->axis || in->call.sequence != call->sequence) continue;
    double s = (double)p->recording.inside_age_ns * 1e-9;
    h.waiting += same_call(&in->call, call);
    h.longest_s = s > h.longest_s ? s : h.longest_s;
  }
  return h;
}

static bool worse(const hang *a, const hang *b) {
  if (a->found != b->found) return a->found;
  if (a->death != b->death) return a->death;
  if (a->begins_there != b->begins_there) return a->begins_there;
  if (a->waiting != b->waiting) return a->waiting > b->waiting;
  return a->longest_s > b->longest_s;
}

// The hang to report: `waiting` 0 when no rank waits in anything.
static hang worst_hang(const dist_grid *g, const dist_peer *peers) {
  hang worst = {0};
  for (int rank = 0; rank < g->ranks; rank++) {
    const dist_record *in = waits_in(peers + rank);
    if (!in) continue;
    const group *seen = &worst.members; // most ranks wait in the same call
    if (worst.waiting && seen->axis == in->call.axis &&
        seen->first == group_of(g, rank, in->call.axis).first &&
        worst.call.sequence == in->call.sequence && same_call(&worst.call, &in->call))
      continue;
    hang h = judge(g, peers, rank, &in->call);
    if (worse(&h, &worst)) worst = h;
  }
  return worst;
}

// The first call that the members of the group did not all call alike: when ranks call in different
// orders it may pass, and a later one hang. Moves h->call there.
static bool first_difference(const dist_peer *peers, hang *h) {
  int64_t last = h->call.sequence, first = last >= DIST_RECORDED ? last - DIST_RECORDED + 1 : 1;
  for (int64_t q = first; q <= last; q++) {
    dist_call usual;
    bool agree = true;
    if (!usual_call(peers, &h->members, q, &usual, &agree) || agree) continue;
    h->call = usual;
    return true;
  }
  return false;
}

// -- words ----------------------------------------------------------------------------------

void dist_call_print(const dist_call *call, char *text, size_t size) {
  static const char *const types[] = {[DIST_F32] = "f32",
                                      [DIST_BF16] = "bf16",
                                      [DIST_F64] = "f64",
                                      [DIST_I64] = "i64",
                                      [DIST_U8] = "u8"};
  const char *axis = dist_axis_name(call->axis), *name = dist_collective_name(call->collective);
  if (call->collective == DIST_BARRIER || call->collective >= DIST_DEVICE_WAIT)
    snprintf(text, size, "%s %s, call %" PRId64, axis, name, call->sequence);
  else
    snprintf(text, size, "%s %s of %" PRId64 " %s%s, call %" PRId64, axis, name, call->count,
             types[call->type], call->on_device ? " on the device" : "", call->sequence);
}

// What has become of a call; on the device, that it is in its order is all that a rank knows.
static const char *outcome(const dist_record *r) {
  return r->finished_age_ns < 0 ? "started" : r->call.on_device ? "issued" : "finished";
}

// What an answering rank does now.
static void print_now(const dist_peer *p, char *text, size_t size) {
  char call[128];
  const dist_record *in = waits_in(p);
  const dist_record *last = p->recording.n ? p->recording.records + p->recording.n - 1 : NULL;
  if (in) {
    dist_call_print(&in->call, call, sizeof call);
    snprintf(text, size, "in %s, for %.1f s", call, (double)p->recording.inside_age_ns * 1e-9);
  } else if (last) {
    dist_call_print(&last->call, call, sizeof call);
    snprintf(text, size, "in no collective; its last: %s, %s %.1f s ago", call, outcome(last),
             (double)(last->finished_age_ns < 0 ? last->entered_age_ns : last->finished_age_ns) *
                 1e-9);
  } else {
    snprintf(text, size, "in no collective, and has not been in any");
  }
}

static void print_state(const dist_peer *p, char *text, size_t size) {
  switch (p->state) {
  case DIST_PEER_ANSWERED:
    print_now(p, text, size);
    return;
  case DIST_PEER_ENDED:
    snprintf(text, size, "its process has ended");
    return;
  case DIST_PEER_LEFT:
    snprintf(text, size, "it has finished and left");
    return;
  case DIST_PEER_SILENT:
    break;
  }
  snprintf(text, size, "it does not answer (stopped, or its host is gone)");
}

static void print_missing(FILE *out, const dist_peer *peers, int rank, const dist_call *call) {
  const dist_peer *p = peers + rank;
  char state[320], wanted[128], got[128];
  dist_call_print(call, wanted, sizeof wanted);
  print_state(p, state, sizeof state);
  fprintf(out, "missing: rank %d (%s, pid %" PRId64 ") from %s: ", rank, p->identity.host,
          p->identity.pid, wanted);
  const dist_record *mine = find_call(p, call->axis, call->sequence);
  switch (part_of(p, call)) {
  case MEMBER_DIFFERENT:
    dist_call_print(&mine->call, got, sizeof got);
    fprintf(out, "it called ANOTHER collective: %s; it is %s\n", got, state);
    return;
  case MEMBER_ELSEWHERE:
    fprintf(out, "it never entered it, it is in ANOTHER collective: %s\n", state + strlen("in "));
    return;
  case MEMBER_OUTSIDE:
    fprintf(out, "it %s; it is %s\n",
            mine ? "started it and has not gone on to wait for it" : "never entered it", state);
    return;
  case MEMBER_GONE:
  case MEMBER_TAKES_PART:
    break;
  }
  fprintf(out, "%s\n", state);
}

static bool is_to_blame(const hang *h, part how, bool different) {
  if (different) return how == MEMBER_DIFFERENT;
  if (how == MEMBER_OUTSIDE) return !h->death;
  return how == MEMBER_GONE || (how == MEMBER_ELSEWHERE && !h->begins_there);
}

static const char *advice(const dist_peer *peers, const hang *h, bool different) {
  if (different) return "every rank must call the collectives of an axis in the same order";
  for (int i = 0; i < h->members.n; i++) {
    const dist_peer *p = peers + member(&h->members, i);
    part how = part_of(p, &h->call);
    if (how == MEMBER_GONE && p->state == DIST_PEER_ENDED)
      return "see what that rank said last, and the kernel's log for a process killed for memory";
    if (how == MEMBER_GONE && p->state == DIST_PEER_SILENT)
      return "look at that process and its host (state T in ps: it was stopped)";
    if (how == MEMBER_OUTSIDE)
      return "look where that process spends its time (gdb -p PID), or raise dist.timeout_s when "
             "a step may take that long";
  }
  return "every rank must call the collectives of all axes in the same order";
}

// The hang's own lines: what hangs, who is missing.
static void write_cause(FILE *out, const dist_grid *g, const dist_peer *peers) {
  char text[128];
  hang h = worst_hang(g, peers);
  if (h.waiting == 0) {
    fprintf(out, "no rank waits in a collective\n");
    for (int rank = 0; rank < g->ranks; rank++)
      if (peers[rank].state != DIST_PEER_ANSWERED) {
        char state[320];
        print_state(peers + rank, state, sizeof state);
        fprintf(out, "missing: rank %d (%s, pid %" PRId64 "): %s\n", rank,
                peers[rank].identity.host, peers[rank].identity.pid, state);
      }
    return;
  }
  dist_call_print(&h.call, text, sizeof text);
  fprintf(out, "%s: %d of %d ranks wait in it, the longest for %.1f s\n", text, h.waiting,
          h.members.n, h.longest_s);
  bool different = first_difference(peers, &h);
  int named = 0;
  for (int i = 0; i < h.members.n; i++) {
    part how = part_of(peers + member(&h.members, i), &h.call);
    if (!is_to_blame(&h, how, different)) continue;
    print_missing(out, peers, member(&h.members, i), &h.call);
    named++;
  }
  if (named == 0)
    fprintf(out, "every rank has entered it: the network or the MPI library is stuck\n");
  else
    fprintf(out, "advice: %s\n", advice(peers, &h, different));
}

// A collective on the device that failed explains more than who waits for whom. False: none did.
static bool write_faults(FILE *out, const dist_grid *g, const dist_peer *peers) {
  int named = 0;
  for (int rank = 0; rank < g->ranks; rank++) {
    const dist_peer *p = peers + rank;
    if (p->state != DIST_PEER_ANSWERED || !p->recording.fault[0]) continue;
    fprintf(out, "failed: rank %d (%s, pid %" PRId64 "): %s\n", rank, p->identity.host,
            p->identity.pid, p->recording.fault);
    named++;
  }
  if (named)
    fprintf(out, "advice: look for a rank that ended or a link that is down; NCCL_DEBUG=WARN makes "
                 "NCCL say more\n");
  return named > 0;
}

static void write_calls(FILE *out, int rank, const dist_peer *p) {
  char call[128];
  fprintf(out, "\nlast calls of rank %d\n", rank);
  for (int i = p->recording.n > LAST_CALLS ? p->recording.n - LAST_CALLS : 0; i < p->recording.n;
       i++) {
    const dist_record *r = p->recording.records + i;
    dist_call_print(&r->call, call, sizeof call);
    fprintf(out, "  %-48s entered %.3f s ago, ", call, (double)r->entered_age_ns * 1e-9);
    if (r->finished_age_ns < 0)
      fprintf(out, "not finished\n");
    else
      fprintf(out, "%s %.3f s ago\n", outcome(r), (double)r->finished_age_ns * 1e-9);
  }
}

bool dist_hang_names(const dist_grid *g, const dist_peer *peers) {
  for (int rank = 0; rank < g->ranks; rank++) {
    const dist_peer_state state = peers[rank].state;
    if (state == DIST_PEER_SILENT || state == DIST_PEER_ENDED) return true;
    if (state == DIST_PEER_ANSWERED && peers[rank].recording.fault[0]) return true;
  }
  hang h = worst_hang(g, peers);
  if (h.waiting == 0) return false;
  const bool different = first_difference(peers, &h);
  for (int i = 0; i < h.members.n; i++)
    if (is_to_blame(&h, part_of(peers + member(&h.members, i), &h.call), different)) return true;
  return false;
}

void dist_hang_write(FILE *out, const dist_grid *g, const dist_peer *peers, double timeout_s) {
  char state[320];
  fprintf(out, "hang report (dist.timeout_s %g)\n", timeout_s);
  if (!write_faults(out, g, peers)) write_cause(out, g, peers);
  fprintf(out, "\n%6s %4s %4s %4s  %-16s %8s  %s\n", "rank", "tp", "cp", "dp", "host", "pid",
          "state");
  for (int rank = 0; rank < g->ranks; rank++) {
    const dist_peer *p = peers + rank;
    print_state(p, state, sizeof state);
    fprintf(out, "%6d %4d %4d %4d  %-16s %8" PRId64 "  %s\n", rank, rank % g->tp,
            rank / g->tp % g->cp, rank / g->tp / g->cp, p->identity.host, p->identity.pid, state);
  }
  for (int rank = 0; rank < g->ranks; rank++)
    if (peers[rank].state == DIST_PEER_ANSWERED) write_calls(out, rank, peers + rank);
}
