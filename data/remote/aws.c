// The files are of the INI kind: [profile] lines, key = value lines, comments after # or ; at the
// start of a line. An indented line belongs to a nested setting and is passed over.
#include "data/remote/aws.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/home.h"
#include "base/mem.h"

// What a profile may say. A value that an earlier file gave stays.
typedef struct {
  const char *name;
  char *value;
  size_t room;
} setting;

static const char *given(const char *value) {
  return value && value[0] ? value : NULL;
}

static orr_code take(const char *what, const char *value, char *out, size_t room) {
  if (!value || out[0]) return ORR_OK;
  size_t n = strlen(value);
  ORR_CHECK(n < room && strcspn(value, "\r\n") == n, ORR_EINVAL,
            "%s: a value of %zu bytes, wanted one line of less than %zu", what, n, room);
  memcpy(out, value, n + 1);
  return ORR_OK;
}

// Cuts blanks at both ends, in place.
static char *trimmed(char *text) {
  text += strspn(text, " \t\r");
  for (size_t n = strlen(text); n > 0 && strchr(" \t\r", text[n - 1]); n--) text[n - 1] = 0;
  return text;
}

// Whether a line "[...]" heads the profile; config writes all but the default as "[profile NAME]".
static bool heads(char *line, const char *profile) {
  char *end = strrchr(line, ']');
  if (!end) return false;
  *end = 0;
  char *name = trimmed(line + 1);
  if (strncmp(name, "profile ", 8) == 0) name = trimmed(name + 8);
  return strcmp(name, profile) == 0;
}

static orr_code read_line(const char *path, char *line, const setting *settings, size_t count) {
  char *equals = strchr(line, '=');
  if (!equals) return ORR_OK;
  *equals = 0;
  const char *name = trimmed(line), *value = trimmed(equals + 1);
  for (size_t i = 0; i < count; i++)
    if (strcmp(settings[i].name, name) == 0)
      return take(path, given(value), settings[i].value, settings[i].room);
  return ORR_OK;
}

// *found (|=): the file has the profile. A file that is not there is fine.
static orr_code read_file(const char *path, const char *profile, const setting *settings,
                          size_t count, bool *found) {
  char *text = NULL, *next;
  size_t bytes = 0;
  bool inside = false;
  orr_code rc = ORR_OK;
  if (!orr_fs_exists(path)) return ORR_OK;
  ORR_TRY(orr_fs_read_all(path, &text, &bytes));
  for (char *line = text; line && rc == ORR_OK; line = next) {
    next = strchr(line, '\n');
    if (next) *next++ = 0;
    if (line[0] == '[') {
      inside = heads(line, profile);
      *found |= inside;
    } else if (inside && !strchr("#; \t", line[0])) {
      rc = read_line(path, line, settings, count);
    }
  }
  memset(text, 0, bytes);
  orr_free(text);
  return rc;
}

static orr_code file_path(const char *named, const char *usual, char *out, size_t size) {
  orr_path home;
  if (named) {
    ORR_CHECK(strlen(named) < size, ORR_EINVAL, "%.200s...: a path too long", named);
    memcpy(out, named, strlen(named) + 1);
    return ORR_OK;
  }
  out[0] = 0; // no home, no file
  return orr_home(home, sizeof home) ? orr_fs_join(out, size, home, usual) : ORR_OK;
}

static orr_code read_files(data_aws *a) {
  const setting settings[] = {
      {"aws_access_key_id", a->key, sizeof a->key},
      {"aws_secret_access_key", a->secret, sizeof a->secret},
      {"aws_session_token", a->token, sizeof a->token},
      {"region", a->region, sizeof a->region},
      {"endpoint_url", a->endpoint, sizeof a->endpoint},
  };
  // Keys of the environment come all together: no file completes them.
  const setting *first = a->key[0] || a->secret[0] ? settings + 3 : settings;
  size_t count = sizeof settings / sizeof *settings - (size_t)(first - settings);
  const char *named = given(getenv("AWS_PROFILE"));
  const char *profile = named ? named : "default";
  orr_path path;
  bool found = false;
  ORR_TRY(file_path(given(getenv("AWS_SHARED_CREDENTIALS_FILE")), ".aws/credentials", path,
                    sizeof path));
  ORR_TRY(read_file(path, profile, first, count, &found));
  ORR_TRY(file_path(given(getenv("AWS_CONFIG_FILE")), ".aws/config", path, sizeof path));
  ORR_TRY(read_file(path, profile, first, count, &found));
  ORR_CHECK(found || !named, ORR_EINVAL,
            "AWS_PROFILE is '%.64s', but neither ~/.aws/credentials nor ~/.aws/config has this "
            "profile; correct the name or add it",
            named);
  return ORR_OK;
}

static orr_code check_endpoint(data_aws *a) {
  char *e = a->endpoint;
  for (size_t n = strlen(e); n > 0 && e[n - 1] == '/'; n--) e[n - 1] = 0;
  if (!e[0]) return ORR_OK;
  const char *host = strncmp(e, "https://", 8) == 0 ? e + 8 : e + 7;
  ORR_CHECK((strncmp(e, "http://", 7) == 0 || strncmp(e, "https://", 8) == 0) && host[0] &&
                !strpbrk(host, "/?#@ \t"),
            ORR_EINVAL,
            "endpoint of s3:// (data.endpoint, AWS_ENDPOINT_URL): wanted http(s)://host[:port], "
            "without path, user or password");
  return ORR_OK;
}

orr_code data_aws_find(const char *region, const char *endpoint, data_aws *out) {
  *out = (data_aws){0};
  ORR_TRY(take("data.region", given(region), out->region, sizeof out->region));
  ORR_TRY(take("AWS_REGION", given(getenv("AWS_REGION")), out->region, sizeof out->region));
  ORR_TRY(take("AWS_DEFAULT_REGION", given(getenv("AWS_DEFAULT_REGION")), out->region,
               sizeof out->region));
  ORR_TRY(take("data.endpoint", given(endpoint), out->endpoint, sizeof out->endpoint));
  ORR_TRY(take("AWS_ENDPOINT_URL_S3", given(getenv("AWS_ENDPOINT_URL_S3")), out->endpoint,
               sizeof out->endpoint));
  ORR_TRY(take("AWS_ENDPOINT_URL", given(getenv("AWS_ENDPOINT_URL")), out->endpoint,
               sizeof out->endpoint));
  ORR_TRY(take("AWS_ACCESS_KEY_ID", given(getenv("AWS_ACCESS_KEY_ID")), out->key, sizeof out->key));
  ORR_TRY(take("AWS_SECRET_ACCESS_KEY", given(getenv("AWS_SECRET_ACCESS_KEY")), out->secret,
               sizeof out->secret));
  if (out->key[0])
    ORR_TRY(take("AWS_SESSION_TOKEN", given(getenv("AWS_SESSION_TOKEN")), out->token,
                 sizeof out->token));
  ORR_TRY(read_files(out));
  ORR_CHECK(!out->key[0] == !out->secret[0], ORR_EINVAL,
            "AWS credentials: a %s, but no %s; set both (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY "
            "or ~/.aws/credentials)",
            out->key[0] ? "key" : "secret", out->key[0] ? "secret" : "key");
  if (!out->region[0]) snprintf(out->region, sizeof out->region, "us-east-1");
  ORR_CHECK(strspn(out->region, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(out->region),
            ORR_EINVAL, "region of s3:// '%s': wanted a name like eu-central-1", out->region);
  return check_endpoint(out);
}
