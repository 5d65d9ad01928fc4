#include "data/remote/http.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define FIRST_PATIENCE_MS 20e3
#define EMPTY_SHA256      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// The options' texts live after the struct.
static orr_code copy_text(const char **text) {
  char *copy = orr_strdup(*text ? *text : "");
  ORR_CHECK(copy, ORR_ENOMEM, "remote data: out of memory for its settings");
  *text = copy;
  return ORR_OK;
}

static orr_code copy_options(data_http *h, const data_remote_options *o) {
  h->o = *o;
  h->o.cache_dir = h->o.endpoint = h->o.region = h->o.ca_file = NULL;
  const char *texts[] = {o->cache_dir, o->endpoint, o->region, o->ca_file};
  const char **places[] = {&h->o.cache_dir, &h->o.endpoint, &h->o.region, &h->o.ca_file};
  for (int i = 0; i < 4; i++) {
    ORR_TRY(copy_text(&texts[i]));
    *places[i] = texts[i];
  }
  return ORR_OK;
}

orr_code data_http_create(const data_remote_options *o, data_http **out) {
  orr_code rc = ORR_OK;
  data_http *h = orr_calloc(1, sizeof *h);
  ORR_CHECK(h, ORR_ENOMEM, "remote data: out of memory");
  pthread_mutex_init(&h->lock, NULL);
  ORR_CHECK_GOTO(curl_global_init(CURL_GLOBAL_DEFAULT) == 0, free_http, ORR_EUNSUPPORTED,
                 "remote data: libcurl does not start");
  ORR_TRY_GOTO(copy_options(h, o), fail);
  *out = h;
  return ORR_OK;
fail:
  data_http_destroy(h);
  return rc;
free_http:
  pthread_mutex_destroy(&h->lock);
  orr_free(h);
  return rc;
}

void data_http_destroy(data_http *h) {
  if (!h) return;
  orr_free((char *)(uintptr_t)h->o.cache_dir);
  orr_free((char *)(uintptr_t)h->o.endpoint);
  orr_free((char *)(uintptr_t)h->o.region);
  orr_free((char *)(uintptr_t)h->o.ca_file);
  curl_global_cleanup();
  pthread_mutex_destroy(&h->lock);
  memset(&h->aws, 0, sizeof h->aws);
  orr_free(h);
}

orr_code data_http_keys(data_http *h, bool again, bool *changed) {
  orr_code rc = ORR_OK;
  if (changed) *changed = false;
  pthread_mutex_lock(&h->lock);
  if (!h->aws_known || again) {
    data_aws found;
    rc = data_aws_find(h->o.region, h->o.endpoint, &found);
    if (rc == ORR_OK && changed) *changed = memcmp(&found, &h->aws, sizeof found) != 0;
    if (rc == ORR_OK) h->aws = found;
    h->aws_known |= rc == ORR_OK;
  }
  pthread_mutex_unlock(&h->lock);
  return rc;
}

orr_code data_http_address(data_http *h, const data_url *u, const char *name, char *out,
                           size_t size) {
  if (u->scheme == DATA_URL_S3) ORR_TRY(data_http_keys(h, false, NULL));
  pthread_mutex_lock(&h->lock);
  orr_code rc = data_url_request(u, name, h->aws.endpoint, h->aws.region, out, size);
  pthread_mutex_unlock(&h->lock);
  return rc;
}

static orr_code add_header(struct curl_slist **headers, const char *name, const char *value) {
  char *line = orr_format("%s: %s", name, value);
  struct curl_slist *longer = line ? curl_slist_append(*headers, line) : NULL;
  orr_free(line);
  ORR_CHECK(longer, ORR_ENOMEM, "remote data: out of memory for a request");
  *headers = longer;
  return ORR_OK;
}

// Signature version 4. The token and the hash of the (empty) body are among what is signed.
static orr_code set_signature(data_http *h, CURL *c, struct curl_slist **headers) {
  char scope[128];
  orr_code rc = ORR_OK;
  pthread_mutex_lock(&h->lock);
  if (h->aws.key[0]) {
    snprintf(scope, sizeof scope, "aws:amz:%s:s3", h->aws.region);
    bool known = curl_easy_setopt(c, CURLOPT_AWS_SIGV4, scope) == CURLE_OK &&
                 curl_easy_setopt(c, CURLOPT_USERNAME, h->aws.key) == CURLE_OK &&
                 curl_easy_setopt(c, CURLOPT_PASSWORD, h->aws.secret) == CURLE_OK;
    if (!known)
      rc = ORR_FAIL(ORR_EUNSUPPORTED, "s3://: this libcurl (%s) cannot sign; wanted 7.75 or newer",
                    curl_version());
    if (rc == ORR_OK) rc = add_header(headers, "x-amz-content-sha256", EMPTY_SHA256);
    if (rc == ORR_OK && h->aws.token[0])
      rc = add_header(headers, "x-amz-security-token", h->aws.token);
  }
  pthread_mutex_unlock(&h->lock);
  return rc;
}

static orr_code set_range(CURL *c, uint64_t from, const char *etag, struct curl_slist **headers) {
  char range[32];
  if (from == 0) return ORR_OK;
  snprintf(range, sizeof range, "%" PRIu64 "-", from);
  ORR_CHECK(curl_easy_setopt(c, CURLOPT_RANGE, range) == CURLE_OK, ORR_ENOMEM,
            "remote data: out of memory for a request");
  return etag[0] ? add_header(headers, "If-Range", etag) : ORR_OK;
}

orr_code data_http_prepare(data_http *h, CURL *c, const char *address, bool sign, uint64_t from,
                           const char *etag, struct curl_slist **headers) {
  const data_remote_options *o = &h->o;
  *headers = NULL;
  ORR_TRY(set_range(c, from, etag, headers));
  if (sign) ORR_TRY(set_signature(h, c, headers));
  // One connection a download: they share no window, and one that stalls holds up no other.
  curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L); // data/remote/transfer.c decides, hop by hop
  curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)(o->connect_s * 1e3));
  curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, (long)o->slow_bytes);
  curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)(o->slow_s < 1 ? 1 : o->slow_s));
  curl_easy_setopt(c, CURLOPT_BUFFERSIZE, 262144L);
  CURLcode set = curl_easy_setopt(c, CURLOPT_URL, address);
  if (set == CURLE_OK) set = curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
  if (set == CURLE_OK) set = curl_easy_setopt(c, CURLOPT_USERAGENT, "orrery");
  if (set == CURLE_OK) set = curl_easy_setopt(c, CURLOPT_HTTPHEADER, *headers);
  if (set == CURLE_OK && o->ca_file[0]) set = curl_easy_setopt(c, CURLOPT_CAINFO, o->ca_file);
  ORR_CHECK(set == CURLE_OK, ORR_ENOMEM, "remote data: cannot make a request: %s",
            curl_easy_strerror(set));
  return ORR_OK;
}

void data_http_note(data_http *h, double wait_ms) {
  // One file's pause holds all of them, but no longer than any of them may go without progress.
  double most_ms = h->o.timeout_s * 1e3;
  double until = orr_clock_ms() + (wait_ms < most_ms ? wait_ms : most_ms);
  pthread_mutex_lock(&h->lock);
  h->answered = true;
  if (wait_ms > 0 && until > h->held_until_ms) h->held_until_ms = until;
  pthread_mutex_unlock(&h->lock);
}

double data_http_held_until(data_http *h) {
  pthread_mutex_lock(&h->lock);
  double until = h->held_until_ms;
  pthread_mutex_unlock(&h->lock);
  return until;
}

double data_http_patience_ms(data_http *h) {
  pthread_mutex_lock(&h->lock);
  bool answered = h->answered;
  pthread_mutex_unlock(&h->lock);
  double usual = h->o.timeout_s * 1e3;
  return answered || usual < FIRST_PATIENCE_MS ? usual : FIRST_PATIENCE_MS;
}
