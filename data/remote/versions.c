#include "data/remote/versions.h"

#include <curl/curl.h>

void data_remote_versions(orr_version_told *told, void *to) {
  told(to, "libcurl", curl_version_info(CURLVERSION_NOW)->version);
}
