// Linked into the program with --wrap=data_mix_open: a place where a rank may stop.
#include "data/clips/mix.h"
#include "tests/dist/stop_at.h"

orr_code __real_data_mix_open(const data_mix_options *o, uint64_t seed, data_mix **out);
orr_code __wrap_data_mix_open(const data_mix_options *o, uint64_t seed, data_mix **out);

orr_code __wrap_data_mix_open(const data_mix_options *o, uint64_t seed, data_mix **out) {
  stop_at("load");
  return __real_data_mix_open(o, seed, out);
}
