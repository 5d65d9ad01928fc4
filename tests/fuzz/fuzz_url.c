// Addresses of data sets: what is accepted stays on its host and below its path, however it is
// written, and holds no credentials.
#include <string.h>

#include "data/remote/url.h"
#include "tests/fuzz/fuzz.h"
#include "base/fs.h"

static void check_url(const data_url *u) {
  orr_path request;
  FUZZ_PROMISE(u->host[0] && !strpbrk(u->host, "/@?# \\"));
  FUZZ_PROMISE(u->path[0] == 0 || u->path[0] == '/');
  FUZZ_PROMISE(!strpbrk(u->path, "?# \\\r\n") && !strstr(u->path, "//"));
  FUZZ_PROMISE(!strstr(u->path, "/../") && !strstr(u->path, "/./"));
  FUZZ_PROMISE(!strchr(u->text, '?') && !strchr(u->text, '#'));
  orr_code rc = data_url_request(u, "shard-00000.h5", "http://127.0.0.1:9000", "eu-test-1", request,
                                 sizeof request);
  FUZZ_PROMISE(rc == ORR_OK);
  size_t n = strlen(request);
  FUZZ_PROMISE(n > 15 && strcmp(request + n - 15, "/shard-00000.h5") == 0);
  FUZZ_PROMISE(data_url_same_origin(request, request));
  if (u->scheme == DATA_URL_S3)
    FUZZ_PROMISE(strncmp(request, "http://127.0.0.1:9000/", 22) == 0);
  else
    FUZZ_PROMISE(strstr(request, u->host));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char text[1024];
  data_url u;
  if (size >= sizeof text) return 0;
  memcpy(text, data, size);
  text[size] = 0;
  orr_code rc = data_url_parse(text, &u);
  if (rc == ORR_OK)
    check_url(&u);
  else
    fuzz_check_refusal(rc);
  return 0;
}
