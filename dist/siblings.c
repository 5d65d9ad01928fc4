#include "dist/siblings.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

enum { ENVIRONMENT_MAX = 1 << 20 };

// The value of "NAME=" among texts that end with a 0 each.
static const char *value_of(const char *all, size_t bytes, const char *name) {
  for (const char *at = all; at < all + bytes; at += strlen(at) + 1)
    if (strncmp(at, name, strlen(name)) == 0) return at + strlen(name);
  return NULL;
}

// Bytes read, and a 0 after them; 0 when there is nothing to read.
static size_t read_proc(int pid, const char *file, char *to, size_t size) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
  FILE *f = fopen(path, "r");
  const size_t n = f ? fread(to, 1, size - 1, f) : 0;
  if (f) fclose(f);
  to[n] = '\0';
  return n;
}

static char state_of(int pid) {
  char line[512];
  const size_t n = read_proc(pid, "stat", line, sizeof line);
  const char *end = n ? strrchr(line, ')') : NULL; // the program's name may hold anything
  return end && end[1] == ' ' ? end[2] : '?';
}

static bool same_program(int pid) {
  char path[64], theirs[4096], mine[4096];
  snprintf(path, sizeof path, "/proc/%d/exe", pid);
  const ssize_t n = readlink(path, theirs, sizeof theirs),
                m = readlink("/proc/self/exe", mine, sizeof mine);
  return n > 0 && n == m && memcmp(theirs, mine, (size_t)n) == 0;
}

typedef struct {
  const char *job_name, *rank_name, *job;
} own_job;

// What the launcher calls this job, and a rank in it.
static bool find_own(own_job *out) {
  const char *space = getenv("PMIX_NAMESPACE"), *open_mpi = getenv("OMPI_MCA_ess_base_jobid"),
             *slurm = getenv("SLURM_JOB_ID");
  if (space && getenv("PMIX_RANK"))
    *out = (own_job){"PMIX_NAMESPACE=", "PMIX_RANK=", space};
  else if (open_mpi && getenv("OMPI_COMM_WORLD_RANK"))
    *out = (own_job){"OMPI_MCA_ess_base_jobid=", "OMPI_COMM_WORLD_RANK=", open_mpi};
  else if (slurm && getenv("SLURM_PROCID"))
    *out = (own_job){"SLURM_JOB_ID=", "SLURM_PROCID=", slurm};
  else
    return false;
  return true;
}

static int number_of(const char *text) {
  char *end;
  const long v = strtol(text, &end, 10);
  return end != text && *end == '\0' && v >= 0 && v <= INT_MAX ? (int)v : -1;
}

void dist_siblings_visit(void (*see)(void *ctx, const dist_sibling *s), void *ctx) {
  own_job mine;
  char *room = orr_malloc(ENVIRONMENT_MAX);
  DIR *all = room && find_own(&mine) ? opendir("/proc") : NULL;
  for (struct dirent *e; all && (e = readdir(all)) != NULL;) {
    const int pid = number_of(e->d_name);
    if (pid <= 0 || !same_program(pid)) continue;
    const size_t n = read_proc(pid, "environ", room, ENVIRONMENT_MAX);
    const char *job = value_of(room, n, mine.job_name), *rank = value_of(room, n, mine.rank_name);
    if (!job || !rank || strcmp(job, mine.job) != 0) continue;
    see(ctx, &(dist_sibling){.rank = number_of(rank), .pid = pid, .state = state_of(pid)});
  }
  if (all) closedir(all);
  orr_free(room);
}
