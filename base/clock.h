#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H
#include <stdint.h>
int64_t orr_clock_ns(void);     // monotonic
double orr_clock_ms(void);      // monotonic, milliseconds
int64_t orr_clock_cpu_ns(void); // computing time of the calling thread
int64_t orr_clock_wall_s(void); // seconds since 1970, UTC
double orr_clock_wall(void);    // the same with its fraction
// Local. "2026-11-30 08:14:13", in UTC, of such a time; "" of one that no calendar has.
void orr_clock_text(double wall_s, char text[32]);
#endif
