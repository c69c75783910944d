#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "otpcore/base/err.h"
#include "otpcore/base/file.h"
#include "otpcore/base/secret.h"
#include "otpcore/base/text.h"
#include "otpcore/engine/crypto.h"
#include "otpcore/seal/keyfile.h"
#include "otpcore/seal/tpm.h"

#define HEX_LEN (2 * MASTER_LEN)
#define FILE_   "file:"
#define TPM     "tpm:"

/* ---- reading ---- */

/* Everything of a small file; *len_r is at most cap. 0 or MAG_ESYS. */
static int read_all(int fd, char *data, size_t cap, size_t *len_r)
{
	size_t len = 0;

	while (len < cap) {
		ssize_t n = read(fd, data + len, cap - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return MAG_ESYS;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	*len_r = len;
	return 0;
}

/* 64 hex digits and, if need be, one newline. */
static int decode(char *text, size_t len, unsigned char master_r[MASTER_LEN])
{
	unsigned char key[MASTER_LEN];
	size_t key_len = 0;
	int r;

	if (len == HEX_LEN + 1 && text[HEX_LEN] == '\n')
		len--;
	if (len != HEX_LEN || memchr(text, '\0', len))
		return MAG_ESYNTAX;
	text[len] = '\0';
	r = mag_hex_decode(text, key, sizeof(key), &key_len);
	if (r == 0 && key_len != sizeof(key))
		r = MAG_ESYNTAX;
	if (r == 0)
		memcpy(master_r, key, sizeof(key));
	mag_wipe(key, sizeof(key));
	return r;
}

/* refused: permission bits that nobody may have. The opened file is judged, not
 * its name. O_NONBLOCK: a FIFO must not hang the daemon. */
static int read_safe(const char *path, mode_t refused, struct crypto_out out)
{
	int r = MAG_ESYS, fd;
	struct stat st;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return MAG_ESYS;
	if (fstat(fd, &st) < 0)
		goto out;
	r = MAG_EPERM;
	if (!S_ISREG(st.st_mode) || (st.st_mode & refused))
		goto out;
	if (st.st_uid != 0 && st.st_uid != geteuid())
		goto out;
	r = read_all(fd, (char *)out.data, out.cap, out.len_r);
out:
	close(fd);
	return r;
}

static int read_file(const char *path, mode_t refused, unsigned char master_r[MASTER_LEN])
{
	char text[HEX_LEN + 8];
	size_t len = 0;
	int r = read_safe(
		path, refused, (struct crypto_out){ (unsigned char *)text, sizeof(text), &len });

	if (r == 0)
		r = decode(text, len, master_r);
	mag_wipe(text, sizeof(text));
	return r;
}

/* $CREDENTIALS_DIRECTORY/name. 0 or MAG_ESYS with errno. */
static int credential_path(const char *name, char path_r[PATH_MAX])
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");

	if (!dir || *dir != '/') {
		errno = ENOENT;
		return MAG_ESYS;
	}
	if (snprintf(path_r, PATH_MAX, "%s/%s", dir, name) >= PATH_MAX) {
		errno = ENAMETOOLONG;
		return MAG_ESYS;
	}
	return 0;
}

/* Root's file, or, to who never was root, what the service manager lends in its place. */
static int read_object(const char *path, struct crypto_out out)
{
	char lent[PATH_MAX];
	int r = read_safe(path, S_IRWXG | S_IRWXO, out);

	if (r == MAG_ESYS && errno == EACCES && credential_path("master.key", lent) == 0)
		r = read_safe(lent, S_IRWXO | S_IWGRP, out);
	return r;
}

/* What the file holds is worth nothing without the TPM that made it. */
static int read_tpm(const char *source, unsigned char master_r[MASTER_LEN])
{
	unsigned char object[TPM_OBJECT_MAX];
	char path[PATH_MAX];
	struct mag_secret key = { 0 };
	size_t len = 0;
	int r = MAG_ESYNTAX;

	if (keyfile_path(source, path, sizeof(path)))
		r = read_object(path, (struct crypto_out){ object, sizeof(object), &len });
	if (r == 0)
		r = tpm_open(keyfile_tcti(source), object, len, &key);
	if (r == 0 && key.len != MASTER_LEN)
		r = MAG_ESYNTAX;
	if (r == 0)
		memcpy(master_r, key.data, MASTER_LEN);
	mag_secret_free(&key);
	return r;
}

/* systemd lends the service's user its files by an ACL, whose mask shows as
 * group bits: only the bits of others are judged. */
static int read_credential(const char *name, unsigned char master_r[MASTER_LEN])
{
	char path[PATH_MAX];
	int r;

	if (!*name || strchr(name, '/') || mag_streq(name, ".") || mag_streq(name, ".."))
		return MAG_ESYNTAX;
	r = credential_path(name, path);
	return r < 0 ? r : read_file(path, S_IRWXO | S_IWGRP, master_r);
}

int keyfile_read(const char *source, unsigned char master_r[MASTER_LEN])
{
	if (!source)
		return MAG_ESYNTAX;
	if (mag_has_prefix(source, "file:/"))
		return read_file(source + strlen(FILE_), S_IRWXG | S_IRWXO, master_r);
	if (mag_has_prefix(source, "credential:"))
		return read_credential(source + strlen("credential:"), master_r);
	if (mag_has_prefix(source, TPM))
		return read_tpm(source, master_r);
	return MAG_ESYNTAX;
}

/* ---- a new key ---- */

/* The file gets its name only when it is whole, and link() never replaces one. */
static int create(const char *path, const void *data, size_t len)
{
	int r = MAG_ESYS, fd = -1;
	char temporary[PATH_MAX];

	if (snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path) >= (int)sizeof(temporary))
		return MAG_ENOSPACE;
	if (access(path, F_OK) == 0)
		return MAG_EEXISTS;
	fd = mkostemp(temporary, O_CLOEXEC); /* 0600 */
	if (fd < 0)
		return MAG_ESYS;
	if (fchmod(fd, 0600) < 0 || mag_write_all(fd, data, len) < 0 || fsync(fd) < 0)
		goto out;
	if (link(temporary, path) < 0) {
		r = errno == EEXIST ? MAG_EEXISTS : MAG_ESYS;
		goto out;
	}
	r = mag_sync_folder(path);
	if (r < 0)
		unlink(path); /* nobody has used it yet */
out:
	unlink(temporary);
	close(fd);
	return r;
}

static int create_hex(const char *path, const unsigned char master[MASTER_LEN])
{
	char text[HEX_LEN + 2];
	int r;

	mag_hex_encode(master, MASTER_LEN, text);
	text[HEX_LEN] = '\n';
	r = create(path, text, HEX_LEN + 1);
	mag_wipe(text, sizeof(text));
	return r;
}

static int create_tpm(const char *path, const char *source, const unsigned char master[MASTER_LEN])
{
	unsigned char object[TPM_OBJECT_MAX];
	size_t len = 0;
	int r = access(path, F_OK) == 0
			? MAG_EEXISTS
			: tpm_seal(keyfile_tcti(source), master, MASTER_LEN, object, &len);

	return r < 0 ? r : create(path, object, len);
}

int keyfile_write(const char *source, const unsigned char master[MASTER_LEN])
{
	char path[PATH_MAX];

	if (!keyfile_path(source, path, sizeof(path)))
		return MAG_ESYNTAX;
	return mag_has_prefix(source, TPM) ? create_tpm(path, source, master)
					   : create_hex(path, master);
}

static int try_folder(const char *path)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');

	snprintf(folder, sizeof(folder), "%.*s", slash == path ? 1 : (int)(slash - path), path);
	return access(folder, W_OK | X_OK) ? MAG_ESYS : 0;
}

int keyfile_try(const char *source)
{
	static const unsigned char nothing[MASTER_LEN];
	unsigned char object[TPM_OBJECT_MAX];
	char path[PATH_MAX];
	size_t len = 0;
	int r = keyfile_path(source, path, sizeof(path)) ? 0 : MAG_ESYNTAX;

	if (r == 0 && access(path, F_OK) == 0)
		r = MAG_EEXISTS;
	if (r == 0)
		r = try_folder(path);
	if (r == 0 && mag_has_prefix(source, TPM))
		r = tpm_seal(keyfile_tcti(source), nothing, sizeof(nothing), object, &len);
	return r;
}
