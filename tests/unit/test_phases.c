/* The module's phases between a PAM and a broker that are made here: what each answer of
 * theirs leads to, and what happens when each call of theirs, or an allocation, fails once
 * (security.md 35). The module in a real PAM: tests/pam. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <pwd.h>
#include <security/pam_appl.h>
#include <security/pam_ext.h>
#include <security/pam_modules.h>
#include <security/pam_modutil.h>

#include "otpcore/base/err.h"
#include "otpcore/base/strength_group.h"
#include "otpcore/base/text.h"
#include "otpcore/base/verdict.h"
#include "pam_magotp/groups.h"
#include "pam_magotp/io_pam.h"
#include "pam_magotp/member.h"
#include "pam_magotp/nested.h"
#include "pam_magotp/phases.h"
#include "pam_magotp/txn.h"

/* ---- the call that fails, counted from 1; 0: none ---- */

static unsigned fail_at, passed;

static bool fails(void)
{
	return fail_at && ++passed == fail_at;
}

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

char *__real_strdup(const char *s);
char *__wrap_strdup(const char *s);
char *__wrap_strdup(const char *s)
{
	return fails() ? NULL : __real_strdup(s);
}

/* ---- PAM ---- */

struct pam_handle {
	const void *items[PAM_AUTHTOK_TYPE + 1];
	char *env[8];
	struct {
		const char *name;
		void *data;
		void (*clean)(pam_handle_t *pamh, void *data, int status);
	} data[8];
	struct pam_conv conv;
	unsigned delays;
};

static struct pam_handle outer, inner;

static struct world {
	int get_user, authenticate, account; /* what these return */
	const char *user;
	const char *inner_user; /* what the password service made of it; NULL: the same */
	int styles[3];          /* what it asks, in order; 0 ends */
	bool no_responses;      /* it wants none */
	const char *in_groups;  /* of the user */
	int groups_n;           /* strength_groups_read */
	gid_t had[4], set[8];
	int n_had, n_set, getgroups, setgroups; /* n_set -1: not called */
	uid_t euid, uid;
	bool service_file;
	const char *typed[8]; /* what the person types */
	unsigned prompts;
	char told[512], log[2048];
} world;

int pam_get_item(const pam_handle_t *pamh, int which, const void **item_r)
{
	if (fails())
		return PAM_BUF_ERR;
	*item_r = pamh->items[which];
	return PAM_SUCCESS;
}

int pam_set_item(pam_handle_t *pamh, int which, const void *item)
{
	if (fails())
		return PAM_BUF_ERR;
	pamh->items[which] = item;
	return PAM_SUCCESS;
}

int pam_get_user(pam_handle_t *pamh, const char **user_r, const char *prompt)
{
	(void)pamh;
	(void)prompt;
	if (fails())
		return PAM_CONV_ERR;
	*user_r = world.user;
	return world.get_user;
}

int pam_get_data(const pam_handle_t *pamh, const char *name, const void **data_r)
{
	for (size_t i = 0; i < 8; i++)
		if (pamh->data[i].name && !strcmp(pamh->data[i].name, name)) {
			*data_r = pamh->data[i].data;
			return PAM_SUCCESS;
		}
	return PAM_NO_MODULE_DATA;
}

int pam_set_data(pam_handle_t *pamh, const char *name, void *data,
	void (*clean)(pam_handle_t *pamh, void *data, int status))
{
	size_t i = 0;

	if (fails())
		return PAM_BUF_ERR;
	while (pamh->data[i].name && strcmp(pamh->data[i].name, name) != 0)
		i++;
	if (pamh->data[i].name && pamh->data[i].clean)
		pamh->data[i].clean(pamh, pamh->data[i].data, 0);
	pamh->data[i].name = name;
	pamh->data[i].data = data;
	pamh->data[i].clean = clean;
	return PAM_SUCCESS;
}

const char *pam_getenv(pam_handle_t *pamh, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < 8; i++)
		if (pamh->env[i] && !strncmp(pamh->env[i], name, len) && pamh->env[i][len] == '=')
			return pamh->env[i] + len + 1;
	return NULL;
}

int pam_putenv(pam_handle_t *pamh, const char *line)
{
	size_t len = strcspn(line, "="), i = 0;

	if (fails())
		return PAM_BUF_ERR;
	while (i < 7 && pamh->env[i] &&
		(strncmp(pamh->env[i], line, len) || pamh->env[i][len] != '='))
		i++;
	free(pamh->env[i]);
	pamh->env[i] = line[len] ? __real_strdup(line) : NULL;
	return PAM_SUCCESS;
}

int pam_fail_delay(pam_handle_t *pamh, unsigned us)
{
	pamh->delays += us > 0;
	return PAM_SUCCESS;
}

void pam_syslog(const pam_handle_t *pamh, int priority, const char *fmt, ...)
{
	size_t n = strlen(world.log);
	va_list ap;

	(void)pamh;
	(void)priority;
	va_start(ap, fmt);
	vsnprintf(world.log + n, sizeof world.log - n, fmt, ap);
	va_end(ap);
}

struct passwd *pam_modutil_getpwnam(pam_handle_t *pamh, const char *user)
{
	static struct passwd pw;

	(void)pamh;
	pw.pw_uid = strcmp(user, "alice") ? 1001 : 1000;
	return fails() || !strcmp(user, "nobody-here") ? NULL : &pw;
}

int pam_modutil_user_in_group_nam_nam(pam_handle_t *pamh, const char *user, const char *group)
{
	const char *at = strstr(world.in_groups ? world.in_groups : "", group);

	(void)pamh;
	assert_string_equal(user, "alice");
	return at != NULL;
}

int pam_start(
	const char *service, const char *user, const struct pam_conv *conv, pam_handle_t **pamh_r)
{
	if (fails())
		return PAM_BUF_ERR;
	assert_string_equal(service, "login");
	memset(&inner, 0, sizeof inner);
	inner.conv = *conv;
	inner.items[PAM_USER] = world.inner_user ? world.inner_user : user;
	*pamh_r = &inner;
	return PAM_SUCCESS;
}

/* The password service: asks what world.styles says; "secret" is right. */
int pam_authenticate(pam_handle_t *pamh, int flags)
{
	int code = PAM_SUCCESS;

	(void)flags;
	if (fails())
		return PAM_BUF_ERR;
	for (size_t i = 0; code == PAM_SUCCESS && i < 3 && world.styles[i]; i++) {
		const struct pam_message m = { world.styles[i], "said" }, *list = &m;
		struct pam_response *answer = NULL;

		code = pamh->conv.conv(
			1, &list, world.no_responses ? NULL : &answer, pamh->conv.appdata_ptr);
		if (code == PAM_SUCCESS && m.msg_style == PAM_PROMPT_ECHO_OFF && answer &&
			strcmp(answer->resp, "secret") != 0)
			code = PAM_AUTH_ERR;
		if (answer)
			free(answer->resp);
		free(answer);
	}
	return code == PAM_SUCCESS ? world.authenticate : code;
}

int pam_acct_mgmt(pam_handle_t *pamh, int flags)
{
	(void)pamh;
	(void)flags;
	return fails() ? PAM_BUF_ERR : world.account;
}

static void empty(pam_handle_t *pamh)
{
	for (size_t i = 0; i < 8; i++) {
		if (pamh->data[i].clean)
			pamh->data[i].clean(pamh, pamh->data[i].data, 0);
		free(pamh->env[i]);
	}
	memset(pamh, 0, sizeof *pamh);
}

int pam_end(pam_handle_t *pamh, int status)
{
	(void)status;
	empty(pamh);
	return PAM_SUCCESS;
}

/* ---- the machine (the linker's --wrap) ---- */

uid_t __wrap_geteuid(void);
uid_t __wrap_geteuid(void)
{
	return world.euid;
}

uid_t __wrap_getuid(void);
uid_t __wrap_getuid(void)
{
	return world.uid;
}

int __wrap_access(const char *path, int how);
int __wrap_access(const char *path, int how)
{
	(void)how;
	return world.service_file && strstr(path, "/usr/lib/pam.d/") ? 0 : -1;
}

int __wrap_getgroups(int n, gid_t *list);
int __wrap_getgroups(int n, gid_t *list)
{
	if (fails() || world.getgroups < 0)
		return -1;
	if (n)
		memcpy(list, world.had, (size_t)world.n_had * sizeof *list);
	return world.n_had;
}

/* What _FORTIFY_SOURCE makes of it. */
int __wrap___getgroups_chk(int n, gid_t *list, size_t size);
int __wrap___getgroups_chk(int n, gid_t *list, size_t size)
{
	assert_true((size_t)n * sizeof *list <= size);
	return __wrap_getgroups(n, list);
}

int __wrap_setgroups(size_t n, const gid_t *list);
int __wrap_setgroups(size_t n, const gid_t *list)
{
	if (fails() || world.setgroups < 0)
		return -1;
	memcpy(world.set, list, n * sizeof *list);
	world.n_set = (int)n;
	return 0;
}

/* mag-phone-otp 70, mag-hardware-otp 71, mag-level3 72 */
int __wrap_strength_groups_read(const char *path, struct strength_group *groups_r);
int __wrap_strength_groups_read(const char *path, struct strength_group *groups_r)
{
	char text[] = "mag-phone-otp 70\nmag-hardware-otp 71\nmag-level3 72\n";

	(void)path;
	return world.groups_n > 0 ? strength_groups_parse(text, groups_r) : world.groups_n;
}

/* ---- the broker, in place of the client ---- */

static struct broker {
	int error; /* of the client; 0: it answers */
	int only;  /* ... for this message alone; 0: for all */
	struct wire_result result;
	uint32_t decision, account; /* account: once, then pass */
	const char *mode, *strength;
	int64_t level;
	bool stale; /* open with a ticket: MAG_ESTALE */
	bool recorded;
	/* seen */
	unsigned calls;
	char groups[64], users[3][32];
} broker;

uint32_t client_server_uid(const char *socket)
{
	assert_non_null(socket);
	return 0;
}

static int begin(const struct wire_begin_req *q, struct wire_begin_rep *a)
{
	struct wire_factor *x = a->factors;

	a->decision = broker.decision;
	/* Whoever calls again has been told to. */
	if (broker.decision == DECISION_CALLER && strcmp(q->user, "alice") != 0)
		a->decision = DECISION_PASS;
	if (broker.decision == DECISION_GROUPS && q->tells_groups == TELLS_TOLD) {
		a->decision = DECISION_EXEMPT;
		mag_copy(broker.groups, sizeof broker.groups, q->groups);
	}
	mag_copy(a->groups, sizeof a->groups, "wheel adm");
	mag_copy(a->mode, sizeof a->mode, broker.mode);
	mag_copy(a->separator, sizeof a->separator, "comma");
	a->code_digits = 6;
	a->n_factors = 1;
	x->ref = 4;
	mag_copy(x->kind, sizeof x->kind, "token");
	mag_copy(x->state, sizeof x->state, "active");
	x->is_default = 1;
	return q->proof ? mag_secret_set_text(&a->txn, "ticket") : 0;
}

static int account(const struct wire_account_req *q, struct wire_account_rep *a)
{
	a->decision = q->tells_groups == TELLS_TOLD ? DECISION_PASS : broker.account;
	mag_copy(broker.groups, sizeof broker.groups, q->groups);
	mag_copy(a->groups, sizeof a->groups, "wheel adm");
	return mag_copy(a->strength, sizeof a->strength, broker.strength);
}

/* The code 483920 is right. */
int client_call(const struct client *c, uint16_t message, const void *request,
	struct wire_result *result_r, void *reply)
{
	struct wire_result result = broker.result;
	int r = 0;

	(void)c;
	if (fails())
		return MAG_ENOMEM;
	broker.calls++;
	if (broker.error && (!broker.only || broker.only == message))
		return broker.error;
	switch (message) {
	case WIRE_MSG_BEGIN:
		r = begin(request, reply);
		break;
	case WIRE_MSG_VERIFY:
		result.verdict =
			strcmp(mag_secret_text(&((const struct wire_verify_req *)request)->code),
				"483920")
				? VERDICT_NOT_ALLOWED
				: VERDICT_OK;
		mag_copy(((struct wire_verify_rep *)reply)->strength, 33, broker.strength);
		break;
	case WIRE_MSG_ACCOUNT:
		r = account(request, reply);
		break;
	case WIRE_MSG_OPEN:
		if (broker.stale && ((const struct wire_open_req *)request)->txn.len)
			result.error = MAG_ESTALE;
		((struct wire_open_rep *)reply)->recorded = broker.recorded;
		break;
	case WIRE_MSG_STRENGTH:
		mag_copy(((struct wire_strength_rep *)reply)->strength, 33, broker.strength);
		((struct wire_strength_rep *)reply)->level = (uint32_t)broker.level;
		break;
	}
	*result_r = result;
	return r;
}

/* ---- a person at a terminal ---- */

static int person(int n, const struct pam_message **m, struct pam_response **answer_r, void *arg)
{
	(void)arg;
	assert_int_equal(n, 1);
	if (m[0]->msg_style == PAM_ERROR_MSG || m[0]->msg_style == PAM_TEXT_INFO) {
		mag_copy(world.told, sizeof world.told, m[0]->msg);
		*answer_r = NULL;
		return PAM_SUCCESS;
	}
	if (fails() || !world.typed[world.prompts])
		return PAM_CONV_ERR;
	/* The application's own memory: not the module's to run out of. */
	*answer_r = __real_calloc(1, sizeof **answer_r);
	(*answer_r)->resp = __real_strdup(world.typed[world.prompts++]);
	return PAM_SUCCESS;
}

static const struct pam_conv talk = { person, NULL };

/* A visit of a line of options, by alice at sshd. */
static int visit(const char *line, int flags, struct visit *v_r)
{
	static char copy[256];
	const char *argv[8];
	int argc = 0;

	mag_copy(copy, sizeof copy, line);
	for (char *w = strtok(copy, " "); w; w = strtok(NULL, " "))
		argv[argc++] = w;
	int r = visit_line(&outer, flags, argc, argv, v_r);
	return r == PAM_SUCCESS ? visit_who(v_r) : r;
}

static int fresh(void **state)
{
	(void)state;
	empty(&outer);
	world = (struct world){ .user = "alice",
		.styles = { PAM_PROMPT_ECHO_OFF },
		.n_set = -1,
		.groups_n = 3,
		.service_file = true,
		.typed = { "secret", "483920" },
		.in_groups = "adm" };
	broker = (struct broker){ .decision = DECISION_ASK,
		.account = DECISION_PASS,
		.mode = "separate",
		.strength = "hardware-otp",
		.level = 3,
		.recorded = true,
		.result = { .verdict = VERDICT_OK } };
	outer.items[PAM_SERVICE] = "sshd";
	outer.items[PAM_CONV] = &talk;
	fail_at = 0;
	return 0;
}

static int clean_up(void **state)
{
	(void)state;
	empty(&outer);
	return 0;
}

/* ---- the conversation ---- */

static int odd(int n, const struct pam_message **m, struct pam_response **answer_r, void *arg)
{
	static char longest[PAM_MAX_RESP_SIZE + 2];
	const char *what = arg;

	(void)n;
	(void)m;
	if (!strcmp(what, "nothing"))
		return PAM_SUCCESS;
	*answer_r = calloc(1, sizeof **answer_r);
	memset(longest, 'x', sizeof longest - 1);
	if (strcmp(what, "no text") != 0)
		(*answer_r)->resp = strdup(!strcmp(what, "long") ? longest : "said");
	return strcmp(what, "refused") ? PAM_SUCCESS : PAM_CONV_ERR;
}

static void test_services_odd_conversations_end_the_login(void **state)
{
	static const char *const kinds[] = { "nothing", "no text", "long", "refused", "fine" };
	struct pam_conv conv = { NULL, NULL };
	struct mag_secret answer = { 0 };
	struct visit v;

	(void)state;
	assert_int_equal(visit("", 0, &v), PAM_SUCCESS);
	for (size_t i = 0; i < 5; i++) {
		conv = (struct pam_conv){ odd, (void *)(uintptr_t)kinds[i] };
		outer.items[PAM_CONV] = &conv;
		assert_int_equal(io_pam_ask(&v, "?", true, &answer),
			strcmp(kinds[i], "fine") ? MAG_ECONV : 0);
		io_pam_tell(&v, "a message", false);
	}
	assert_string_equal(mag_secret_text(&answer), "said");
	conv.conv = NULL;
	assert_int_equal(io_pam_ask(&v, "?", false, &answer), MAG_ECONV);
	outer.items[PAM_CONV] = NULL;
	assert_int_equal(io_pam_ask(&v, "?", false, &answer), MAG_ECONV);
	mag_secret_free(&answer);
}

static void test_services_silence_is_kept_but_for_sudos_refusals(void **state)
{
	static const struct {
		const char *service;
		int flags;
		bool error, heard;
	} rows[] = { { "sshd", 0, false, true }, { "sshd", PAM_SILENT, false, false },
		{ "sshd", PAM_SILENT, true, false }, { "sudo", PAM_SILENT, true, true },
		{ "sudo-i", PAM_SILENT, true, true }, { "sudo", PAM_SILENT, false, false } };
	struct visit v;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		outer.items[PAM_SERVICE] = rows[i].service;
		world.told[0] = '\0';
		assert_int_equal(visit("", rows[i].flags, &v), PAM_SUCCESS);
		io_pam_tell(&v, "words", rows[i].error);
		assert_string_equal(world.told, rows[i].heard ? "words" : "");
	}
}

static void test_services_prompts_are_echoed_where_people_sit(void **state)
{
	static const struct {
		const char *line, *service;
		bool echo;
	} rows[] = { { "", "sshd", true }, { "", "sudo-i", true }, { "", "dovecot", false },
		{ "echo=auto", "dovecot", false }, { "echo=on", "dovecot", true },
		{ "echo=off", "sshd", false } };
	struct visit v;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		outer.items[PAM_SERVICE] = rows[i].service;
		assert_int_equal(visit(rows[i].line, 0, &v), PAM_SUCCESS);
		assert_int_equal(io_pam_echo(&v), rows[i].echo);
	}
}

/* ---- the line in the service's file ---- */

static void test_services_a_line_with_a_fault_refuses_everybody(void **state)
{
	struct visit v;

	(void)state;
	assert_int_equal(visit("requires=phone-otp", 0, &v), PAM_SERVICE_ERR);
	assert_non_null(strstr(world.log, "refusing every login"));
	fresh(NULL);
	assert_int_equal(pam_putenv(&outer, "MAGOTP_NESTED=1"), PAM_SUCCESS);
	assert_int_equal(visit("", 0, &v), PAM_SERVICE_ERR);
	assert_non_null(strstr(world.log, "must not use pam_magotp itself"));
}

static void test_services_a_line_may_name_service_and_socket(void **state)
{
	struct visit v;

	(void)state;
	assert_int_equal(visit("", 0, &v), PAM_SUCCESS);
	assert_string_equal(v.service, "sshd");
	const char *usual = v.client.socket;
	assert_int_equal(visit("service=mail socket=/run/of-this-test", 0, &v), PAM_SUCCESS);
	assert_string_equal(v.service, "mail");
	assert_string_equal(v.client.socket, "/run/of-this-test");
	assert_string_not_equal(v.client.socket, usual);
}

/* ---- who ---- */

static void test_security_21_names_that_are_nobodys(void **state)
{
	static char longest[400];
	struct visit v;
	static const struct {
		int code;
		const char *user;
		int r;
	} rows[] = { { PAM_CONV_AGAIN, NULL, PAM_INCOMPLETE }, { PAM_CONV_ERR, NULL, PAM_CONV_ERR },
		{ PAM_SUCCESS, NULL, PAM_USER_UNKNOWN }, { PAM_SUCCESS, "", PAM_USER_UNKNOWN },
		{ PAM_SUCCESS, longest, PAM_USER_UNKNOWN } };

	(void)state;
	memset(longest, 'a', sizeof longest - 1);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		world.get_user = rows[i].code;
		world.user = rows[i].user;
		assert_int_equal(visit("", 0, &v), rows[i].r);
	}
	world.get_user = PAM_SUCCESS;
	world.user = "ali\nce"; /* cleaned, it would be another name */
	assert_int_equal(visit("", 0, &v), PAM_SUCCESS);
	assert_int_equal(v.uid, WIRE_UID_UNKNOWN);
	world.user = "nobody-here";
	assert_int_equal(visit("", 0, &v), PAM_SUCCESS);
	assert_int_equal(v.uid, WIRE_UID_UNKNOWN);
}

static void test_su_target_the_caller_is_who_runs_su(void **state)
{
	static const struct {
		const char *ruser;
		uid_t real;
		int r;
	} rows[] = { { "bob", 1001, PAM_SUCCESS }, { "bob", 0, PAM_SUCCESS },
		{ "bob", 1000, PAM_USER_UNKNOWN }, { "b\nob", 0, PAM_USER_UNKNOWN },
		{ "nobody-here", 0, PAM_USER_UNKNOWN }, { NULL, 1000, PAM_USER_UNKNOWN } };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct visit v;

		fresh(NULL);
		outer.items[PAM_SERVICE] = "su";
		outer.items[PAM_RUSER] = rows[i].ruser;
		world.uid = rows[i].real;
		broker.decision = DECISION_CALLER;
		assert_int_equal(visit("", 0, &v), PAM_SUCCESS);
		assert_int_equal(phase_auth(&v), rows[i].r);
		assert_int_equal(visit_is_callers(&v), rows[i].r == PAM_SUCCESS);
		/* The account phase is the caller's then, too. */
		assert_int_equal(visit("", 0, &v), PAM_SUCCESS);
		assert_int_equal(phase_account(&v), PAM_SUCCESS);
		assert_string_equal(v.user, rows[i].r == PAM_SUCCESS ? "bob" : "alice");
	}
}

/* ---- listed services ---- */

static void test_listed_only_counts_a_file_that_is_roots_alone(void **state)
{
	char dir[] = "/tmp/magotp-listed-XXXXXX", path[64], link[64];
	char *many = malloc(20000);
	FILE *f;

	(void)state;
	if (getuid() != 0 && geteuid() != 0)
		world.euid = 1;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/listed", dir);
	snprintf(link, sizeof link, "%s/link", dir);
	assert_true(visit_listed(path, "x")); /* no file: every service */
	f = fopen(path, "w");
	fputs("sshd\n\t sudo \t\r\nlogin2\n  \n", f);
	fclose(f);
	chmod(path, 0644);
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	if (st.st_uid == 0) {
		assert_true(visit_listed(path, "sshd"));
		assert_true(visit_listed(path, "sudo"));
		assert_false(visit_listed(path, "login"));
		assert_false(visit_listed(path, "ogin2"));
		assert_int_equal(symlink(path, link), 0);
		assert_true(visit_listed(link, "login"));
		assert_true(visit_listed(dir, "login"));
		chmod(path, 0666);
		assert_true(visit_listed(path, "login"));
		chmod(path, 0644);
		assert_int_equal(chown(path, 1000, (gid_t)-1), 0);
	}
	assert_true(visit_listed(path, "login"));
	if (st.st_uid == 0)
		assert_int_equal(chown(path, 0, (gid_t)-1), 0);
	/* Longer than is taken: nothing of it counts. */
	memset(many, '\n', 20000);
	f = fopen(path, "w");
	fwrite(many, 1, 20000, f);
	fclose(f);
	assert_true(visit_listed(path, "login"));
	free(many);
	unlink(link);
	unlink(path);
	rmdir(dir);
}

/* ---- the ticket ---- */

static size_t ticket(const char *variable, const char *service)
{
	struct mag_secret txn = { 0 };
	struct visit v;
	size_t len;

	fresh(NULL);
	outer.items[PAM_SERVICE] = service;
	assert_int_equal(visit("", 0, &v), PAM_SUCCESS);
	if (variable)
		assert_int_equal(pam_putenv(&outer, variable), PAM_SUCCESS);
	assert_int_equal(txn_take(&v, &txn), PAM_SUCCESS);
	len = txn.len;
	mag_secret_free(&txn);
	return len;
}

static void test_threat_14_what_somebody_else_wrote_is_no_ticket(void **state)
{
	static char longest[4096];
	struct visit v;

	(void)state;
	assert_int_equal(ticket(NULL, "sshd"), 0);
	assert_int_equal(ticket("MAGOTP_TXN=", "sshd"), 0);
	assert_int_equal(ticket("MAGOTP_TXN=!!", "sshd"), 0);
	assert_int_equal(ticket("MAGOTP_TXN=dGlja2V0", "sshd"), 6);
	snprintf(longest, sizeof longest, "MAGOTP_TXN=%0*d", 3000, 0);
	assert_int_equal(ticket(longest, "sshd"), 0);
	/* setcred keeps what is one, as long as none is kept already. */
	assert_int_equal(visit("", PAM_DELETE_CRED, &v), PAM_SUCCESS);
	assert_int_equal(phase_setcred(&v), PAM_SUCCESS);
	assert_null(outer.data[0].name);
	ticket("MAGOTP_TXN=", "sshd");
	assert_int_equal(phase_setcred(&v), PAM_SUCCESS);
	assert_null(outer.data[0].name);
	ticket("MAGOTP_TXN=dGlja2V0", "sshd");
	assert_int_equal(phase_setcred(&v), PAM_SUCCESS);
	assert_string_equal(outer.data[0].data, "dGlja2V0");
	pam_putenv(&outer, "MAGOTP_TXN=b3RoZXI");
	assert_int_equal(phase_setcred(&v), PAM_SUCCESS);
	assert_string_equal(outer.data[0].data, "dGlja2V0");
	/* open takes it out of the environment. */
	assert_int_equal(visit("", 0, &v), PAM_SUCCESS);
	assert_int_equal(phase_open(&v), PAM_SUCCESS);
	assert_null(pam_getenv(&outer, "MAGOTP_TXN"));
}

/* ---- groups ---- */

static void give(const char *as)
{
	struct visit v;

	assert_int_equal(visit("", 0, &v), PAM_SUCCESS);
	txn_leave(&v, &(struct mag_secret){ .data = (unsigned char[]){ 't', 0 }, .len = 1 });
	world.user = as;
	assert_int_equal(visit("", 0, &v), PAM_SUCCESS);
	assert_int_equal(phase_setcred(&v), PAM_SUCCESS);
}

static void test_groups_are_those_that_the_broker_vouches_for(void **state)
{
	(void)state;
	world.had[0] = 4;
	world.n_had = 1;
	give("alice");
	assert_int_equal(world.n_set, 4); /* hardware has phone's, too */
	assert_memory_equal(world.set, ((gid_t[]){ 4, 70, 71, 72 }), sizeof(gid_t[4]));
	/* Twice the same changes nothing. */
	fresh(NULL);
	memcpy(world.had, ((gid_t[]){ 70, 71, 72 }), sizeof(gid_t[3]));
	world.n_had = 3;
	give("alice");
	assert_int_equal(world.n_set, -1);
	/* Less is worth less. */
	fresh(NULL);
	broker.strength = "phone-otp";
	broker.level = 2;
	give("alice");
	assert_int_equal(world.n_set, 1);
	assert_int_equal(world.set[0], 70);
}

static void test_groups_are_none_where_anything_is_in_doubt(void **state)
{
	static const struct {
		const char *as;
		struct world world;
		struct broker broker;
		const char *log;
	} rows[] = {
		{ "bob", { .groups_n = 3 }, { .strength = "hardware-otp" }, NULL },
		{ "alice", { .groups_n = 3, .euid = 5 }, { .strength = "hardware-otp" }, NULL },
		{ "alice", { .groups_n = 0 }, { .strength = "hardware-otp" }, NULL },
		{ "alice", { .groups_n = MAG_EPERM }, { .strength = "hardware-otp" }, "no groups" },
		{ "", { .groups_n = 3 }, { .strength = "hardware-otp" }, NULL },
		{ "alice", { .groups_n = 3 }, { .error = MAG_ETIMEOUT }, NULL },
		{ "alice", { .groups_n = 3 }, { .result.error = MAG_EPERM }, NULL },
		{ "alice", { .groups_n = 3 },
			{ .strength = "hardware-otp", .result.verdict = VERDICT_NOT_ALLOWED },
			NULL },
		{ "alice", { .groups_n = 3 }, { .strength = "no-such" }, NULL },
		{ "alice", { .groups_n = 3, .getgroups = -1 }, { .strength = "hardware-otp" },
			"cannot be set" },
		{ "alice", { .groups_n = 3, .setgroups = -1 }, { .strength = "hardware-otp" },
			"cannot be set" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct visit v;

		fresh(NULL);
		assert_int_equal(visit("", 0, &v), PAM_SUCCESS);
		txn_leave(
			&v, &(struct mag_secret){ .data = (unsigned char[]){ 't', 0 }, .len = 1 });
		world.groups_n = rows[i].world.groups_n;
		world.euid = rows[i].world.euid;
		world.getgroups = rows[i].world.getgroups;
		world.setgroups = rows[i].world.setgroups;
		broker = rows[i].broker;
		broker.strength = broker.strength ? broker.strength : "";
		if (!broker.result.verdict)
			broker.result.verdict = VERDICT_OK;
		world.user = rows[i].as;
		world.log[0] = '\0';
		groups_add(&v);
		assert_int_equal(world.n_set, -1);
		if (rows[i].log)
			assert_non_null(strstr(world.log, rows[i].log));
	}
	/* Without a ticket nobody is asked. */
	fresh(NULL);
	struct visit v;
	assert_int_equal(visit("", 0, &v), PAM_SUCCESS);
	groups_add(&v);
	assert_int_equal(broker.calls, 0);
	assert_int_equal(world.n_set, -1);
}

static void test_exempt_groups_only_those_that_were_asked_for(void **state)
{
	char buf[64] = "", asked[400];
	struct visit v;

	(void)state;
	world.in_groups = "adm wheel";
	assert_int_equal(visit("", 0, &v), PAM_SUCCESS);
	member_of(&v, " wheel,\tstaff adm ", buf, sizeof buf);
	assert_string_equal(buf, "wheel adm");
	snprintf(asked, sizeof asked, "%0*d adm", 300, 0); /* no group is so long */
	member_of(&v, asked, buf, sizeof buf);
	assert_string_equal(buf, "adm");
	v.uid = WIRE_UID_UNKNOWN;
	member_of(&v, "adm", buf, sizeof buf);
	assert_string_equal(buf, "");

	/* In auth and in account the broker hears of them when it asks. */
	broker.decision = broker.account = DECISION_GROUPS;
	assert_int_equal(visit("", 0, &v), PAM_SUCCESS);
	assert_int_equal(phase_auth(&v), PAM_IGNORE);
	assert_string_equal(broker.groups, "wheel adm");
	broker.groups[0] = '\0';
	assert_int_equal(phase_account(&v), PAM_SUCCESS);
	assert_string_equal(broker.groups, "wheel adm");
}

/* ---- the nested password ---- */

static int nested(void)
{
	struct visit v;

	assert_int_equal(visit("prompt_password password_service=login", 0, &v), PAM_SUCCESS);
	return phase_auth(&v);
}

static void test_threat_16_what_the_password_service_may_do(void **state)
{
	static const struct {
		struct world world;
		int r;
		const char *log;
	} rows[] = {
		{ { .styles = { PAM_PROMPT_ECHO_OFF } }, PAM_SUCCESS, NULL },
		{ { .styles = { PAM_TEXT_INFO, PAM_ERROR_MSG, PAM_PROMPT_ECHO_OFF } }, PAM_SUCCESS,
			NULL },
		{ { .styles = { PAM_PROMPT_ECHO_OFF, PAM_PROMPT_ECHO_OFF } }, PAM_CONV_ERR, NULL },
		{ { .styles = { PAM_PROMPT_ECHO_ON } }, PAM_CONV_ERR, NULL },
		{ { .styles = { 77 } }, PAM_CONV_ERR, NULL },
		{ { .styles = { 0 } }, PAM_AUTH_ERR, "did not ask for a password" },
		{ { .styles = { PAM_PROMPT_ECHO_OFF }, .no_responses = true }, PAM_SUCCESS, NULL },
		{ { .styles = { PAM_PROMPT_ECHO_OFF }, .authenticate = PAM_IGNORE }, PAM_SYSTEM_ERR,
			NULL },
		{ { .styles = { PAM_PROMPT_ECHO_OFF }, .authenticate = PAM_AUTH_ERR }, PAM_AUTH_ERR,
			NULL },
		{ { .styles = { PAM_PROMPT_ECHO_OFF }, .account = PAM_ACCT_EXPIRED },
			PAM_ACCT_EXPIRED, NULL },
		{ { .styles = { PAM_PROMPT_ECHO_OFF }, .inner_user = "bob" }, PAM_AUTH_ERR,
			"changed the user" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		fresh(NULL);
		memcpy(world.styles, rows[i].world.styles, sizeof world.styles);
		world.no_responses = rows[i].world.no_responses;
		world.authenticate = rows[i].world.authenticate;
		world.account = rows[i].world.account;
		world.inner_user = rows[i].world.inner_user;
		assert_int_equal(nested(), rows[i].r);
		/* Nothing was asked of the broker for who did not pass. */
		assert_int_equal(outer.delays > 0, rows[i].r != PAM_SUCCESS);
		if (rows[i].log)
			assert_non_null(strstr(world.log, rows[i].log));
	}
	fresh(NULL);
	world.typed[0] = "wrong";
	assert_int_equal(nested(), PAM_AUTH_ERR);
	assert_int_equal(broker.calls, 1); /* flow_peek, and no login */
	/* An expired password: in, and the account phase says so. */
	fresh(NULL);
	world.account = PAM_NEW_AUTHTOK_REQD;
	assert_int_equal(nested(), PAM_SUCCESS);
	struct visit v;
	assert_int_equal(visit("", 0, &v), PAM_SUCCESS);
	assert_int_equal(phase_account(&v), PAM_NEW_AUTHTOK_REQD);
}

static void test_threat_16_names_of_services_that_are_none(void **state)
{
	static const char *const lines[] = { "prompt_password password_service=../x",
		"prompt_password password_service=.x", "prompt_password password_service=sshd" };
	struct visit v;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		fresh(NULL);
		assert_int_equal(visit(lines[i], 0, &v), PAM_SUCCESS);
		assert_int_equal(phase_auth(&v), PAM_SERVICE_ERR);
	}
	/* longer than any path */
	char longest[400];
	memset(longest, 'x', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	fresh(NULL);
	assert_int_equal(visit("prompt_password", 0, &v), PAM_SUCCESS);
	v.options.password_service = longest;
	assert_int_equal(phase_auth(&v), PAM_SERVICE_ERR);
	fresh(NULL);
	world.service_file = false;
	assert_int_equal(nested(), PAM_SERVICE_ERR);
	assert_non_null(strstr(world.log, "no such file"));
}

/* ---- the broker is away, or says an error ---- */

static void test_login_what_an_error_of_the_broker_does(void **state)
{
	static const struct {
		const char *line;
		uid_t euid;
		int error, only, said, auth, account, open, close;
	} rows[] = {
		{ "", 0, MAG_EDOWN, 0, 0, PAM_AUTHINFO_UNAVAIL, PAM_AUTHINFO_UNAVAIL,
			PAM_SESSION_ERR, PAM_SESSION_ERR },
		{ "broker_down=allow", 0, MAG_ETIMEOUT, 0, 0, PAM_IGNORE, PAM_SUCCESS, PAM_SUCCESS,
			PAM_SUCCESS },
		{ "broker_down=allow", 5, MAG_ETIMEOUT, 0, 0, PAM_AUTHINFO_UNAVAIL,
			PAM_AUTHINFO_UNAVAIL, PAM_SESSION_ERR, PAM_SESSION_ERR },
		{ "broker_down=allow", 0, MAG_ESERVER, 0, 0, PAM_AUTHINFO_UNAVAIL,
			PAM_AUTHINFO_UNAVAIL, PAM_SESSION_ERR, PAM_SESSION_ERR },
		{ "broker_down=allow", 0, 0, 0, MAG_EPERM, PAM_MAXTRIES, PAM_AUTHINFO_UNAVAIL,
			PAM_SESSION_ERR, PAM_SESSION_ERR },
		{ "broker_down=allow", 0, MAG_ETIMEOUT, WIRE_MSG_VERIFY, 0, PAM_AUTHINFO_UNAVAIL,
			PAM_SUCCESS, PAM_SUCCESS, PAM_SUCCESS },
		{ "", 0, MAG_ENOMEM, 0, 0, PAM_BUF_ERR, PAM_BUF_ERR, PAM_BUF_ERR, PAM_BUF_ERR },
		{ "require=password", 0, MAG_EDOWN, 0, 0, PAM_AUTHINFO_UNAVAIL, PAM_SUCCESS,
			PAM_SUCCESS, PAM_SUCCESS },
		{ "require=password level=2", 0, MAG_EDOWN, 0, 0, PAM_AUTHINFO_UNAVAIL,
			PAM_AUTHINFO_UNAVAIL, PAM_SESSION_ERR, PAM_SESSION_ERR },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct visit v;
		char line[128];

		snprintf(line, sizeof line, "timeout=1 %s", rows[i].line);
		fresh(NULL);
		world.euid = rows[i].euid;
		world.typed[0] = "483920";
		broker.error = rows[i].error;
		broker.only = rows[i].only;
		broker.result.error = rows[i].said;
		assert_int_equal(visit(line, 0, &v), PAM_SUCCESS);
		assert_int_equal(phase_auth(&v), rows[i].auth);
		assert_int_equal(phase_account(&v), rows[i].account);
		assert_int_equal(phase_open(&v), rows[i].open);
		assert_int_equal(phase_close(&v), rows[i].close);
		/* Who is let in has a line in the log. */
		if (rows[i].auth == PAM_IGNORE)
			assert_non_null(strstr(world.log, "broker_down=allow says"));
	}
}

/* ---- the account phase ---- */

static void test_account_what_each_decision_leads_to(void **state)
{
	static const struct {
		const char *service;
		bool ticket;
		uint32_t decision;
		unsigned verdict;
		int r;
		const char *told; /* within it; NULL: nothing */
		bool key_alone;   /* the log says what sshd's configuration lacks */
	} rows[] = {
		{ "sshd", false, DECISION_PASS, VERDICT_OK, PAM_SUCCESS, NULL, false },
		{ "sshd", false, DECISION_EXEMPT, VERDICT_OK, PAM_SUCCESS, NULL, false },
		{ "sshd", false, DECISION_DENY, VERDICT_OK, PAM_PERM_DENIED,
			"(requirements-not-met)", true },
		{ "sshd", true, DECISION_DENY, VERDICT_OK, PAM_PERM_DENIED,
			"(requirements-not-met)", false },
		{ "login", false, DECISION_DENY, VERDICT_OK, PAM_PERM_DENIED,
			"(requirements-not-met)", false },
		{ "login", false, DECISION_DENY, VERDICT_PHONE_EXPIRED, PAM_PERM_DENIED,
			"(phone-expired)", false },
		{ "sshd", true, DECISION_ASK, VERDICT_OK, PAM_PERM_DENIED, "(requirements-not-met)",
			false },
		{ "sshd", true, 99, VERDICT_OK, PAM_PERM_DENIED, "(requirements-not-met)", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct visit v;

		fresh(NULL);
		outer.items[PAM_SERVICE] = rows[i].service;
		broker.account = rows[i].decision;
		broker.result.verdict = rows[i].verdict;
		if (rows[i].decision == DECISION_EXEMPT)
			broker.strength = ""; /* who is exempt has shown nothing */
		if (rows[i].ticket)
			assert_int_equal(pam_putenv(&outer, "MAGOTP_TXN=dGlja2V0"), PAM_SUCCESS);
		assert_int_equal(visit("", 0, &v), PAM_SUCCESS);
		assert_int_equal(phase_account(&v), rows[i].r);
		if (!rows[i].told)
			assert_string_equal(world.told, "");
		else
			assert_non_null(strstr(world.told, rows[i].told));
		assert_int_equal(
			strstr(world.log, "AuthenticationMethods") != NULL, rows[i].key_alone);
	}
}

/* prompt_password looks at the service's options first. */
static void test_login_the_password_is_checked_though_the_broker_is_down(void **state)
{
	static const struct {
		const char *line, *typed;
		int r;
	} rows[] = {
		{ "broker_down=allow prompt_password password_service=login", "secret",
			PAM_SUCCESS },
		{ "broker_down=allow prompt_password password_service=login", "wrong",
			PAM_AUTH_ERR },
		{ "broker_down=allow mode=combined password_service=login", "secret", PAM_SUCCESS },
		{ "prompt_password password_service=login", "secret", PAM_AUTHINFO_UNAVAIL },
		{ "prompt_password mode=short password_service=login", "secret",
			PAM_AUTHINFO_UNAVAIL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct visit v;

		fresh(NULL);
		world.typed[0] = rows[i].typed;
		broker.error = MAG_ETIMEOUT;
		assert_int_equal(visit(rows[i].line, 0, &v), PAM_SUCCESS);
		assert_int_equal(phase_auth(&v), rows[i].r);
	}
}

static void test_L9_an_old_ticket_is_as_good_as_none(void **state)
{
	struct visit v;

	(void)state;
	broker.stale = true;
	broker.recorded = false;
	assert_int_equal(visit("debug", 0, &v), PAM_SUCCESS);
	assert_int_equal(pam_putenv(&outer, "MAGOTP_TXN=dGlja2V0"), PAM_SUCCESS);
	assert_int_equal(phase_open(&v), PAM_SUCCESS);
	assert_int_equal(broker.calls, 2);
	assert_non_null(strstr(world.log, "not this login's"));
	assert_non_null(strstr(world.log, "session not recorded"));
	/* A stale word without a ticket is an error. */
	fresh(NULL);
	broker.result.error = MAG_ESTALE;
	assert_int_equal(visit("", 0, &v), PAM_SUCCESS);
	assert_int_equal(phase_open(&v), PAM_SESSION_ERR);
}

static void test_C1_keys_that_sshd_names(void **state)
{
	static const struct {
		const char *line, *info;
		int r;
	} rows[] = {
		{ "first=publickey", NULL, PAM_AUTH_ERR },
		{ "first=publickey", "SSH_AUTH_INFO_0=password\n", PAM_AUTH_ERR },
		{ "first=publickey", "SSH_AUTH_INFO_0=password\npublickey x AAAA\n", PAM_SUCCESS },
		{ "", "SSH_AUTH_INFO_0=publickey x AAAA", PAM_SUCCESS },
	};
	char *longest = malloc(6000);
	struct visit v;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		fresh(NULL);
		world.typed[0] = "483920";
		if (rows[i].info)
			pam_putenv(&outer, rows[i].info);
		assert_int_equal(visit(rows[i].line, 0, &v), PAM_SUCCESS);
		assert_int_equal(phase_auth(&v), rows[i].r);
	}
	/* More than the wire takes is no offer; as the first factor it is refused. */
	snprintf(longest, 6000, "SSH_AUTH_INFO_0=publickey %0*d", 5000, 0);
	for (int i = 0; i < 2; i++) {
		fresh(NULL);
		world.typed[0] = "483920";
		pam_putenv(&outer, longest);
		assert_int_equal(visit(i ? "first=publickey" : "", 0, &v), PAM_SUCCESS);
		assert_int_equal(phase_auth(&v), i ? PAM_MAXTRIES : PAM_SUCCESS);
	}
	free(longest);
}

static void test_combined_one_field_for_both(void **state)
{
	static const struct {
		const char *typed;
		int r;
	} rows[] = { { "secret,483920", PAM_SUCCESS }, { "secret,111111", PAM_AUTH_ERR },
		{ "wrong,483920", PAM_AUTH_ERR } };
	struct visit v;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		fresh(NULL);
		broker.mode = "combined";
		world.typed[0] = rows[i].typed;
		assert_int_equal(visit("password_service=login", 0, &v), PAM_SUCCESS);
		outer.items[PAM_AUTHTOK] = i ? "old" : NULL;
		assert_int_equal(phase_auth(&v), rows[i].r);
		/* The same wait for a wrong password and for a wrong code. */
		assert_int_equal(outer.delays > 0, rows[i].r != PAM_SUCCESS);
	}
}

/* ---- faults ---- */

struct scene {
	const char *line, *typed[2], *mode;
	uint32_t decision;
	bool right; /* it ends well without a fault */
};

static int run_auth(const struct scene *s)
{
	struct visit v;
	int r;

	world.typed[0] = s->typed[0];
	world.typed[1] = s->typed[1];
	broker.mode = s->mode;
	broker.decision = s->decision;
	outer.items[PAM_RUSER] = "bob";
	outer.items[PAM_AUTHTOK] = "secret";
	r = visit(s->line, 0, &v);
	return r == PAM_SUCCESS ? phase_auth(&v) : r;
}

/* Each call fails once: nobody gets in by that, and who is in has a ticket. */
static void test_threat_35_no_fault_lets_anybody_in(void **state)
{
	static const struct scene scenes[] = {
		{ "", { "483920" }, "separate", DECISION_ASK, true },
		{ "", { "111111" }, "separate", DECISION_ASK, false },
		{ "prompt_password password_service=login", { "secret", "483920" }, "separate",
			DECISION_ASK, true },
		{ "prompt_password password_service=login", { "wrong", "483920" }, "separate",
			DECISION_ASK, false },
		{ "mode=combined password_service=login", { "secret,483920" }, "combined",
			DECISION_ASK, true },
		{ "mode=combined password_service=login", { "secret,111111" }, "combined",
			DECISION_ASK, false },
		{ "", { NULL }, "separate", DECISION_CALLER, true },
		{ "", { NULL }, "separate", DECISION_DENY, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++) {
		unsigned n = 0;
		int r;

		do {
			fresh(NULL);
			passed = 0;
			fail_at = ++n;
			r = run_auth(&scenes[i]);
			fail_at = 0;
			assert_false(r == PAM_SUCCESS && !scenes[i].right);
			assert_int_not_equal(r, PAM_IGNORE);
			if (r == PAM_SUCCESS)
				assert_non_null(pam_getenv(&outer, "MAGOTP_STRENGTH"));
		} while (passed >= n && n < 1000);
		assert_int_equal(r == PAM_SUCCESS, scenes[i].right);
		assert_in_range(n, 2, 999);
	}
}

static void test_threat_35_no_fault_opens_the_account_phase(void **state)
{
	(void)state;
	for (int denied = 0; denied < 2; denied++) {
		unsigned n = 0;
		int r;

		do {
			struct visit v;

			fresh(NULL);
			broker.account = denied ? DECISION_DENY : DECISION_PASS;
			pam_putenv(&outer, "MAGOTP_TXN=dGlja2V0");
			passed = 0;
			fail_at = ++n;
			r = visit("", 0, &v);
			if (r == PAM_SUCCESS)
				r = phase_account(&v);
			if (r == PAM_SUCCESS)
				r = phase_setcred(&v);
			if (r == PAM_SUCCESS)
				r = phase_open(&v);
			if (r == PAM_SUCCESS)
				r = phase_close(&v);
			fail_at = 0;
			assert_false(denied && r == PAM_SUCCESS);
		} while (passed >= n && n < 1000);
		assert_int_equal(r, denied ? PAM_PERM_DENIED : PAM_SUCCESS);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fresh, clean_up)
	const struct CMUnitTest tests[] = {
		T(test_services_odd_conversations_end_the_login),
		T(test_services_silence_is_kept_but_for_sudos_refusals),
		T(test_services_prompts_are_echoed_where_people_sit),
		T(test_services_a_line_with_a_fault_refuses_everybody),
		T(test_services_a_line_may_name_service_and_socket),
		T(test_security_21_names_that_are_nobodys),
		T(test_su_target_the_caller_is_who_runs_su),
		T(test_listed_only_counts_a_file_that_is_roots_alone),
		T(test_threat_14_what_somebody_else_wrote_is_no_ticket),
		T(test_groups_are_those_that_the_broker_vouches_for),
		T(test_groups_are_none_where_anything_is_in_doubt),
		T(test_exempt_groups_only_those_that_were_asked_for),
		T(test_threat_16_what_the_password_service_may_do),
		T(test_threat_16_names_of_services_that_are_none),
		T(test_login_what_an_error_of_the_broker_does),
		T(test_login_the_password_is_checked_though_the_broker_is_down),
		T(test_account_what_each_decision_leads_to),
		T(test_L9_an_old_ticket_is_as_good_as_none),
		T(test_C1_keys_that_sshd_names),
		T(test_combined_one_field_for_both),
		T(test_threat_35_no_fault_lets_anybody_in),
		T(test_threat_35_no_fault_opens_the_account_phase),
	};
#undef T
	return cmocka_run_group_tests(tests, NULL, NULL);
}
