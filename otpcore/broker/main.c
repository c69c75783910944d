/* otpcored: keeps what is true about accounts, codes, licences and sessions,
 * and answers those who may ask. */
#include "otpcore/broker/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "otpcore/base/err.h"
#include "otpcore/base/escape.h"
#include "otpcore/base/log.h"
#include "otpcore/base/secret.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/audit_log.h"
#include "otpcore/broker/helper.h"
#include "otpcore/broker/keys.h"
#include "otpcore/broker/journal.h"
#include "otpcore/broker/trust.h"
#include "otpcore/engine/crypto.h"
#include "otpcore/engine/number.h"
#include "otpcore/seal/keyfile.h"
#include "otpcore/store/fault.h"

struct arguments {
	const char *config;  /* NULL: the usual place */
	const char *migrate; /* to this url, and end */
	const char *enroll, *upstream;
	const char *rekey; /* to this master key, and end */
	bool dry;
	bool foreground, check, setup, audit_verify, password_helper, debug;
	struct backup_orders backup;
	struct restore_orders restore;
	bool restoring;
};

static void help(void)
{
	fputs("Examples:\n"
	      "  otpcored                        serve, in the background\n"
	      "  otpcored --foreground           serve here, log to this terminal\n"
	      "  otpcored --check-config         say whether magotp.conf is right\n"
	      "  otpcored --setup                make the master key and the store, once\n"
	      "\n"
	      "  --config FILE    read FILE instead of " MAGOTP_CONF "\n"
	      "  --foreground     stay in the foreground, log to stderr\n"
	      "  -t, --check-config\n"
	      "  --setup          refuses to overwrite anything\n"
	      "  --migrate-to URL copy the store to another one (sqlite:, postgresql:)\n"
	      "  --rekey SOURCE   change the master key: wrap the store's keys by SOURCE, too\n"
	      "  --dry-run        with --rekey: change nothing\n"
	      "  --enroll CODE    make this host a relay; - reads CODE from stdin\n"
	      "  --upstream HOST  the auth host that enrols it, if magotp.conf names none\n"
	      "  --backup FILE    copy the store to FILE, also while otpcored serves\n"
	      "  --restore FILE   make a store of a backup, where none is\n"
	      "  --restore-in-place\n"
	      "                   put a store right that was rolled back\n"
	      "    --to URL       restore to this one\n"
	      "    --journal FILE what was spent since, of each broker (repeat)\n"
	      "    --snapshot     the journals went back as well: trust none\n"
	      "    --dry-run, --json\n"
	      "  --audit-verify   say whether the audit log is what was written\n"
	      "  --password-helper  serve otpcored on descriptor 0; for the service manager\n"
	      "  --debug          log more\n"
#ifdef MAG_FAULT
	      "  --fault SPEC     fail on purpose (tests)\n"
#endif
	      "  --help, --version\n"
	      "\n"
	      "SIGHUP reads the settings again, SIGTERM ends after answering what was asked.\n"
	      "Manual: otpcored(8), magotp.conf(5)\n",
		stdout);
}

static int usage(void)
{
	fputs("otpcored: see otpcored --help\n", stderr);
	return 2;
}

enum {
	CONFIG = 256,
	FOREGROUND,
	SETUP,
	MIGRATE,
	REKEY,
	DRY_RUN,
	ENROLL,
	UPSTREAM,
	VERIFY,
	PASSWORD_HELPER,
	BACKUP,
	RESTORE,
	IN_PLACE,
	TO,
	JOURNAL,
	SNAPSHOT,
	JSON,
	DEBUG,
	FAULTS,
	ESCAPE,
	HELP,
	SHOW_VERSION
};
static const struct option longs[] = {
	{ "config", required_argument, NULL, CONFIG },
	{ "foreground", no_argument, NULL, FOREGROUND },
	{ "check-config", no_argument, NULL, 't' },
	{ "setup", no_argument, NULL, SETUP },
	{ "migrate-to", required_argument, NULL, MIGRATE },
	{ "rekey", required_argument, NULL, REKEY },
	{ "dry-run", no_argument, NULL, DRY_RUN },
	{ "enroll", required_argument, NULL, ENROLL },
	{ "upstream", required_argument, NULL, UPSTREAM },
	{ "audit-verify", no_argument, NULL, VERIFY },
	{ "password-helper", no_argument, NULL, PASSWORD_HELPER },
	{ "backup", required_argument, NULL, BACKUP },
	{ "restore", required_argument, NULL, RESTORE },
	{ "restore-in-place", no_argument, NULL, IN_PLACE },
	{ "to", required_argument, NULL, TO },
	{ "journal", required_argument, NULL, JOURNAL },
	{ "snapshot", no_argument, NULL, SNAPSHOT },
	{ "json", no_argument, NULL, JSON },
	{ "debug", no_argument, NULL, DEBUG },
#ifdef MAG_ESCAPE
	{ "escape", required_argument, NULL, ESCAPE },
#endif
#ifdef MAG_FAULT
	{ "fault", required_argument, NULL, FAULTS },
#endif
	{ "help", no_argument, NULL, HELP },
	{ "version", no_argument, NULL, SHOW_VERSION },
	{ NULL, 0, NULL, 0 },
};

/* Of a backup or a restore. False: there are too many of them. */
static bool place_argument(int c, struct arguments *a_r)
{
	struct restore_orders *o = &a_r->restore;

	if (c == JOURNAL && o->n_journals == RESTORE_JOURNALS)
		return false;
	if (c == BACKUP)
		a_r->backup.file = optarg;
	else if (c == JOURNAL)
		o->journals[o->n_journals++] = optarg;
	else if (c == TO)
		o->to = optarg;
	else if (c == RESTORE)
		o->file = optarg;
	else if (c == SNAPSHOT)
		o->snapshot = true;
	a_r->restoring = a_r->restoring || c == RESTORE || c == IN_PLACE;
	a_r->dry = a_r->backup.dry = o->dry = o->dry || c == DRY_RUN;
	a_r->backup.json = o->json = o->json || c == JSON;
	return true;
}

/* -1: go on; otherwise the exit status. */
static int arguments(int argc, char **argv, struct arguments *a_r)
{
	int c;

	while ((c = getopt_long(argc, argv, "t", longs, NULL)) != -1) {
		switch (c) {
		case CONFIG:
			a_r->config = optarg;
			break;
		case FOREGROUND:
			a_r->foreground = true;
			break;
		case 't':
			a_r->check = true;
			break;
		case SETUP:
			a_r->setup = true;
			break;
		case MIGRATE:
			a_r->migrate = optarg;
			break;
		case REKEY:
			a_r->rekey = optarg;
			break;
		case ENROLL:
			a_r->enroll = optarg;
			break;
		case UPSTREAM:
			a_r->upstream = optarg;
			break;
		case VERIFY:
			a_r->audit_verify = true;
			break;
		case PASSWORD_HELPER:
			a_r->password_helper = true;
			break;
		case BACKUP:
		case RESTORE:
		case IN_PLACE:
		case TO:
		case JOURNAL:
		case SNAPSHOT:
		case DRY_RUN:
		case JSON:
			if (!place_argument(c, a_r))
				return usage();
			break;
		case DEBUG:
			a_r->debug = true;
			break;
#ifdef MAG_ESCAPE
		case ESCAPE:
			if (escape_arm(optarg))
				return usage();
			break;
#endif
#ifdef MAG_FAULT
		case FAULTS:
			if (fault_arm(optarg))
				return usage();
			break;
#endif
		case HELP:
			help();
			return 0;
		case SHOW_VERSION:
			puts("otpcored (magotp) " PACKAGE_VERSION);
			return 0;
		default:
			return usage();
		}
	}
	return optind < argc ? usage() : -1;
}

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

/* What a key file lacks, and what to do: the reader's errors say only that. */
static int complain_key(int r, const char *source)
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
			"key "
			"that you keep elsewhere",
			source);
	else
		complain(r, source);
	return r;
}

#define SECRETS ((size_t)1 << 20)

/* After the last fork: what is locked is this process's. */
static void lock_secrets(void)
{
	if (mag_secret_lock(SECRETS, false) == SECRET_ORDINARY)
		mag_log(MAG_LOG_WARNING,
			"secrets can be swapped out: nothing may be locked in memory "
			"(RLIMIT_MEMLOCK, LimitMEMLOCK)");
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
	return r ? complain_key(r, b->settings->master_key) : 0;
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
		return complain(r, b->settings->socket);
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

static int serve(struct broker *b, const struct arguments *a)
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
	lock_secrets();
	r = know_host(b, a->config);
	if (r)
		return complain(r, "cannot learn about this host");
	priv_descriptors(b->settings->max_clients);
	r = open_all(b, &fd, &made);
	if (!r) {
		mag_log_open("otpcored", !a->foreground, a->debug ? MAG_LOG_DEBUG : MAG_LOG_NOTICE);
		escape_before("broker");
		r = sandbox_close(b->settings, b->config);
		escape_now();
		if (r)
			complain(r, "the sandbox does not close");
		if (!r && tell >= 0)
			detach(tell, null);
		if (!r)
			r = server_run(b, fd, helper);
	}
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
	lock_secrets();
	r = know_host(b, a->config);
	if (r)
		return complain(r, "cannot learn about this host");
	priv_descriptors(b->settings->max_clients);
	r = crypto_set_properties(b->settings->crypto);
	if (!r)
		r = listen_open(b->settings->socket, &fd, &made);
	if (r)
		return complain(r, b->settings->socket);
	r = priv_drop(b->settings->user);
	if (r)
		complain(r, "giving up root's rights");
	if (!r)
		r = relay_open(b);
	if (!r) {
		mag_log_open("otpcored", !a->foreground, a->debug ? MAG_LOG_DEBUG : MAG_LOG_NOTICE);
		escape_before("relay");
		r = sandbox_close(b->settings, b->config);
		escape_now();
		if (r)
			complain(r, "the sandbox does not close");
		if (!r && tell >= 0)
			detach(tell, null);
		if (!r)
			r = relay_run(b, fd);
	}
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

int main(int argc, char **argv)
{
	struct arguments a = { 0 };
	struct broker b = { .remote_fd = -1 };
	char err[OPT_ERROR_MAX] = "";
	int r = arguments(argc, argv, &a);

	if (r >= 0)
		return r;
	mag_log_open("otpcored", 0, a.debug ? MAG_LOG_DEBUG : MAG_LOG_NOTICE);
	priv_harden();
	r = settings_load(a.config, &b.settings, err);
	if (r) {
		fprintf(stderr, "otpcored: %s\n", err);
		return 1;
	}
	if (a.check)
		fprintf(stderr, "%s: ok\n", a.config ? a.config : MAGOTP_CONF);
	else if (a.setup)
		r = setup_run(b.settings);
	else if (a.enroll)
		r = enroll_run(b.settings, a.enroll, a.upstream);
	else if (a.migrate)
		r = migrate_run(b.settings, a.migrate);
	else if (a.rekey)
		r = rekey_run(b.settings, a.rekey, a.dry);
	else if (a.backup.file)
		r = backup(&b, &a);
	else if (a.restoring)
		r = restore(&b, &a);
	else if (a.audit_verify)
		r = verify(&b, &a);
	else if (a.password_helper)
		r = complain(helper_run(b.settings->user), "the password helper");
	else if (b.settings->n_upstreams)
		r = serve_relay(&b, &a);
	else
		r = serve(&b, &a);
	settings_free(&b.settings);
	return r ? 1 : 0;
}
