// The report on a hang: who is missing from which collective. Pure: from what each rank's recorder
// said to a text.
#ifndef DIST_HANG_H
#define DIST_HANG_H

#include <stdio.h>

#include "dist/recorder.h"

typedef enum {
  DIST_PEER_SILENT, // has not answered: stopped, or its host is gone
  DIST_PEER_ANSWERED,
  DIST_PEER_ENDED, // its connection closed without a word: the process is dead
  DIST_PEER_LEFT,  // it has finished watching, in good order
} dist_peer_state;

typedef struct {
  char host[64];
  int64_t pid;
} dist_identity;

typedef struct {
  dist_peer_state state;
  dist_identity identity;
  dist_recording recording; // of a peer that answered
} dist_peer;

// Local. Writes the report on `peers` [g->ranks] (of `g` only the sizes are read): the collective
// that hangs, each rank that is missing from it and why, a line for every rank, and the last calls
// of each.
void dist_hang_write(FILE *out, const dist_grid *g, const dist_peer *peers, double timeout_s);
// Local. Whether the report names a rank: one that is missing, silent or gone, or a fault of a
// device. Where it names none all ranks are in the call that hangs, or through it.
bool dist_hang_names(const dist_grid *g, const dist_peer *peers);
// Local. "dp all_reduce of 1000 f32, call 3" into text [size].
void dist_call_print(const dist_call *call, char *text, size_t size);

#endif
