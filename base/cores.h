// The CPU time that this process may use: the cores of its affinity mask (taskset, mpirun, Slurm,
// cpusets), and the quota of its control groups (containers), of version 1 and 2.
//
// Local functions, from any thread; what the system does not tell is no limit.
#ifndef BASE_CORES_H
#define BASE_CORES_H

#include <stdint.h>

enum { ORR_CORES_MAX = 8192 }; // as many as Linux builds for

typedef struct {
  uint64_t word[ORR_CORES_MAX / 64]; // bit c % 64 of word c / 64: may run on core c
} orr_cores_mask;

// *out (=) the cores that this thread may run on, at least one. A process has one thread's at
// first, and a thread that of the one which started it.
void orr_cores_allowed(orr_cores_mask *out);
// From now on this thread runs on these cores alone, where the system agrees.
void orr_cores_bind(const orr_cores_mask *mask);
int orr_cores_count(const orr_cores_mask *mask);
// The n-th core of the mask, 0 <= n < orr_cores_count, as a mask.
orr_cores_mask orr_cores_nth(const orr_cores_mask *mask, int n);

// The cores' worth of time that the groups of this process allow: the smallest quota over period
// from its own group up to the root of the hierarchy; INFINITY where none is set. `root` goes
// before every path that is read: "" but in tests.
double orr_cores_quota(const char *root);

// The cores' worth of one of the n processes that share a machine: each core that it may run on
// counts for 1 over `sharers[core]`, the number of those who may; they share one quota.
double orr_cores_share(const orr_cores_mask *mine, const uint16_t sharers[ORR_CORES_MAX], int n,
                       double quota);
// sharers (+=) 1 for each core of the mask.
void orr_cores_add(uint16_t sharers[ORR_CORES_MAX], const orr_cores_mask *mask);

// Threads that fit into so many cores' worth: whole ones, at least 1. A thread too many is stopped
// for the rest of every period, and the others wait for it.
int orr_cores_threads(double cores);
// The same for a process that is alone on its machine.
int orr_cores_usable(void);

#endif
