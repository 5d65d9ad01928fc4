// Keys and values that the time blocks have kept of the earlier frames of every session
// (kern_ring): one ring a session, all of one size, in one place.
#ifndef TRAIN_RINGS_H
#define TRAIN_RINGS_H

#include <stdint.h>

#include "base/arena.h"
#include "train/model/dynamics.h"

typedef struct {
  kern *k;
  const train_dynamics_dims *d;
  int64_t count;  // rings
  int64_t places; // frames of each
  int64_t pins;   // slots of each for frames that stay
  kern_ring *of;  // [layers], used for time blocks; B, ring and frame are the caller's to fill in
} train_rings;

// Local. Borrows k and d. ORR_ENOMEM.
orr_code train_rings_init(train_rings *r, kern *k, const train_dynamics_dims *d, int64_t count,
                          int64_t places, int64_t pins);
void train_rings_release(train_rings *r);
// Local. Takes the memory; once counting, once committed.
void train_rings_place(train_rings *r, orr_arena *arena);

// Local. What a ring holds, to and from host memory of train_rings_bytes.
size_t train_rings_bytes(const train_rings *r);
orr_code train_rings_save(const train_rings *r, int64_t ring, void *host);
orr_code train_rings_load(const train_rings *r, int64_t ring, const void *host);

#endif
