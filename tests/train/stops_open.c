// Linked into the program, in front of MPI's own functions and with --wrap=data_mix_open: one rank
// stops itself (SIGSTOP) at the place that STOP_AT names, if STOP_RANK names it.
#include <mpi.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "data/clips/mix.h"

static void stop_at(const char *place) {
  const char *where = getenv("STOP_AT"), *who = getenv("STOP_RANK"),
             *rank = getenv("OMPI_COMM_WORLD_RANK");
  if (where && who && rank && strcmp(where, place) == 0 && strcmp(who, rank) == 0) raise(SIGSTOP);
}

int MPI_Init_thread(int *argc, char ***argv, int required, int *provided) {
  stop_at("init");
  return PMPI_Init_thread(argc, argv, required, provided);
}

int MPI_Comm_split(MPI_Comm comm, int color, int key, MPI_Comm *out) {
  stop_at("split");
  return PMPI_Comm_split(comm, color, key, out);
}

int MPI_Finalize(void) {
  stop_at("end");
  return PMPI_Finalize();
}

orr_code __real_data_mix_open(const data_mix_options *o, uint64_t seed, data_mix **out);
orr_code __wrap_data_mix_open(const data_mix_options *o, uint64_t seed, data_mix **out);

orr_code __wrap_data_mix_open(const data_mix_options *o, uint64_t seed, data_mix **out) {
  stop_at("load");
  return __real_data_mix_open(o, seed, out);
}
