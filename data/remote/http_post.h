// One HTTP request that carries a text away: metrics to a Pushgateway, a message to a webhook.
#ifndef DATA_HTTP_POST_H
#define DATA_HTTP_POST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

typedef struct {
  const char *url, *content_type;
  const char *body;
  size_t bytes;
  const char *method; // "PUT", "DELETE"; NULL = POST
  double timeout_s;
  const atomic_bool *give_up; // ends the request early once true; may be NULL
} data_http_post_args;

// Local. Call before other threads exist, once for each data_http_stop.
orr_code data_http_start(void);
void data_http_stop(void);
// Local, blocking. ORR_EIO says what went wrong and names the host alone: paths and queries of such
// addresses often are secrets. Answers of 300 and above are errors; redirects are not followed.
orr_code data_http_post(const data_http_post_args *a);

#endif
