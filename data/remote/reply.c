#include "data/remote/reply.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

// The value of header `name` in line[bytes] into out[size]; false for another header.
static bool header_value(const char *line, size_t bytes, const char *name, char *out, size_t size) {
  size_t n = strlen(name);
  if (bytes <= n || strncasecmp(line, name, n) != 0 || line[n] != ':') return false;
  const char *from = line + n + 1, *end = line + bytes;
  while (from < end && (*from == ' ' || *from == '\t')) from++;
  while (end > from && strchr(" \t\r\n", end[-1])) end--;
  if ((size_t)(end - from) >= size) return false;
  memcpy(out, from, (size_t)(end - from));
  out[end - from] = 0;
  return true;
}

void data_reply_header(data_reply *r, const char *line, size_t bytes) {
  char value[256], *end = NULL;
  if (bytes > 9 && strncmp(line, "HTTP/", 5) == 0) {
    char digits[4] = {0};
    const char *space = memchr(line, ' ', bytes);
    *r = (data_reply){0};
    if (space && space + 4 <= line + bytes) memcpy(digits, space + 1, 3);
    r->status = strspn(digits, "0123456789") == 3 ? strtol(digits, NULL, 10) : 0;
  } else if (header_value(line, bytes, "etag", value, sizeof value)) {
    // a weak one (W/"...") does not promise equal bytes
    snprintf(r->etag, sizeof r->etag, "%s", value[0] == '"' ? value : "");
  } else if (header_value(line, bytes, "content-range", value, sizeof value) &&
             strncasecmp(value, "bytes ", 6) == 0) {
    r->first = strtoull(value + 6, &end, 10);
    if (end == value + 6) r->first = UINT64_MAX;
  }
}

void data_reply_keep(data_reply *r, const char *p, size_t bytes) {
  size_t room = sizeof r->body - 1 - r->body_bytes;
  size_t n = bytes < room ? bytes : room;
  memcpy(r->body + r->body_bytes, p, n);
  r->body_bytes += n;
  r->body[r->body_bytes] = 0;
}

// The <Code> of an object store's error: letters only. "" = none.
static void error_code(const data_reply *r, char out[64]) {
  const char *code = strstr(r->body, "<Code>");
  size_t n = code ? strspn(code + 6, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") : 0;
  snprintf(out, 64, "%.*s", n < 64 ? (int)n : 0, code ? code + 6 : "");
}

static bool code_is(const data_reply *r, const char *const *codes, size_t count) {
  char code[64];
  error_code(r, code);
  for (size_t i = 0; i < count; i++)
    if (strcmp(code, codes[i]) == 0) return true;
  return false;
}

bool data_reply_is_passing(const data_reply *r) {
  static const char *const codes[] = {"SlowDown", "RequestTimeout", "InternalError",
                                      "ServiceUnavailable"};
  static const int statuses[] = {408, 425, 429, 500, 502, 503, 504, 509};
  for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
    if (r->status == statuses[i]) return true;
  return r->status >= 400 && code_is(r, codes, sizeof codes / sizeof *codes);
}

bool data_reply_is_about_keys(const data_reply *r) {
  static const char *const codes[] = {"ExpiredToken", "InvalidToken", "TokenRefreshRequired",
                                      "InvalidAccessKeyId", "RequestExpired"};
  return r->status >= 400 && code_is(r, codes, sizeof codes / sizeof *codes);
}

void data_reply_words(const data_reply *r, char *out, size_t size) {
  char code[64];
  error_code(r, code);
  snprintf(out, size, "the server replies %ld%s%s%s", r->status, code[0] ? " (" : "", code,
           code[0] ? ")" : "");
}

orr_code data_reply_fail(const data_reply *r, const char *what, bool s3, bool unsigned_) {
  static const char *const clock[] = {"RequestTimeTooSkewed"};
  static const char *const expired[] = {"ExpiredToken", "TokenRefreshRequired", "RequestExpired"};
  static const char *const signature[] = {"SignatureDoesNotMatch", "InvalidAccessKeyId",
                                          "InvalidToken"};
  const char *remedy = "check the address";
  char words[160];
  data_reply_words(r, words, sizeof words);
  if (r->status == 404 || r->status == 410)
    remedy = "it is not there: upload it, or correct the address";
  else if (unsigned_)
    remedy = "no AWS credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
             "write ~/.aws/credentials";
  else if (code_is(r, clock, 1))
    remedy = "set this machine's clock";
  else if (code_is(r, expired, 3))
    remedy = "the AWS credentials have expired: renew them and start again";
  else if (code_is(r, signature, 3))
    remedy = "the AWS credentials are not the store's: check key, secret, token and profile";
  else if (s3 && (r->status == 401 || r->status == 403))
    remedy = "these AWS credentials may not read it: ask the bucket's owner, or use others";
  else if (s3 && (r->status == 301 || r->status == 400))
    remedy = "set data.region or data.endpoint to the bucket's own";
  else if (r->status == 401 || r->status == 403)
    remedy = "the server wants a permission that is not there: ask its owner";
  return ORR_FAIL(r->status == 404 || r->status == 410 ? ORR_ENOTFOUND : ORR_EIO, "%s: %s; %s",
                  what, words, remedy);
}
