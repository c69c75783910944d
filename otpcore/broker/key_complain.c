/* Why there is no master key, in words that help. */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/keysource.h"
#include "otpcore/base/log.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/parts.h"

/* What a key file lacks, and what to do: the reader's errors say only that. */
int key_complain(int r, const char *source)
{
	char file[PATH_MAX];
	const char *path = keyfile_path(source, file, sizeof file) ? file : source;

	if (r == MAG_ESYS && errno == ENOENT)
		mag_log(MAG_LOG_ERROR,
			"%s: there is no master key; a new host gets one from \"magotpctl setup\", "
			"a host with a store needs the one that it had",
			source);
	else if (r == MAG_EPERM)
		mag_log(MAG_LOG_ERROR,
			"%s: the master key must be root's and for root alone: "
			"chown root %s; chmod 600 %s",
			source, path, path);
	else if (r == MAG_ESYNTAX)
		mag_log(MAG_LOG_ERROR, "%s: this is not a master key (%s)", source,
			mag_has_prefix(source, "tpm:") ? "tpm:/FILE, made by magotpctl"
						       : "64 hex digits");
	else if (r == MAG_EDOWN)
		mag_log(MAG_LOG_ERROR,
			"%s: no TPM answers; is its device there, or the way to it right "
			"(?tcti=...)?",
			source);
	else if (r == MAG_ECRYPTO && mag_has_prefix(source, "tpm:"))
		mag_log(MAG_LOG_ERROR,
			"%s: this TPM did not make it, or was cleared since; put back the master "
			"key that you keep elsewhere",
			source);
	else
		mag_log(MAG_LOG_ERROR, "%s: %s", source,
			r == MAG_ESYS ? strerror(errno) : mag_strerror(r));
	return r;
}
