// drive ROUNDS SEED-FILE...: calls a fuzz target with the seeds and with ROUNDS mutations of them.
// Round n is a function of n alone, so a failure is repeated by its number: drive -n N SEED-FILE...
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/rng.h"
#include "tests/fuzz/fuzz.h"

#define SEEDS_MAX     64
#define GROWTH_MAX    4096 // bytes that mutations may add
#define MUTATIONS_MAX 8

typedef struct {
  char *bytes;
  size_t size;
} text;

static volatile uint64_t current; // the round, for the signal handler

// A round that aborts, faults or hangs says its number, and then ends as it would have.
static void on_signal(int number) {
  char words[64];
  int n = snprintf(words, sizeof words, "signal %d in round %" PRIu64 "\n", number, current);
  if (n > 0 && write(STDERR_FILENO, words, (size_t)n) < 0) _exit(1);
  raise(number); // SA_RESETHAND: the default action now
}

static void catch_signals(void) {
  const int numbers[] = {SIGABRT, SIGALRM, SIGSEGV, SIGBUS, SIGFPE};
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    sigaction(numbers[i], &action, NULL);
}

typedef struct {
  uint64_t round, draws; // key and counter of the random numbers
  uint8_t *bytes;
  size_t size, capacity;
} mutant;

// What parsers trip over: extremes of numbers, openings without an end, references, escapes.
static const char *const TOKENS[] = {"-1",
                                     "0",
                                     "4294967296",
                                     "9223372036854775807",
                                     "-9223372036854775809",
                                     "1e999",
                                     "nan",
                                     "-0.0",
                                     "[",
                                     "]",
                                     "{",
                                     "}",
                                     "[[[[[[[[",
                                     "{{{{{{{{",
                                     "\"",
                                     "\\u0000",
                                     "\\",
                                     ":",
                                     ",",
                                     "null",
                                     "true",
                                     "&a [*a, *a]",
                                     "*a",
                                     "!!binary x",
                                     "? ",
                                     "- ",
                                     "---\n",
                                     "...\n",
                                     "%YAML 9.9\n",
                                     "|",
                                     ">",
                                     "#",
                                     "\n",
                                     "\r",
                                     "\t",
                                     " ",
                                     "\xff\xfe",
                                     "\xc0\x80",
                                     "<<",
                                     "F32",
                                     "BF16",
                                     "data_offsets",
                                     "shape",
                                     "__metadata__",
                                     "\"\":",
                                     "[0,0]"};

static uint64_t draw(mutant *m, uint64_t n) {
  return n ? orr_rng_below(1, ORR_STREAM_TEST, m->round, m->draws++, n) : 0;
}

static void insert(mutant *m, size_t at, const void *p, size_t n) {
  if (m->size + n > m->capacity) return;
  memmove(m->bytes + at + n, m->bytes + at, m->size - at);
  memcpy(m->bytes + at, p, n);
  m->size += n;
}

static void erase(mutant *m, size_t at, size_t n) {
  memmove(m->bytes + at, m->bytes + at + n, m->size - at - n);
  m->size -= n;
}

// Part of the text once more, at another place.
static void copy_range(mutant *m) {
  uint8_t piece[256];
  size_t from = draw(m, m->size), n = 1 + draw(m, sizeof piece);
  if (n > m->size - from) n = m->size - from;
  memcpy(piece, m->bytes + from, n);
  insert(m, draw(m, m->size + 1), piece, n);
}

static void mutate(mutant *m) {
  const char *token = TOKENS[draw(m, sizeof TOKENS / sizeof *TOKENS)];
  size_t at = draw(m, m->size), rest = m->size - at;
  uint8_t byte = (uint8_t)draw(m, 256);
  switch (draw(m, 8)) {
  case 0:
    if (rest) m->bytes[at] ^= (uint8_t)(1u << draw(m, 8));
    break;
  case 1:
    if (rest) m->bytes[at] = byte;
    break;
  case 2:
    insert(m, at, &byte, 1);
    break;
  case 3:
    erase(m, at, rest ? 1 + draw(m, rest < 64 ? rest : 64) : 0);
    break;
  case 4:
    if (draw(m, 8) == 0) m->size = at; // truncated; rarely, or little else would be left
    break;
  case 5:
    if (m->size) copy_range(m);
    break;
  case 6: // in the place of what stands there
    erase(m, at, rest < strlen(token) ? rest : strlen(token));
    insert(m, at, token, strlen(token));
    break;
  default:
    insert(m, at, token, strlen(token));
  }
}

// Calls the target with bytes in an allocation of exactly their size, so that a sanitizer sees one
// too many.
static orr_code call(const uint8_t *bytes, size_t size) {
  uint8_t *exact = orr_malloc(size ? size : 1);
  ORR_CHECK(exact, ORR_ENOMEM, "fuzz input of %zu bytes: out of memory", size);
  if (size) memcpy(exact, bytes, size);
  LLVMFuzzerTestOneInput(exact, size);
  orr_free(exact);
  return ORR_OK;
}

static orr_code run_round(const text *seeds, int count, uint64_t round) {
  mutant m = {.round = round};
  const text *s = &seeds[draw(&m, (uint64_t)count)];
  m.capacity = s->size + GROWTH_MAX;
  m.bytes = orr_malloc(m.capacity);
  ORR_CHECK(m.bytes, ORR_ENOMEM, "fuzz input of %zu bytes: out of memory", m.capacity);
  memcpy(m.bytes, s->bytes, s->size);
  m.size = s->size;
  for (uint64_t n = 1 + draw(&m, MUTATIONS_MAX); n > 0; n--) mutate(&m);
  orr_code rc = call(m.bytes, m.size);
  orr_free(m.bytes);
  return rc;
}

static orr_code run(const text *seeds, int count, uint64_t first, uint64_t end) {
  for (int i = 0; i < count; i++) ORR_TRY(call((const uint8_t *)seeds[i].bytes, seeds[i].size));
  for (uint64_t round = first; round < end; round++) {
    alarm(300); // a round takes microseconds; one that hangs is a finding
    current = round;
    ORR_TRY(run_round(seeds, count, round));
  }
  return ORR_OK;
}

int main(int argc, char **argv) {
  text seeds[SEEDS_MAX] = {0};
  int count = 0, at = 1;
  bool one = argc > 2 && strcmp(argv[1], "-n") == 0;
  if (one) at = 2;
  if (argc < at + 2 || argc - at - 1 > SEEDS_MAX) {
    fprintf(stderr, "usage: %s ROUNDS SEED-FILE...   or   %s -n ROUND SEED-FILE...\n", argv[0],
            argv[0]);
    return 2;
  }
  catch_signals();
  uint64_t n = strtoull(argv[at], NULL, 10);
  orr_code rc = ORR_OK;
  for (at++; at < argc && rc == ORR_OK; at++, count++)
    rc = orr_fs_read_all(argv[at], &seeds[count].bytes, &seeds[count].size);
  if (rc == ORR_OK) rc = run(seeds, count, one ? n : 0, one ? n + 1 : n);
  if (rc != ORR_OK)
    fprintf(stderr, "\n%s\n", orr_status_message());
  else
    fprintf(stderr, "\r%d seeds, %" PRIu64 " rounds\n", count, one ? 1 : n);
  for (int i = 0; i < count; i++) orr_free(seeds[i].bytes);
  return rc == ORR_OK ? 0 : 1;
}
