// A rank's checksums as text, the only thing ranks tell each other during a save:
//
//   sums <step> <rank> <ranks> <layout's hash> <first extent> <extents>
//   <XXH3-128 of the first extent>
//   ...
#ifndef CHECKPOINTS_SUMS_H
#define CHECKPOINTS_SUMS_H

#include "checkpoints/layout.h"

size_t
ckpt_sums_size(int count); // bytes that the text of `count` extents takes at most, its 0 included
// Local. Exactly what the text of rank `rank` takes, its 0 included.
size_t ckpt_sums_bytes(const ckpt_layout *l, int rank, int ranks);
void ckpt_sums_format(char *out, size_t size, const ckpt_layout *l, int64_t step, int rank,
                      int ranks, const orr_hash128 *sums);
// Local. Puts the checksums of rank `rank` of `ranks` into all[extent_count]. ORR_EINVAL when the
// text is of another step, layout or rank.
orr_code ckpt_sums_parse(const char *text, const ckpt_layout *l, int64_t step, int rank, int ranks,
                         orr_hash128 *all);

#endif
