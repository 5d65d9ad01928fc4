#include "data/remote/http_post.h"

#include <stdio.h>
#include <string.h>

#include <curl/curl.h>

#include "base/fault.h"

orr_code data_http_start(void) {
  const CURLcode rc = curl_global_init(CURL_GLOBAL_DEFAULT);
  ORR_CHECK(rc == CURLE_OK, ORR_EUNSUPPORTED, "libcurl does not start: %s", curl_easy_strerror(rc));
  return ORR_OK;
}

void data_http_stop(void) {
  curl_global_cleanup();
}

// "http://host:9091" of an address, without user, path and query.
static void place_of(const char *url, char *out, size_t size) {
  char *scheme = NULL, *host = NULL, *port = NULL;
  CURLU *parts = curl_url();
  snprintf(out, size, "an address that is no URL");
  if (parts && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
      curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
      curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
      curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK)
    snprintf(out, size, "%s://%s:%s", scheme, host, port);
  curl_free(port);
  curl_free(host);
  curl_free(scheme);
  curl_url_cleanup(parts);
}

static size_t drop_answer(char *p, size_t size, size_t n, void *ctx) {
  return size * n;
}

static int look_up(void *give_up, curl_off_t dl_total, curl_off_t dl, curl_off_t ul_total,
                   curl_off_t ul) {
  return atomic_load((const atomic_bool *)give_up);
}

static CURLcode set_up(CURL *c, const data_http_post_args *a, const struct curl_slist *headers) {
#define SET(option, value)                                                                         \
  if (rc == CURLE_OK) rc = curl_easy_setopt(c, option, value)
  CURLcode rc = curl_easy_setopt(c, CURLOPT_URL, a->url);
  SET(CURLOPT_PROTOCOLS_STR, "http,https");
  SET(CURLOPT_NOSIGNAL, 1L); // other threads own the signals
  SET(CURLOPT_TIMEOUT_MS, (long)(a->timeout_s * 1e3));
  SET(CURLOPT_WRITEFUNCTION, drop_answer);
  SET(CURLOPT_HTTPHEADER, headers);
  SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)a->bytes);
  SET(CURLOPT_POSTFIELDS, a->body);
  if (a->method) SET(CURLOPT_CUSTOMREQUEST, a->method);
  if (a->give_up) {
    SET(CURLOPT_XFERINFOFUNCTION, look_up);
    SET(CURLOPT_XFERINFODATA, (void *)a->give_up);
    SET(CURLOPT_NOPROGRESS, 0L);
  }
  return rc;
#undef SET
}

static orr_code send_it(CURL *c, const data_http_post_args *a, const struct curl_slist *headers,
                        const char *place) {
  long status = 0;
  CURLcode rc = set_up(c, a, headers);
  if (rc == CURLE_OK) rc = curl_easy_perform(c);
  ORR_CHECK(rc == CURLE_OK, ORR_EIO, "%s: %s", place, curl_easy_strerror(rc));
  curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
  ORR_CHECK(status < 300, ORR_EIO, "%s: answered with status %ld", place, status);
  return ORR_OK;
}

orr_code data_http_post(const data_http_post_args *a) {
  char place[512], type[256];
  place_of(a->url, place, sizeof place);
  ORR_CHECK(!orr_fault_hit(ORR_FAULT_HTTP), ORR_EIO, "%s: injected fault", place);
  snprintf(type, sizeof type, "Content-Type: %s", a->content_type);
  CURL *c = curl_easy_init();
  struct curl_slist *headers = curl_slist_append(NULL, type);
  const orr_code rc = c && headers ? send_it(c, a, headers, place)
                                   : ORR_FAIL(ORR_ENOMEM, "%s: out of memory", place);
  curl_slist_free_all(headers);
  curl_easy_cleanup(c);
  return rc;
}
