#include "otpcore/broker/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "otpcore/base/err.h"

void link_identity_free(struct link_identity *id)
{
	EVP_PKEY_free(id->key);
	X509_free(id->certificate);
	X509_free(id->authority);
	*id = (struct link_identity){ NULL, NULL, NULL };
}

int identity_load(const char *path, struct link_identity *id_r)
{
	struct link_identity id = { NULL, NULL, NULL };
	FILE *f = fopen(path, "re");
	struct stat st;
	int r = f && fstat(fileno(f), &st) == 0 ? 0 : MAG_ESYS;

	if (!r && (st.st_mode & 077))
		r = MAG_EPERM;
	if (!r) {
		id.key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
		id.certificate = PEM_read_X509(f, NULL, NULL, NULL);
		id.authority = PEM_read_X509(f, NULL, NULL, NULL);
		if (!id.key || !id.certificate || !id.authority ||
			X509_check_private_key(id.certificate, id.key) != 1)
			r = MAG_ESYNTAX;
	}
	if (f)
		fclose(f);
	if (r) {
		link_identity_free(&id);
		return r;
	}
	*id_r = id;
	return 0;
}

static int write_all(const char *path, const struct link_identity *id)
{
	/* What was left there may be open somewhere: never the same file. */
	int gone = unlink(path) == 0 || errno == ENOENT;
	int fd = gone ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600) : -1;
	FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
	int r = MAG_ESYS;

	if (!f) {
		if (fd >= 0)
			close(fd);
		return r;
	}
	if (PEM_write_PrivateKey(f, id->key, NULL, NULL, 0, NULL, NULL) &&
		PEM_write_X509(f, id->certificate) && PEM_write_X509(f, id->authority) &&
		fflush(f) == 0 && fsync(fd) == 0)
		r = 0;
	return fclose(f) && !r ? MAG_ESYS : r;
}

int identity_save(const char *path, const struct link_identity *id)
{
	char fresh[300];
	int r = snprintf(fresh, sizeof fresh, "%s.new", path) < (int)sizeof fresh ? 0
										  : MAG_ENOSPACE;

	if (!r)
		r = write_all(fresh, id);
	if (!r && rename(fresh, path))
		r = MAG_ESYS;
	return r;
}
