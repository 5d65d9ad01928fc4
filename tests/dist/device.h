// The device that a test of dist/comm_nccl.c runs on: a real one (device_cuda.c), or the host that
// plays one (tests/dist/played/device_host.c). Everything is put into the compute stream.
#ifndef TESTS_DIST_DEVICE_H
#define TESTS_DIST_DEVICE_H

#include <stdbool.h>
#include <stddef.h>

const char *device_missing(void); // why there is none here; NULL: there is one
void *device_stream(void);        // the compute stream; made by the first call
int device_schedules(void);  // in how many ways the played streams take turns; 1 on a real device
void device_schedule(int i); // chooses one
void *device_alloc(size_t bytes);
void device_free(void *p);
void device_write(void *to, const void *host, size_t bytes); // host may change at once
void device_read(void *host, const void *from, size_t bytes);
bool device_finish(void); // false: streams wait for what never comes
void device_close(void);  // takes the stream away

#endif
