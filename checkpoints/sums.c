#include "checkpoints/sums.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LINE_BYTES 33 // 32 digits and a line feed

size_t ckpt_sums_size(int count) {
  return 160 + (size_t)count * LINE_BYTES;
}

// The first line: everything two ranks must agree on before their checksums mean anything. The step
// has a fixed width, so that the text's size does not change during a run.
static int format_head(char *out, size_t size, const ckpt_layout *l, int64_t step, int rank,
                       int ranks) {
  int first, end;
  ckpt_layout_share(l, rank, ranks, &first, &end);
  return snprintf(out, size, "sums %019" PRId64 " %d %d %s %d %d\n", step, rank, ranks,
                  orr_hash_to_hex(l->id).s, first, end - first);
}

size_t ckpt_sums_bytes(const ckpt_layout *l, int rank, int ranks) {
  char head[160];
  int first, end;
  ckpt_layout_share(l, rank, ranks, &first, &end);
  return (size_t)format_head(head, sizeof head, l, 0, rank, ranks) +
         (size_t)(end - first) * LINE_BYTES + 1;
}

void ckpt_sums_format(char *out, size_t size, const ckpt_layout *l, int64_t step, int rank,
                      int ranks, const orr_hash128 *sums) {
  int first, end;
  ckpt_layout_share(l, rank, ranks, &first, &end);
  size_t at = (size_t)format_head(out, size, l, step, rank, ranks);
  for (int e = first; e < end; e++, at += LINE_BYTES)
    snprintf(out + at, size - at, "%s\n", orr_hash_to_hex(sums[e - first]).s);
}

orr_code ckpt_sums_parse(const char *text, const ckpt_layout *l, int64_t step, int rank, int ranks,
                         orr_hash128 *all) {
  char head[160];
  int first, end;
  ckpt_layout_share(l, rank, ranks, &first, &end);
  size_t n = (size_t)format_head(head, sizeof(head), l, step, rank, ranks);
  ORR_CHECK(text && strncmp(text, head, n) == 0, ORR_EINVAL,
            "checksums of rank %d: got '%.*s', wanted '%.*s': all ranks must save the same tensors "
            "of the same step",
            rank, text ? (int)strcspn(text, "\n") : 4, text ? text : "none", (int)n - 1, head);
  text += n;
  for (int e = first; e < end; e++, text += LINE_BYTES) {
    char hex[LINE_BYTES];
    ORR_CHECK(strlen(text) >= LINE_BYTES && text[LINE_BYTES - 1] == '\n', ORR_EINVAL,
              "checksums of rank %d: the text ends before extent %d of [%d, %d)", rank, e, first,
              end);
    memcpy(hex, text, LINE_BYTES - 1);
    hex[LINE_BYTES - 1] = 0;
    ORR_TRY(orr_hash_from_hex(hex, &all[e]));
  }
  return ORR_OK;
}
