/* otpcored: keeps what is true about accounts, codes, licences and sessions,
 * and answers those who may ask. */
#include "otpcore/broker/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "otpcore/base/err.h"
#include "otpcore/base/escape.h"
#include "otpcore/base/log.h"
#include "otpcore/base/memory.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/arguments.h"
#include "otpcore/broker/audit_log.h"
#include "otpcore/broker/helper.h"
#include "otpcore/broker/keys.h"
#include "otpcore/broker/journal.h"
#include "otpcore/broker/trust.h"
#include "otpcore/engine/crypto.h"
#include "otpcore/engine/number.h"

/* ---- the background ---- */

/* Forks; the parent stays until the child serves or failed. Returns in the
 * child, with the descriptor to say so on. */
static int background(int *tell_r)
{
	int ends[2];
	char word = 0;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return MAG_ESYS;
	pid = fork();
	if (pid < 0)
		return MAG_ESYS;
	if (pid > 0) {
		close(ends[1]);
		_exit(read(ends[0], &word, 1) == 1 ? 0 : 1);
	}
	close(ends[0]);
	setsid();
	*tell_r = ends[1];
	return 0;
}

/* `null` was opened before the sandbox closed. */
static void detach(int tell, int null)
{
	if (chdir("/") == 0 && null >= 0)
		for (int fd = 0; fd < 3; fd++)
			dup2(null, fd);
	if (null > 2)
		close(null);
	if (write(tell, "k", 1) != 1)
		mag_log(MAG_LOG_WARNING, "whoever started this is gone");
	close(tell);
}

/* ---- what is known from the start ---- */

static int read_boot_id(char *id, size_t cap)
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
	int r = f && fgets(id, (int)cap, f) ? 0 : MAG_ESYS;

	if (f)
		fclose(f);
	if (!r)
		id[strcspn(id, "\n")] = 0;
	return r;
}

static int know_host(struct broker *b, const char *config)
{
	char name[256] = "", path[PATH_MAX];

	/* For SIGHUP, when the working directory is another. "": the usual place. */
	if (config && !realpath(config, path))
		return MAG_ESYS;
	if (mag_copy(b->config, sizeof b->config, config ? path : ""))
		return MAG_ENOSPACE;
	if (gethostname(name, sizeof name - 1) || read_boot_id(b->boot, sizeof b->boot))
		return MAG_ESYS;
	name[sizeof b->host - 1] = 0;
	mag_clean(b->host, sizeof b->host,
		*b->settings->host_identity ? b->settings->host_identity : name);
	return 0;
}

static int complain(int r, const char *what)
{
	mag_log(MAG_LOG_ERROR, "%s: %s%s%s", what, mag_strerror(r), r == MAG_ESYS ? ": " : "",
		r == MAG_ESYS ? strerror(errno) : "");
	return r;
}

static int complain_socket(int r, const char *path)
{
	if (r != MAG_EEXISTS)
		return complain(r, path);
	/* Not "exists already": nobody shall remove the socket of one that serves. */
	mag_log(MAG_LOG_ERROR,
		"%s: another otpcored is running and answers there; leave its socket alone, and "
		"stop that one first: systemctl stop otpcored, or kill it",
		path);
	return r;
}

/* A key file is root's. To who never was root the service manager lends it, under this
 * name. */
static int open_lent_key(struct broker *b)
{
	const char *key = b->settings->master_key;

	if (geteuid() == 0 || !mag_has_prefix(key, "file:") ||
		access(key + strlen("file:"), R_OK) == 0 || errno != EACCES)
		return MAG_ENOTFOUND;
	return keyring_open("credential:master.key", &b->keyring);
}

static int open_key(struct broker *b)
{
	int r = crypto_set_properties(b->settings->crypto);

	if (!r && open_lent_key(b) == 0)
		return 0;
	if (!r)
		r = keyring_open(b->settings->master_key, &b->keyring);
	return r ? key_complain(r, b->settings->master_key) : 0;
}

/* As the user that otpcored is, from here on. */
static int open_store(struct broker *b)
{
	char err[STORE_ERROR_MAX] = "";
	int r = priv_drop(b->settings->user);

	if (r)
		return complain(r, "giving up root's rights");
	r = store_open(b->settings->url, &b->store, err);
	return r ? complain(r, *err ? err : b->settings->url) : keys_open(b);
}

/* Everything that needs the rights of the start, then without them the rest. */
static int open_all(struct broker *b, int *fd_r, bool *made_r)
{
	int r = open_key(b);

	if (r)
		return r;
	r = listen_open(b->settings->socket, fd_r, made_r);
	if (r)
		return complain_socket(r, b->settings->socket);
	r = remotes_listen(b->settings, &b->remote_fd);
	if (r)
		return complain(r, b->settings->listen);
	r = open_store(b);
	if (r)
		return r;
	r = audit_log_open(b, &b->audit);
	if (r)
		return complain(r, b->settings->audit_file);
	r = journal_open(b, &b->journal);
	if (r)
		return r; /* it has told */
	number_warm_up();
	(void)trust_load(b); /* without, no certificate counts */
	return 0;
}

/* Everything is open: the fence closes, and who waits for the start goes on. */
static int ready(struct broker *b, const struct arguments *a, const char *name, int tell, int null)
{
	int r;

	mag_log_open("otpcored", !a->foreground, a->debug ? MAG_LOG_DEBUG : MAG_LOG_NOTICE);
	escape_before(name);
	r = sandbox_close(b->settings, b->config);
	escape_now();
	if (r)
		return complain(r, "the sandbox does not close");
	if (tell >= 0)
		detach(tell, null);
	return 0;
}

static int serve_store(struct broker *b, const struct arguments *a)
{
	int fd = -1, tell = -1, helper = -1, null = open("/dev/null", O_RDWR | O_CLOEXEC), r = 0;
	bool made = false;

	if (!a->foreground && (r = background(&tell)))
		return complain(r, "cannot go to the background");
	overdue_undo(a->config);
	/* While there is neither key nor store in this process. */
	r = helper_start(&helper);
	if (r)
		return complain(r, "the password helper does not start");
	/* After the last fork: what is locked is this process's. */
	mag_memory_keep(false);
	r = know_host(b, a->config);
	if (r)
		return complain(r, "cannot learn about this host");
	priv_descriptors(b->settings->max_clients);
	r = open_all(b, &fd, &made);
	if (!r)
		r = ready(b, a, "broker", tell, null);
	if (!r)
		r = server_run(b, fd, helper);
	/* Another broker's socket is not ours to remove; nor one that cannot be
	 * removed any more because its directory is root's: the next start will. */
	if (made)
		(void)unlink(b->settings->socket);
	journal_close(&b->journal);
	audit_log_close(&b->audit);
	store_close(&b->store);
	keyring_free(&b->keyring);
	certificate_trust_free(&b->trust);
	return r;
}

/* A relay: no key, no store, no helper for passwords. */
static int serve_relay(struct broker *b, const struct arguments *a)
{
	int fd = -1, tell = -1, null = open("/dev/null", O_RDWR | O_CLOEXEC), r = 0;
	bool made = false;

	if (!a->foreground && (r = background(&tell)))
		return complain(r, "cannot go to the background");
	mag_memory_keep(false);
	r = know_host(b, a->config);
	if (r)
		return complain(r, "cannot learn about this host");
	priv_descriptors(b->settings->max_clients);
	r = crypto_set_properties(b->settings->crypto);
	if (!r)
		r = listen_open(b->settings->socket, &fd, &made);
	if (r)
		return complain_socket(r, b->settings->socket);
	r = priv_drop(b->settings->user);
	if (r)
		complain(r, "giving up root's rights");
	if (!r)
		r = relay_open(b);
	if (!r)
		r = ready(b, a, "relay", tell, null);
	if (!r)
		r = relay_run(b, fd);
	if (made)
		(void)unlink(b->settings->socket);
	return r;
}

static int verify(struct broker *b, const struct arguments *a)
{
	int r = know_host(b, a->config);

	if (!r)
		r = open_key(b);
	if (!r)
		r = open_store(b);
	if (!r)
		r = audit_verify_run(b);
	store_close(&b->store);
	keyring_free(&b->keyring);
	return r;
}

/* What systemd lends to the service is not there for root's cron. */
static bool lent_elsewhere(const struct settings *s)
{
	return mag_has_prefix(s->master_key, "credential:") && !getenv("CREDENTIALS_DIRECTORY");
}

static int backup(struct broker *b, const struct arguments *a)
{
	int r = lent_elsewhere(b->settings) ? 0 : open_key(b);

	if (!r)
		r = backup_run(b, &a->backup);
	keyring_free(&b->keyring);
	return r;
}

static int restore(struct broker *b, const struct arguments *a)
{
	int r = know_host(b, a->config);

	if (!r)
		r = open_key(b);
	if (!r)
		r = restore_run(b, &a->restore);
	keyring_free(&b->keyring);
	return r;
}

/* ---- orders ---- */

static int check(struct broker *b, const struct arguments *a)
{
	(void)b; /* its settings are read */
	fprintf(stderr, "%s: ok\n", a->config ? a->config : MAGOTP_CONF);
	return 0;
}

static int setup(struct broker *b, const struct arguments *a)
{
	(void)a;
	return setup_run(b->settings);
}

static int migrate(struct broker *b, const struct arguments *a)
{
	return migrate_run(b->settings, a->what);
}

static int rekey(struct broker *b, const struct arguments *a)
{
	const struct rekey_orders o = { a->what, a->dry, a->json };

	return rekey_run(b->settings, &o);
}

static int enroll(struct broker *b, const struct arguments *a)
{
	return enroll_run(b->settings, a->what, a->upstream);
}

static int password_helper(struct broker *b, const struct arguments *a)
{
	(void)a;
	return complain(helper_run(b->settings->user), "the password helper");
}

static int serve(struct broker *b, const struct arguments *a)
{
	return b->settings->n_upstreams ? serve_relay(b, a) : serve_store(b, a);
}

static int (*const orders[ORDERS])(struct broker *, const struct arguments *) = {
	[ORDER_SERVE] = serve,
	[ORDER_CHECK] = check,
	[ORDER_SETUP] = setup,
	[ORDER_MIGRATE] = migrate,
	[ORDER_REKEY] = rekey,
	[ORDER_ENROLL] = enroll,
	[ORDER_BACKUP] = backup,
	[ORDER_RESTORE] = restore,
	[ORDER_RESTORE_IN_PLACE] = restore,
	[ORDER_AUDIT_VERIFY] = verify,
	[ORDER_PASSWORD_HELPER] = password_helper,
};

int main(int argc, char **argv)
{
	struct arguments a = { 0 };
	struct broker b = { .remote_fd = -1 };
	char err[OPT_ERROR_MAX] = "";
	int r = arguments_read(argc, argv, &a);

	if (r >= 0)
		return r;
	mag_log_open("otpcored", 0, a.debug ? MAG_LOG_DEBUG : MAG_LOG_NOTICE);
	priv_harden();
	r = settings_load(a.config, &b.settings, err);
	if (r) {
		fprintf(stderr, "otpcored: %s\n", err);
		return 1;
	}
	r = orders[a.order](&b, &a);
	settings_free(&b.settings);
	return r ? 1 : 0;
}
