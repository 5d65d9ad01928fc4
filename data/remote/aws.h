// Keys, region and endpoint for s3:// addresses, where the AWS tools keep them: the environment,
// ~/.aws/credentials, ~/.aws/config. Private to data/. Neither key nor token is ever part of a
// message.
#ifndef DATA_AWS_H
#define DATA_AWS_H

#include "base/status.h"

typedef struct {
  char key[256], secret[256], token[8192]; // key "" = none were found: requests go unsigned
  char region[64];
  char endpoint[512]; // "" = Amazon's; else "http(s)://host[:port]" without a slash at the end
} data_aws;

// Local. Keys: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, else the profile
// AWS_PROFILE ("default") of AWS_SHARED_CREDENTIALS_FILE (~/.aws/credentials) and of
// AWS_CONFIG_FILE (~/.aws/config). `region` and `endpoint` go first unless they are ""; then
// AWS_REGION, AWS_DEFAULT_REGION, AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL; then the profile; then
// us-east-1 and Amazon. ORR_EINVAL names a variable, file or knob that makes no sense.
orr_code data_aws_find(const char *region, const char *endpoint, data_aws *out);

#endif
