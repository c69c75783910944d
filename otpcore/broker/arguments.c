/* The command line of otpcored: one order, and what goes with it. */
#include "otpcore/broker/arguments.h"

#include <getopt.h>
#include <stdio.h>

#include "otpcore/base/escape.h"
#include "otpcore/store/fault.h"

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
	      "    --dry-run      change nothing\n"
	      "    --json         say it for a program\n"
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

/* The orders come after these, each at its place in enum order. */
enum {
	CONFIG = 256,
	FOREGROUND,
	DEBUG,
	FAULTS,
	ESCAPE,
	HELP,
	SHOW_VERSION,
	DRY_RUN,
	JSON,
	TO,
	JOURNAL,
	SNAPSHOT,
	UPSTREAM,
	ORDERS_AT,
};
static const struct option longs[] = {
	{ "config", required_argument, NULL, CONFIG },
	{ "foreground", no_argument, NULL, FOREGROUND },
	{ "check-config", no_argument, NULL, ORDERS_AT + ORDER_CHECK },
	{ "setup", no_argument, NULL, ORDERS_AT + ORDER_SETUP },
	{ "migrate-to", required_argument, NULL, ORDERS_AT + ORDER_MIGRATE },
	{ "rekey", required_argument, NULL, ORDERS_AT + ORDER_REKEY },
	{ "enroll", required_argument, NULL, ORDERS_AT + ORDER_ENROLL },
	{ "backup", required_argument, NULL, ORDERS_AT + ORDER_BACKUP },
	{ "restore", required_argument, NULL, ORDERS_AT + ORDER_RESTORE },
	{ "restore-in-place", no_argument, NULL, ORDERS_AT + ORDER_RESTORE_IN_PLACE },
	{ "audit-verify", no_argument, NULL, ORDERS_AT + ORDER_AUDIT_VERIFY },
	{ "password-helper", no_argument, NULL, ORDERS_AT + ORDER_PASSWORD_HELPER },
	{ "dry-run", no_argument, NULL, DRY_RUN },
	{ "json", no_argument, NULL, JSON },
	{ "to", required_argument, NULL, TO },
	{ "journal", required_argument, NULL, JOURNAL },
	{ "snapshot", no_argument, NULL, SNAPSHOT },
	{ "upstream", required_argument, NULL, UPSTREAM },
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

#define BIT(order) (1U << (order))
#define RESTORES   (BIT(ORDER_RESTORE) | BIT(ORDER_RESTORE_IN_PLACE))

/* What no order takes must not be passed over: it may have been meant to spare something. */
static const struct {
	int option;
	unsigned orders;
	const char *where; /* to people */
} details[] = {
	{ DRY_RUN, RESTORES | BIT(ORDER_BACKUP) | BIT(ORDER_REKEY),
		"--rekey, --backup, --restore or --restore-in-place" },
	{ JSON, RESTORES | BIT(ORDER_BACKUP) | BIT(ORDER_REKEY),
		"--rekey, --backup, --restore or --restore-in-place" },
	{ TO, BIT(ORDER_RESTORE), "--restore" },
	{ JOURNAL, RESTORES, "--restore or --restore-in-place" },
	{ SNAPSHOT, RESTORES, "--restore or --restore-in-place" },
	{ UPSTREAM, BIT(ORDER_ENROLL), "--enroll" },
};
#define DETAILS (sizeof details / sizeof *details)

static const char *name_of(int option)
{
	for (const struct option *o = longs; o->name; o++)
		if (o->val == option)
			return o->name;
	return "";
}

static int usage(void)
{
	fputs("otpcored: see otpcored --help\n", stderr);
	return 2;
}

static int take_order(enum order order, struct arguments *a_r)
{
	if (a_r->order != ORDER_SERVE) {
		fprintf(stderr, "otpcored: --%s and --%s: one at a time\n",
			name_of(ORDERS_AT + (int)a_r->order), name_of(ORDERS_AT + (int)order));
		return usage();
	}
	a_r->order = order;
	a_r->what = optarg;
	return -1;
}

static int take_detail(int c, struct arguments *a_r)
{
	struct restore_orders *o = &a_r->restore;

	if (c == JOURNAL && o->n_journals == RESTORE_JOURNALS) {
		fprintf(stderr, "otpcored: --journal: at most %d\n", RESTORE_JOURNALS);
		return usage();
	}
	if (c == JOURNAL)
		o->journals[o->n_journals++] = optarg;
	else if (c == TO)
		o->to = optarg;
	else if (c == UPSTREAM)
		a_r->upstream = optarg;
	o->snapshot = o->snapshot || c == SNAPSHOT;
	a_r->dry = a_r->dry || c == DRY_RUN;
	a_r->json = a_r->json || c == JSON;
	for (size_t i = 0; i < DETAILS; i++)
		if (details[i].option == c)
			a_r->details |= 1U << i;
	return -1;
}

static int take(int c, struct arguments *a_r)
{
	switch (c) {
	case 't':
		return take_order(ORDER_CHECK, a_r);
	case CONFIG:
		a_r->config = optarg;
		return -1;
	case FOREGROUND:
		a_r->foreground = true;
		return -1;
	case DEBUG:
		a_r->debug = true;
		return -1;
#ifdef MAG_ESCAPE
	case ESCAPE:
		return escape_arm(optarg) ? usage() : -1;
#endif
#ifdef MAG_FAULT
	case FAULTS:
		return fault_arm(optarg) ? usage() : -1;
#endif
	case HELP:
		help();
		return 0;
	case SHOW_VERSION:
		puts("otpcored (magotp) " PACKAGE_VERSION);
		return 0;
	case DRY_RUN:
	case JSON:
	case TO:
	case JOURNAL:
	case SNAPSHOT:
	case UPSTREAM:
		return take_detail(c, a_r);
	default:
		return c > ORDERS_AT ? take_order((enum order)(c - ORDERS_AT), a_r) : usage();
	}
}

/* Does the order take what was said with it? */
static int fit(const struct arguments *a)
{
	for (size_t i = 0; i < DETAILS; i++)
		if ((a->details & 1U << i) && !(details[i].orders & BIT(a->order))) {
			fprintf(stderr, "otpcored: --%s goes with %s only\n",
				name_of(details[i].option), details[i].where);
			return usage();
		}
	return -1;
}

int arguments_read(int argc, char **argv, struct arguments *a_r)
{
	int c, r = -1;

	while (r < 0 && (c = getopt_long(argc, argv, "t", longs, NULL)) != -1)
		r = take(c, a_r);
	if (r < 0)
		r = optind < argc ? usage() : fit(a_r);
	a_r->backup = (struct backup_orders){ a_r->what, a_r->dry, a_r->json };
	a_r->restore.file = a_r->order == ORDER_RESTORE ? a_r->what : NULL;
	a_r->restore.dry = a_r->dry;
	a_r->restore.json = a_r->json;
	return r;
}
