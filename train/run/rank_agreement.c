#include "train/run/rank_agreement.h"

#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

#define PROGRAM "/proc/self/exe"

static int line_length(const char *text) {
  return (int)strcspn(text, "\n");
}

static const char *next_line(const char *text) {
  text += line_length(text);
  return *text ? text + 1 : text;
}

static const char *unindented(const char *line) {
  return line + strspn(line, " ");
}

// The first line that differs, without its indentation, and the section that it stands in.
static orr_code compare_texts(const char *mine, const char *first) {
  const char *section = mine;
  while (*mine && *first && line_length(mine) == line_length(first) &&
         strncmp(mine, first, (size_t)line_length(mine)) == 0) {
    if (*mine != ' ') section = mine;
    mine = next_line(mine);
    first = next_line(first);
  }
  mine = unindented(mine);
  first = unindented(first);
  return ORR_FAIL(ORR_ECONFIG,
                  "its configuration is not rank 0's: under '%.*s' it has '%.*s', rank 0 has "
                  "'%.*s'; start all ranks with the same file and the same --set",
                  line_length(section), section, line_length(mine), mine, line_length(first),
                  first);
}

// *first (malloc'ed) becomes rank 0's text.
static orr_code share_text(dist_comm *all, const char *mine, char **first) {
  int64_t bytes = (int64_t)strlen(mine) + 1;
  ORR_TRY(dist_broadcast(all, &bytes, 1, DIST_I64, 0));
  *first = orr_calloc(1, (size_t)bytes);
  orr_code rc = *first ? ORR_OK : ORR_FAIL(ORR_ENOMEM, "out of memory for rank 0's configuration");
  ORR_TRY(dist_agree(all, rc, "compare configurations"));
  if (dist_comm_rank(all) == 0) memcpy(*first, mine, (size_t)bytes);
  return dist_broadcast(all, *first, bytes, DIST_U8, 0);
}

static orr_code compare_configurations(dist_comm *all, const char *mine) {
  char *first = NULL;
  orr_code rc = share_text(all, mine, &first);
  if (rc == ORR_OK) {
    rc = strcmp(mine, first) == 0 ? ORR_OK : compare_texts(mine, first);
    rc = dist_agree(all, rc, "compare configurations");
  }
  orr_free(first);
  return rc;
}

// *first (=) rank 0's.
static orr_code share_hash(dist_comm *all, orr_hash128 mine, orr_hash128 *first) {
  *first = mine;
  return dist_broadcast(all, first, (int64_t)sizeof *first, DIST_U8, 0);
}

static orr_code compare_programs(dist_comm *all) {
  orr_hash128 mine = {0}, first;
  ORR_TRY(dist_agree(all, orr_hash_file(PROGRAM, &mine, NULL), "read the program"));
  ORR_TRY(share_hash(all, mine, &first));
  orr_code rc = orr_hash_equal(mine, first)
                    ? ORR_OK
                    : ORR_FAIL(ORR_ECONFIG,
                               "its program is not rank 0's: XXH3-128 %s, rank 0 has %s; install "
                               "the same build of orrery on every host",
                               orr_hash_to_hex(mine).s, orr_hash_to_hex(first).s);
  return dist_agree(all, rc, "compare programs");
}

orr_code train_rank_agreement_data(dist_comm *all, const data_mix *mix) {
  orr_hash128 mine = {0}, first;
  if (dist_comm_size(all) == 1) return ORR_OK;
  ORR_TRY(dist_agree(all, data_mix_hash(mix, &mine), "read the data sets' indexes"));
  ORR_TRY(share_hash(all, mine, &first));
  orr_code rc =
      orr_hash_equal(mine, first)
          ? ORR_OK
          : ORR_FAIL(ORR_ECONFIG,
                     "the index.json of its data sets is not rank 0's; give all hosts the "
                     "same data, and change none while a run starts");
  return dist_agree(all, rc, "compare data sets");
}

orr_code train_rank_agreement_check(dist_comm *all, const char *config_text) {
  if (dist_comm_size(all) == 1) return ORR_OK;
  ORR_TRY(compare_programs(all));
  return compare_configurations(all, config_text);
}
