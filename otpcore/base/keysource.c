#include "otpcore/base/keysource.h"

#include <stdio.h>
#include <string.h>

#include "otpcore/base/text.h"

#define FILE_  "file:"
#define TPM    "tpm:"
#define TCTI   "?tcti="
#define DEVICE "device:"
#define USUAL  "/dev/tpmrm0"

const char *keyfile_tcti(const char *source)
{
	const char *at = strstr(source, TCTI);

	return at ? at + strlen(TCTI) : NULL;
}

bool keyfile_path(const char *source, char *path_r, size_t cap)
{
	bool tpm = mag_has_prefix(source, TPM "/");
	const char *path, *end;

	if (!tpm && !mag_has_prefix(source, FILE_ "/"))
		return false;
	path = source + strlen(tpm ? TPM : FILE_);
	end = tpm ? strstr(path, TCTI) : NULL;
	return snprintf(path_r, cap, "%.*s", end ? (int)(end - path) : (int)strlen(path), path) <
	       (int)cap;
}

bool keyfile_device(const char *source, char *path_r, size_t cap)
{
	const char *how = keyfile_tcti(source);

	if (!mag_has_prefix(source, TPM) || (how && !mag_has_prefix(how, DEVICE)))
		return false;
	return mag_copy(path_r, cap, how ? how + strlen(DEVICE) : USUAL) == 0;
}
