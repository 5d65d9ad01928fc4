#include "data/remote/transfer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/fs.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "data/remote/reply.h"

#define BACKOFF_MAX_MS 30e3
#define REDIRECTS_MAX  5
#define REJECTS_MAX    2
#define PROGRESS_BYTES 65536 // a request that brought less did not get anywhere

struct data_transfer {
  data_http *http;
  const data_url *url;
  char name[256];       // of the file
  char what[2560];      // the file's address, for messages
  orr_path address;     // what the next request asks for
  int hops;             // redirects on the way there
  uint64_t bytes, have; // wanted (0 = not known), in the sink
  data_sink sink;
  double due_ms;      // when the next request starts
  double progress_ms; // when the last progress was; 0 = no request yet
  int tries;          // without progress
  int rejects;
  uint64_t retries, came, before; // counts; bytes in the sink when the request began
  bool renewed;                   // the keys were looked up again
  // of the request that runs:
  CURLM *multi;
  CURL *easy;
  struct curl_slist *headers;
  char etag[256]; // of the bytes in the sink
  data_reply reply;
  orr_code sink_rc;
};

orr_code data_transfer_create(data_http *h, const data_url *u, const char *name, uint64_t bytes,
                              uint64_t have, const data_sink *sink, data_transfer **out) {
  orr_code rc = ORR_OK;
  data_transfer *t = orr_calloc(1, sizeof *t);
  ORR_CHECK(t, ORR_ENOMEM, "%s: out of memory: cannot fetch it", name);
  t->http = h;
  t->url = u;
  t->bytes = bytes;
  t->have = have;
  t->sink = *sink;
  t->due_ms = orr_clock_ms();
  snprintf(t->name, sizeof t->name, "%s", name);
  snprintf(t->what, sizeof t->what, "%s/%s", u->text, name);
  ORR_TRY_GOTO(data_http_address(h, u, name, t->address, sizeof t->address), fail);
  *out = t;
  return ORR_OK;
fail:
  orr_free(t);
  return rc;
}

// Takes the request out of curl's hands.
static void drop_request(data_transfer *t) {
  if (t->easy) {
    curl_multi_remove_handle(t->multi, t->easy);
    curl_easy_cleanup(t->easy);
  }
  curl_slist_free_all(t->headers);
  t->easy = NULL;
  t->headers = NULL;
}

void data_transfer_destroy(data_transfer *t) {
  if (!t) return;
  drop_request(t);
  orr_free(t);
}

double data_transfer_due_ms(const data_transfer *t) {
  double held = data_http_held_until(t->http);
  return t->due_ms > held ? t->due_ms : held;
}

void data_transfer_count(data_transfer *t, uint64_t *retries, uint64_t *bytes) {
  *retries = t->retries;
  *bytes = t->came;
  t->retries = t->came = 0;
}

// -- what comes -----------------------------------------------------------------------------

static size_t on_header(char *line, size_t size, size_t count, void *ctx) {
  data_transfer *t = ctx;
  data_reply_header(&t->reply, line, size * count);
  return size * count;
}

// Before the first byte of a file: where in the file it belongs.
static orr_code begin_body(data_transfer *t) {
  data_reply *r = &t->reply;
  r->begun = true;
  if (r->status == 206 && t->have > 0) {
    ORR_CHECK(r->first == t->have, ORR_EFORMAT, "%s: asked for byte %" PRIu64 ", got %" PRIu64,
              t->what, t->have, r->first);
  } else if (t->have > 0) { // the whole file: another version, or a server without ranges
    t->have = t->before = 0;
    ORR_TRY(t->sink.restart(t->sink.ctx));
  }
  snprintf(t->etag, sizeof t->etag, "%s", r->etag);
  return ORR_OK;
}

static size_t on_body(char *p, size_t size, size_t count, void *ctx) {
  data_transfer *t = ctx;
  data_reply *r = &t->reply;
  size_t bytes = size * count;
  if (r->status != 200 && r->status != 206) {
    data_reply_keep(r, p, bytes);
    return bytes;
  }
  if (!r->begun) t->sink_rc = begin_body(t);
  if (t->bytes && t->have + bytes > t->bytes) r->too_long = true;
  if (t->sink_rc != ORR_OK || r->too_long) return 0;
  t->sink_rc = t->sink.put(t->sink.ctx, p, bytes);
  if (t->sink_rc != ORR_OK) return 0;
  t->have += bytes;
  t->came += bytes;
  return bytes;
}

// -- requests -------------------------------------------------------------------------------

static orr_code prepare(data_transfer *t) {
  ORR_CHECK(t->easy, ORR_ENOMEM, "%s: out of memory for a request", t->what);
  bool sign = t->url->scheme == DATA_URL_S3;
  ORR_TRY(data_http_prepare(t->http, t->easy, t->address, sign, t->have, t->etag, &t->headers));
  curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
  curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
  curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
  ORR_CHECK(curl_multi_add_handle(t->multi, t->easy) == CURLM_OK, ORR_ENOMEM,
            "%s: out of memory for a request", t->what);
  return ORR_OK;
}

orr_code data_transfer_start(data_transfer *t, CURLM *multi) {
  t->multi = multi;
  t->easy = curl_easy_init();
  t->reply = (data_reply){0};
  t->sink_rc = ORR_OK;
  t->before = t->have;
  if (t->progress_ms == 0) t->progress_ms = orr_clock_ms();
  orr_code rc = prepare(t);
  if (rc != ORR_OK) drop_request(t);
  return rc;
}

// Half to all of the pause, so that many readers do not come back at once. What is drawn here
// decides nothing but when.
static double with_jitter(const data_transfer *t, double pause_ms) {
  int64_t now = orr_clock_ns();
  uint64_t bits = orr_hash64(&now, sizeof now, (uint64_t)(uintptr_t)t);
  return pause_ms * (0.5 + 0.5 * (double)(bits >> 11) / 9007199254740992.0);
}

// Plans another request, or gives up when there has been no progress for too long.
static data_transfer_state again(data_transfer *t, const char *words, orr_code code, orr_code *rc) {
  double now = orr_clock_ms(), patience = data_http_patience_ms(t->http);
  double pause = t->http->o.backoff_s * 1e3 * (double)(1 << (t->tries < 10 ? t->tries : 10));
  if (t->have >= t->before + PROGRESS_BYTES) {
    t->progress_ms = now;
    t->tries = 0;
    pause = t->http->o.backoff_s * 1e3;
  }
  pause = with_jitter(t, pause < BACKOFF_MAX_MS ? pause : BACKOFF_MAX_MS);
  if (t->reply.retry_ms > pause) pause = t->reply.retry_ms;
  double held = data_http_held_until(t->http) - now;
  if (held > pause) pause = held;
  t->due_ms = now + pause;
  if (t->due_ms - t->progress_ms > patience) {
    *rc = ORR_FAIL(code,
                   "%s: %s; gave up after %d tries and %.0f s without progress%s; check the server "
                   "and the network, or raise data.timeout_s",
                   t->what, words, t->tries + 1, (now - t->progress_ms) / 1e3,
                   t->reply.retry_ms > 0 ? " (it asks to wait longer than that)" : "");
    return DATA_TRANSFER_FAILED;
  }
  if (t->tries++ == 0) ORR_WARN("%s: %s; trying again", t->what, words);
  t->retries++;
  // from the start of the way: where a redirect led may be gone
  *rc = data_http_address(t->http, t->url, t->name, t->address, sizeof t->address);
  t->hops = 0;
  return *rc == ORR_OK ? DATA_TRANSFER_WAITING : DATA_TRANSFER_FAILED;
}

data_transfer_state data_transfer_reject(data_transfer *t, const char *words, orr_code *rc) {
  t->have = t->before = 0;
  t->etag[0] = 0;
  *rc = t->sink.restart(t->sink.ctx);
  if (*rc != ORR_OK) return DATA_TRANSFER_FAILED;
  if (t->rejects++ < REJECTS_MAX) return again(t, words, ORR_ECORRUPT, rc);
  *rc = ORR_FAIL(ORR_ECORRUPT,
                 "%s: %s, %d times; the server's file is not the one that index.json "
                 "lists: upload both again",
                 t->what, words, t->rejects);
  return DATA_TRANSFER_FAILED;
}

static data_transfer_state redirect(data_transfer *t, const char *target, orr_code *rc) {
  bool sign = t->url->scheme == DATA_URL_S3;
  bool same = target && data_url_same_origin(t->address, target);
  if (!target || ++t->hops > REDIRECTS_MAX)
    *rc = ORR_FAIL(ORR_EIO, "%s: the server redirects (%ld) %s", t->what, t->reply.status,
                   target ? "again and again" : "to nowhere");
  else if (sign && !same)
    *rc = ORR_FAIL(ORR_EIO,
                   "%s: the store redirects (%ld) to another host, where no credentials are sent; "
                   "set data.region or data.endpoint to the bucket's own",
                   t->what, t->reply.status);
  else if (strncasecmp(t->address, "https:", 6) == 0 && strncasecmp(target, "https:", 6) != 0)
    *rc = ORR_FAIL(ORR_EIO, "%s: the server redirects from https to something unencrypted; refused",
                   t->what);
  else if (strlen(target) >= sizeof t->address)
    *rc = ORR_FAIL(ORR_EIO, "%s: the server redirects to an address of %zu bytes", t->what,
                   strlen(target));
  else
    *rc = ORR_OK;
  if (*rc != ORR_OK) return DATA_TRANSFER_FAILED;
  snprintf(t->address, sizeof t->address, "%s", target);
  t->due_ms = orr_clock_ms();
  return DATA_TRANSFER_WAITING;
}

// -- judging the end of a request -----------------------------------------------------------

// The whole file is there, as far as the server says.
static data_transfer_state judge_body(data_transfer *t, orr_code *rc) {
  char words[160];
  if (!t->reply.begun && t->have == 0) *rc = begin_body(t); // an empty file
  if (t->bytes && t->have != t->bytes) {
    snprintf(words, sizeof words, "%" PRIu64 " bytes, but index.json says %" PRIu64, t->have,
             t->bytes);
    return data_transfer_reject(t, words, rc);
  }
  return DATA_TRANSFER_DONE;
}

static data_transfer_state judge_status(data_transfer *t, const char *target, orr_code *rc) {
  data_reply *r = &t->reply;
  char words[512];
  bool sign = t->url->scheme == DATA_URL_S3, changed = false;
  if (r->status == 200 || r->status == 206) return judge_body(t, rc);
  if (r->status >= 300 && r->status < 400) return redirect(t, target, rc);
  data_reply_words(r, words, sizeof words);
  if (data_reply_is_passing(r)) return again(t, words, ORR_EIO, rc);
  if (r->status == 416 && t->have > 0)
    return data_transfer_reject(t, "the server has fewer bytes than came before", rc);
  if (sign && data_reply_is_about_keys(r) && !t->renewed) { // somebody may have renewed them
    t->renewed = true;
    *rc = data_http_keys(t->http, true, &changed);
    if (*rc != ORR_OK) return DATA_TRANSFER_FAILED;
    if (changed) return again(t, words, ORR_EIO, rc);
  }
  *rc = data_reply_fail(r, t->what, sign, sign && !t->http->aws.key[0]);
  return DATA_TRANSFER_FAILED;
}

// Errors of curl that no second try can mend.
static bool is_final(CURLcode result) {
  switch (result) {
  case CURLE_UNSUPPORTED_PROTOCOL:
  case CURLE_URL_MALFORMAT:
  case CURLE_NOT_BUILT_IN:
  case CURLE_OUT_OF_MEMORY:
  case CURLE_PEER_FAILED_VERIFICATION:
  case CURLE_SSL_CACERT_BADFILE:
  case CURLE_SSL_CERTPROBLEM:
  case CURLE_SSL_ISSUER_ERROR:
  case CURLE_SSL_INVALIDCERTSTATUS:
    return true;
  default:
    return false;
  }
}

static orr_code fail_final(const data_transfer *t, CURLcode result) {
  const char *remedy = "";
  if (result == CURLE_PEER_FAILED_VERIFICATION || result == CURLE_SSL_ISSUER_ERROR)
    remedy = "; if the server is yours, name its authority's certificate in data.ca_file";
  if (result == CURLE_SSL_CACERT_BADFILE)
    remedy = "; data.ca_file must name certificates of authorities in PEM form";
  return ORR_FAIL(result == CURLE_OUT_OF_MEMORY ? ORR_ENOMEM : ORR_EIO, "%s: %s%s", t->what,
                  curl_easy_strerror(result), remedy);
}

data_transfer_state data_transfer_end(data_transfer *t, CURLcode result, orr_code *rc) {
  char target[sizeof t->address] = "";
  char *found = NULL;
  curl_off_t wait_s = 0;
  *rc = ORR_OK;
  curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &t->reply.status);
  curl_easy_getinfo(t->easy, CURLINFO_REDIRECT_URL, &found);
  curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &wait_s);
  if (found) snprintf(target, sizeof target, "%s", found);
  drop_request(t);
  t->reply.retry_ms = 1e3 * (double)wait_s;
  if (orr_fault_hit(ORR_FAULT_HTTP)) {
    t->reply.retry_ms = 0;
    return again(t, "the connection was cut (fault hook)", ORR_EIO, rc);
  }
  if (t->reply.status > 0)
    data_http_note(t->http, data_reply_is_passing(&t->reply) ? t->reply.retry_ms : 0);
  if (t->sink_rc != ORR_OK) {
    *rc = t->sink_rc;
    return DATA_TRANSFER_FAILED;
  }
  if (t->reply.too_long) return data_transfer_reject(t, "more bytes than index.json says", rc);
  if (result == CURLE_OK) return judge_status(t, found ? target : NULL, rc);
  if (is_final(result)) {
    *rc = fail_final(t, result);
    return DATA_TRANSFER_FAILED;
  }
  bool slow = result == CURLE_OPERATION_TIMEDOUT;
  return again(t, slow ? "no answer, or too slow" : curl_easy_strerror(result), ORR_EIO, rc);
}

// -- one transfer alone ---------------------------------------------------------------------

static data_transfer_state step(data_transfer *t, CURLM *multi, orr_code *rc) {
  int running = 0, left = 0;
  curl_multi_perform(multi, &running);
  CURLMsg *m = curl_multi_info_read(multi, &left);
  if (m && m->msg == CURLMSG_DONE) return data_transfer_end(t, m->data.result, rc);
  curl_multi_poll(multi, NULL, 0, 200, NULL);
  return DATA_TRANSFER_RUNNING;
}

orr_code data_transfer_run(data_transfer *t) {
  orr_code rc = ORR_OK;
  data_transfer_state state = DATA_TRANSFER_WAITING;
  CURLM *multi = curl_multi_init();
  ORR_CHECK(multi, ORR_ENOMEM, "%s: out of memory for a request", t->what);
  while (rc == ORR_OK && state != DATA_TRANSFER_DONE) {
    double wait_ms = data_transfer_due_ms(t) - orr_clock_ms();
    if (state == DATA_TRANSFER_RUNNING) {
      state = step(t, multi, &rc);
    } else if (wait_ms > 0) {
      curl_multi_poll(multi, NULL, 0, wait_ms < 200 ? (int)wait_ms + 1 : 200, NULL);
    } else {
      rc = data_transfer_start(t, multi);
      state = DATA_TRANSFER_RUNNING;
    }
  }
  drop_request(t);
  curl_multi_cleanup(multi);
  return rc;
}
