// The leak that is not ours: for every program that draws.
#ifndef TESTS_DATA_SIM_OSMESA_H
#define TESTS_DATA_SIM_OSMESA_H

// OSMesa 22.3 keeps about 160 bytes of every context that was ever bound.
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
  return "leak:libOSMesa\n";
}

#endif
