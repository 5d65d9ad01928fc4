#include "data/remote/url.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyz"
#define DIGITS  "0123456789"
#define NAME_CHARACTERS                                                                            \
  LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZ" DIGITS "._-" // of the unreserved ones, ~ is left out
#define NAME_MAX_BYTES 200

bool data_url_is(const char *where) {
  size_t n = strspn(where, LETTERS DIGITS "+");
  return n > 0 && strncmp(where + n, "://", 3) == 0;
}

bool data_url_is_name(const char *name) {
  size_t n = strspn(name, NAME_CHARACTERS);
  return n > 0 && n <= NAME_MAX_BYTES && name[n] == 0 && name[0] != '.';
}

const char *data_url_last(const data_url *u) {
  const char *slash = strrchr(u->text, '/');
  return slash ? slash + 1 : u->text;
}

// The scheme's length with "://", or 0 for one that nobody here can read.
static size_t read_scheme(const char *text, data_url_scheme *out) {
  static const struct {
    const char *start;
    data_url_scheme scheme;
  } known[] = {{"https://", DATA_URL_HTTPS}, {"http://", DATA_URL_HTTP}, {"s3://", DATA_URL_S3}};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    size_t n = strlen(known[i].start);
    if (strncmp(text, known[i].start, n) != 0) continue;
    *out = known[i].scheme;
    return n;
  }
  return 0;
}

// Every part between slashes has characters, and none climbs.
static bool parts_are_plain(const char *path) {
  for (const char *p = path; *p == '/';) {
    size_t n = strcspn(++p, "/");
    if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.')) return false;
    p += n;
  }
  return true;
}

// An http path may hold escapes, but none that hides a slash or a dot.
static bool escapes_are_plain(const char *path) {
  for (const char *p = strchr(path, '%'); p; p = strchr(p + 1, '%')) {
    if (!isxdigit((unsigned char)p[1]) || !isxdigit((unsigned char)p[2])) return false;
    if (strncasecmp(p, "%2e", 3) == 0 || strncasecmp(p, "%2f", 3) == 0 ||
        strncasecmp(p, "%5c", 3) == 0 || strncasecmp(p, "%00", 3) == 0)
      return false;
  }
  return true;
}

// Percent-encodes all but unreserved characters and slashes; those of `keep` stay too.
static bool encode(const char *from, const char *keep, char *out, size_t size) {
  static const char hex[] = "0123456789ABCDEF";
  size_t at = 0;
  for (; *from; from++) {
    unsigned char c = (unsigned char)*from;
    if (at + 4 > size) return false;
    if (strchr(NAME_CHARACTERS "~/", c) || strchr(keep, c)) {
      out[at++] = (char)c;
    } else {
      out[at++] = '%';
      out[at++] = hex[c >> 4];
      out[at++] = hex[c & 15];
    }
  }
  out[at] = 0;
  return true;
}

static orr_code check_host(const data_url *u) {
  if (u->scheme == DATA_URL_S3) {
    size_t n = strlen(u->host);
    ORR_CHECK(n >= 3 && n <= 63 && strspn(u->host, LETTERS DIGITS ".-") == n && u->host[0] != '.',
              ORR_EINVAL, "%s: '%s' is no bucket's name; wanted s3://bucket/prefix", u->text,
              u->host);
    return ORR_OK;
  }
  ORR_CHECK(u->host[0] && strspn(u->host, NAME_CHARACTERS ":[]") == strlen(u->host), ORR_EINVAL,
            "%s: '%s' is no host; wanted http(s)://host[:port]/path", u->text, u->host);
  return ORR_OK;
}

orr_code data_url_parse(const char *where, data_url *out) {
  *out = (data_url){0};
  size_t bytes = strlen(where), start = read_scheme(where, &out->scheme);
  // Before anything else: no message may show what stands before an @.
  size_t host = start + strcspn(where + start, "/?#");
  const char *at = memchr(where, '@', host);
  ORR_CHECK(!at, ORR_EINVAL,
            "...%.200s: an address with a user or a password in it, which would end up in logs and "
            "in config.yaml; leave them out (keys for s3:// belong into ~/.aws/credentials)",
            at);
  ORR_CHECK(!strpbrk(where, "?#"), ORR_EINVAL,
            "%.*s...: an address with '%c', wanted one without; a data set's address is a folder's",
            (int)strcspn(where, "?#"), where, *strpbrk(where, "?#"));
  ORR_CHECK(start > 0, ORR_EINVAL, "%.200s: wanted http://, https://, s3:// or a folder", where);
  ORR_CHECK(bytes < sizeof out->text / 4, ORR_EINVAL,
            "%.200s...: an address of %zu bytes, wanted less than %zu", where, bytes,
            sizeof out->text / 4);
  while (bytes > host && where[bytes - 1] == '/') bytes--;
  for (size_t i = 0; i < bytes; i++)
    ORR_CHECK((unsigned char)where[i] > 0x20 && where[i] != 0x7f && where[i] != '\\', ORR_EINVAL,
              "%.200s: a blank, a backslash or a control character in the address; wanted none",
              where);
  memcpy(out->text, where, bytes);
  ORR_CHECK(host - start < sizeof out->host, ORR_EINVAL, "%.200s: a host's name too long", where);
  memcpy(out->host, where + start, host - start);
  ORR_TRY(check_host(out));
  const char *path = out->text + host;
  bool is_s3 = out->scheme == DATA_URL_S3; // a key is plain text: what looks like an escape is none
  ORR_CHECK(parts_are_plain(path) && (is_s3 || escapes_are_plain(path)), ORR_EINVAL,
            "%s: the path has an empty part, '.', '..' or a bad escape; wanted plain names",
            out->text);
  ORR_CHECK(encode(path, is_s3 ? "" : "%!$&'()*+,;=:@", out->path, sizeof out->path), ORR_EINVAL,
            "%s: an address too long", out->text);
  return ORR_OK;
}

orr_code data_url_request(const data_url *u, const char *name, const char *endpoint,
                          const char *region, char *out, size_t size) {
  int n;
  if (u->scheme != DATA_URL_S3)
    n = snprintf(out, size, "%s://%s%s/%s", u->scheme == DATA_URL_HTTP ? "http" : "https", u->host,
                 u->path, name);
  else if (endpoint[0])
    n = snprintf(out, size, "%s/%s%s/%s", endpoint, u->host, u->path, name);
  else if (strchr(u->host, '.')) // no certificate fits such a bucket as a part of the host
    n = snprintf(out, size, "https://s3.%s.amazonaws.com/%s%s/%s", region, u->host, u->path, name);
  else
    n = snprintf(out, size, "https://%s.s3.%s.amazonaws.com%s/%s", u->host, region, u->path, name);
  ORR_CHECK(n > 0 && (size_t)n < size, ORR_EINVAL, "%s/%s: an address too long", u->text, name);
  return ORR_OK;
}

// Scheme, host and port as one text: default ports are written out.
static bool origin_of(const char *url, char out[300]) {
  bool tls = strncasecmp(url, "https://", 8) == 0;
  if (!tls && strncasecmp(url, "http://", 7) != 0) return false;
  const char *host = url + (tls ? 8 : 7);
  size_t n = strcspn(host, "/?#");
  if (n == 0 || n > 255 || memchr(host, '@', n)) return false;
  const char *bracket = memchr(host, ']', n), *from = bracket ? bracket : host;
  bool port = memchr(from, ':', n - (size_t)(from - host)) != NULL;
  snprintf(out, 300, "%s://%.*s%s", tls ? "https" : "http", (int)n, host,
           port  ? ""
           : tls ? ":443"
                 : ":80");
  return true;
}

bool data_url_same_origin(const char *a, const char *b) {
  char x[300], y[300];
  return origin_of(a, x) && origin_of(b, y) && strcasecmp(x, y) == 0;
}
