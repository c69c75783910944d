/* The sip driver: a telephone call that speaks the code. smsd writes an order, its helper
 * runs sip-call (smsd/sip), whose exit status is the outcome. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "otpcore/base/text.h"
#include "smsd/child.h"
#include "smsd/gateway/exec_helper.h"
#include "smsd/gateway/program.h"
#include "smsd/sip/ending.h"
#include "smsd/sip/order.h"
#include "smsd/sip/speech.h"

#define SPEECH_SECONDS 10 /* at least, with the way into the call and out of it */

struct sip_settings {
	char server[128], domain[128], username[64], interface[48], netns[64], run_as[64];
	char voice[VOICE_DIR_MAX], program[160], baresip[160], modules[160];
	struct mag_secret password;
	bool registers, plus, press_a_key;
	int transport;
	int64_t repeats, pause_ms, ring, key_wait;
	char command[EXEC_COMMAND_MAX];
};

static const char *const transports[] = { "udp", "tcp", NULL };

#define ROW(field) OPT_AT(struct sip_settings, field)
static const struct opt sip_opts[] = {
	{ "server", OPT_TEXT, "", 0, 0, NULL, ROW(server), "the SIP server, perhaps with :port" },
	{ "domain", OPT_TEXT, "", 0, 0, NULL, ROW(domain),
		"what stands behind the @ of addresses; empty: the server" },
	{ "username", OPT_TEXT, "", 0, 0, NULL, ROW(username), "the account at the server" },
	{ "password", OPT_SECRET, NULL, 0, 0, NULL, ROW(password),
		"its password; file:PATH or credential:NAME" },
	{ "transport", OPT_ENUM, "udp", 0, 0, transports, ROW(transport), "udp or tcp" },
	{ "register", OPT_BOOL, "no", 0, 0, NULL, ROW(registers),
		"register at the server before each call" },
	{ "plus", OPT_BOOL, "yes", 0, 0, NULL, ROW(plus), "numbers are dialled with their +" },
	{ "interface", OPT_TEXT, "", 0, 0, NULL, ROW(interface),
		"the network interface or address to use; empty: any" },
	{ "netns", OPT_TEXT, "", 0, 0, NULL, ROW(netns),
		"the network namespace (ip netns) of the call; empty: the daemon's" },
	{ "run_as", OPT_TEXT, "magotp-sip", 0, 0, NULL, ROW(run_as),
		"the user whom baresip runs as" },
	{ "voice", OPT_TEXT, PKGDATADIR "/voice", 0, 0, NULL, ROW(voice),
		"directory of recorded speech: LANGUAGE/{0..9,intro,press,again,bye}.wav" },
	{ "repeats", OPT_INT, "2", 2, SPEECH_REPEATS_MAX, NULL, ROW(repeats),
		"how often the whole code is said" },
	{ "pause_ms", OPT_INT, "450", 1, 5000, NULL, ROW(pause_ms),
		"silence behind each digit, in milliseconds" },
	{ "press_a_key", OPT_BOOL, "yes", 0, 0, NULL, ROW(press_a_key),
		"say the code only to somebody who pressed a key: not to voicemail" },
	{ "key_wait", OPT_DURATION, "15s", 1, 60, NULL, ROW(key_wait),
		"how long to ask for that key" },
	{ "ring", OPT_DURATION, "25s", 1, 90, NULL, ROW(ring), "how long to let it ring" },
	{ "program", OPT_TEXT, LIBEXECDIR "/sip-call", 0, 0, NULL, ROW(program),
		"the program that makes the call" },
	{ "baresip", OPT_TEXT, "/usr/bin/baresip", 0, 0, NULL, ROW(baresip),
		"the program that speaks SIP" },
	{ "baresip_modules", OPT_TEXT, "/usr/lib/baresip/modules", 0, 0, NULL, ROW(modules),
		"the directory of its modules" },
	{ NULL, OPT_TEXT, NULL, 0, 0, NULL, 0, 0, NULL },
};

static const struct opt_section sip_section = { "gateway", 1, sip_opts, NULL };

/* ---- sending ---- */

static int write_order(const struct attempt *a, struct exec_order *order)
{
	const struct sip_settings *s = a->gateway->driver;
	const struct sms_message *m = a->message;
	const char *from = attempt_from(a);
	const struct {
		const char *name, *text;
		int64_t number; /* where text is NULL */
	} lines[] = {
		{ "To", s->plus ? m->to : m->to + 1, 0 },
		{ "Code", mag_secret_text(&m->code), 0 },
		{ "Language", sip_order_check("Language", m->language) == 0 ? m->language : "", 0 },
		{ "Voice", s->voice, 0 },
		{ "Server", s->server, 0 },
		{ "Domain", s->domain, 0 },
		{ "Username", s->username, 0 },
		{ "From", *from ? from : s->username, 0 },
		{ "Password", mag_secret_text(&s->password), 0 },
		{ "Transport", transports[s->transport], 0 },
		{ "Interface", s->interface, 0 },
		{ "Register", s->registers ? "yes" : "no", 0 },
		{ "Repeats", NULL, s->repeats },
		{ "Pause", NULL, s->pause_ms },
		{ "Ring", NULL, s->ring * 1000 },
		{ "Key-Wait", NULL, s->press_a_key ? s->key_wait * 1000 : 0 },
		{ "Timeout", NULL, a->timeout_ms },
	};
	size_t n = 0, cap = sizeof order->input;

	for (size_t i = 0; i < sizeof lines / sizeof *lines && n < cap; i++)
		n += (size_t)(lines[i].text ? snprintf(order->input + n, cap - n, "%s: %s\n",
						      lines[i].name, lines[i].text)
					    : snprintf(order->input + n, cap - n, "%s: %lld\n",
						      lines[i].name, (long long)lines[i].number));
	order->len = (uint32_t)n;
	return n < cap ? 0 : MAG_ERANGE;
}

static void sip_judge(const struct gateway *g, int status, struct gateway_result *result_r)
{
	const char *text;

	(void)g;
	if (sip_ending_find(status, &result_r->outcome, &text))
		snprintf(result_r->error, sizeof result_r->error, "%s", text);
}

static void sip_send(struct attempt *a)
{
	struct gateway_result result = { .outcome = SMS_PERMANENT };
	struct exec_order order;

	if (!mag_all_digits(mag_secret_text(&a->message->code)) ||
		a->message->code.len > SPEECH_DIGITS_MAX) {
		snprintf(result.error, sizeof result.error, "only codes of digits can be spoken");
		a->done(a, &result);
		return;
	}
	memset(&order, 0, sizeof order);
	program_run(a, &order, write_order(a, &order), sip_judge);
}

/* ---- where calls are made from ---- */

static int enter_network(const struct gateway *g, const struct sip_settings *s)
{
	char path[96];
	int fd, r = 0;

	if (!*s->netns)
		return 0;
	snprintf(path, sizeof path, "/run/netns/%s", s->netns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0) {
		mag_log(MAG_LOG_ERROR, "[gateway %s] netns: %s: %s", g->name, path,
			strerror(errno));
		r = MAG_ESYS;
	}
	if (fd >= 0)
		close(fd);
	return r;
}

static int sip_move(const struct gateway *g)
{
	const struct sip_settings *s = g->driver;
	const struct passwd *pw = getpwnam(s->run_as);
	char key[64];

	if (enter_network(g, s) < 0)
		return MAG_ESYS;
	snprintf(key, sizeof key, "[gateway %s] run_as", g->name);
	if (pw && pw->pw_uid == 0) {
		mag_log(MAG_LOG_ERROR, "%s: must not be %s", key, s->run_as);
		return MAG_EPERM;
	}
	if (geteuid() != 0)
		mag_log(MAG_LOG_NOTICE, "%s: not started as root, so calls run as this user", key);
	return child_become(s->run_as, key);
}

/* ---- settings ---- */

static int complain(
	const struct gateway *g, const char *key, const char *why, char err[OPT_ERROR_MAX])
{
	snprintf(err, OPT_ERROR_MAX, "[gateway %s] %s: %s", g->name, key, why);
	return MAG_ESYNTAX;
}

/* What sip-call would refuse is refused here, where somebody reads it. */
static int check_values(const struct gateway *g, struct sip_settings *s, char err[OPT_ERROR_MAX])
{
	const struct {
		const char *key, *name, *text;
	} values[] = {
		{ "server", "Server", s->server },
		{ "domain", "Domain", s->domain },
		{ "username", "Username", s->username },
		{ "from", "From", g->from },
		{ "password", "Password", mag_secret_text(&s->password) },
		{ "interface", "Interface", s->interface },
		{ "voice", "Voice", s->voice },
		{ "netns", "Interface", s->netns },
		{ "run_as", "Username", s->run_as },
	};

	if (!*s->server || !*s->username)
		return complain(g, *s->server ? "username" : "server", "is missing", err);
	if (!*s->domain)
		mag_copy(s->domain, sizeof s->domain, s->server);
	for (size_t i = 0; i < sizeof values / sizeof *values; i++)
		if (sip_order_check(values[i].name, values[i].text) < 0)
			return complain(g, values[i].key,
				"has a character that it cannot have, or is too long", err);
	if (strchr(s->netns, '/') || *s->netns == '.')
		return complain(
			g, "netns", "is the name of a namespace, as ip netns list has it", err);
	return 0;
}

static int check_programs(const struct gateway *g, struct sip_settings *s, char err[OPT_ERROR_MAX])
{
	const struct {
		const char *key, *path, *why;
	} files[] = {
		{ "program", s->program, "cannot be run" },
		{ "baresip", s->baresip, "cannot be run (Debian: apt-get install baresip-core)" },
		{ "baresip_modules", s->modules, "cannot be read" },
	};

	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		if (files[i].path[0] != '/' || sip_order_check("Voice", files[i].path) < 0)
			return complain(g, files[i].key,
				"must be an absolute path of letters, digits and / . _ + -", err);
		if (access(files[i].path, X_OK) < 0)
			return complain(g, files[i].key, files[i].why, err);
	}
	/* The last word is for people, and for the helper: where another namespace or user is
	 * set, its command is another, and it makes no call from the old one. */
	if (snprintf(s->command, sizeof s->command, "%s %s %s %s/%s", s->program, s->baresip,
		    s->modules, s->netns, s->run_as) >= (int)sizeof s->command)
		return complain(g, "program", "is too long, with all that it is told", err);
	return 0;
}

static int check_times(
	const struct gateway *g, const struct sip_settings *s, char err[OPT_ERROR_MAX])
{
	int64_t least = s->ring + (s->press_a_key ? s->key_wait : 0) + SPEECH_SECONDS;

	if (g->timeout >= least)
		return 0;
	snprintf(err, OPT_ERROR_MAX,
		"[gateway %s] timeout: must be %llds at least: ring, key_wait and the speech",
		g->name, (long long)least);
	return MAG_ERANGE;
}

static int check_voice(
	const struct gateway *g, const struct sip_settings *s, char err[OPT_ERROR_MAX])
{
	char why[VOICE_ERROR_MAX];
	int r = voice_check(s->voice, why);

	if (r < 0)
		snprintf(err, OPT_ERROR_MAX,
			"[gateway %s] voice: %s (magotp builds its own where espeak-ng and sox "
			"are installed)",
			g->name, why);
	return r;
}

static int sip_open(struct gateway *g, const struct opt_tree *t, char err[OPT_ERROR_MAX])
{
	struct sip_settings *s = calloc(1, sizeof *s);
	int r;

	if (!s)
		return MAG_ENOMEM;
	g->driver = s;
	if ((r = opt_fill(t, &sip_section, g->name, s, err)) < 0 ||
		(r = check_values(g, s, err)) < 0 || (r = check_programs(g, s, err)) < 0 ||
		(r = check_times(g, s, err)) < 0)
		return r;
	return check_voice(g, s, err);
}

static void sip_close(struct gateway *g)
{
	struct sip_settings *s = g->driver;

	if (s)
		mag_secret_free(&s->password);
	free(s);
	g->driver = NULL;
}

static void sip_paths(
	const struct gateway *g, void (*path)(const char *path, bool write, void *arg), void *arg)
{
	path(((const struct sip_settings *)g->driver)->voice, false, arg);
}

static const char *sip_command(const struct gateway *g)
{
	return ((const struct sip_settings *)g->driver)->command;
}

const struct gateway_ops gateway_sip = {
	.name = "sip",
	.channels = "voice",
	.opts = sip_opts,
	.doc = "a call over SIP by baresip, the code in recorded speech",
	.setup = program_setup,
	.attach = program_attach,
	.teardown = program_teardown,
	.open = sip_open,
	.close = sip_close,
	.paths = sip_paths,
	.command = sip_command,
	.move = sip_move,
	.send = sip_send,
};
