/* doctor: what sshd itself says is in force. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "magotp/doctor.h"
#include "magotp/sshd.h"
#include "otpcore/base/text.h"
#include "otpcore/settings/settings.h"

static void sshd_found(
	struct doctor *d, const char *id, enum severity s, const char *fix, const char *text)
{
	const struct finding f = { .id = id, .severity = s, .subject = d->service, .fix = fix };

	doctor_found(d, &f, "%s", text);
}

struct wish {
	const char *keyword, *shown, *value;
	enum severity severity;
	const char *id, *why;
};

static const struct wish wishes[] = {
	{ "usepam", "UsePAM", "yes", DOCTOR_ERROR, "sshd-usepam", "PAM is not asked at all" },
	{ "kbdinteractiveauthentication", "KbdInteractiveAuthentication", "yes", DOCTOR_ERROR,
		"sshd-kbdint", "there is no way to ask for a code" },
	{ "passwordauthentication", "PasswordAuthentication", "no", DOCTOR_WARNING, "sshd-password",
		"that way has no place for a code and is refused" },
	{ "permitemptypasswords", "PermitEmptyPasswords", "no", DOCTOR_WARNING, "sshd-empty",
		"an empty password is no first factor" },
	{ "permituserenvironment", "PermitUserEnvironment", "no", DOCTOR_WARNING,
		"sshd-environment", "people could set the variables that sshd hands on" },
};

static void check_wish(struct doctor *d, const struct sshd_settings *s, const struct wish *w)
{
	char value[64], place[300];
	struct finding f = { .id = w->id,
		.severity = w->severity,
		.subject = w->shown,
		.fix = "magotpctl enable sshd" };

	sshd_value(s, w->keyword, value, sizeof value);
	if (!*value || mag_streq(value, w->value)) {
		doctor_ok(d, w->id, "%s %s", w->shown, w->value);
		return;
	}
	sshd_place(w->keyword, place, sizeof place);
	if (*place) {
		char *colon = strrchr(place, ':');
		int64_t line = 0;

		if (colon && !mag_int_parse(colon + 1, 1, 1000000, &line)) {
			*colon = 0;
			f.line = (int)line;
		}
		f.file = place;
	}
	doctor_found(
		d, &f, "%s: %s %s: %s", *place ? place : "sshd's default", w->shown, value, w->why);
}

/* "publickey,keyboard-interactive:pam any": each way is a word, each step of it stands
 * between commas. */
struct ways {
	size_t asked, key, blind; /* ask for a code; are a key alone; another way without */
	bool any;                 /* nothing was set, or "any" */
};

static struct ways read_ways(const struct sshd_settings *s)
{
	struct ways n = { 0 };
	char value[512], *save = NULL;

	sshd_value(s, "authenticationmethods", value, sizeof value);
	n.any = !*value;
	for (char *w = strtok_r(value, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		if (mag_streq(w, "any"))
			n.any = true;
		else if (strstr(w, "keyboard-interactive"))
			n.asked++;
		else if (strspn(w, "publickey,") == strlen(w) && !strstr(w, "password"))
			n.key++;
		else
			n.blind++;
	}
	return n;
}

static void check_methods(struct doctor *d, const struct ways *n, bool key_alone)
{
	static const char fix[] = "AuthenticationMethods publickey,keyboard-interactive:pam";

	if (!n->any && !n->asked)
		sshd_found(d, "sshd-methods", DOCTOR_ERROR, fix,
			"AuthenticationMethods has no way that asks for a code");
	else if (n->blind)
		sshd_found(d, "sshd-methods", DOCTOR_WARNING, fix,
			"AuthenticationMethods has a way without a key and without a code, which "
			"the account line refuses");
	else if (n->key && !key_alone)
		sshd_found(d, "sshd-methods", DOCTOR_WARNING, fix,
			"a key alone is taken by sshd and refused by the account line");
	else
		doctor_ok(d, "sshd-methods", "sshd can ask for a code");
}

/* One of the words, whole. */
static bool has_word(const char *words, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = words; (p = strstr(p, word)); p += len)
		if ((p == words || strchr(" \t,", p[-1])) && (!p[len] || strchr(" \t,", p[len])))
			return true;
	return false;
}

/* sshd lets root in by keyboard-interactive only with "yes". "prohibit-password" leaves a
 * key, and a key alone is not enough: nobody could log in as root any more. */
static void check_root(struct doctor *d, const struct sshd_settings *s, const struct ways *n,
	const struct service_settings *set)
{
	char value[64];
	bool exempt = has_word(set->exempt_users, "root");

	sshd_value(s, "permitrootlogin", value, sizeof value);
	if (mag_streq(value, "no")) {
		doctor_ok(d, "sshd-root", "root does not log in through sshd");
	} else if (mag_streq(value, "yes") || !*value) {
		doctor_ok(d, "sshd-root", "root is asked like everybody");
	} else if (!n->any && !n->key) {
		sshd_found(d, "sshd-root", DOCTOR_WARNING, "PermitRootLogin no, or yes",
			"root cannot log in: AuthenticationMethods asks for a code, and "
			"PermitRootLogin lets root come with nothing but a key");
	} else if (!set->publickey_alone && !exempt) {
		sshd_found(d, "sshd-root", DOCTOR_WARNING,
			"PermitRootLogin no, or yes; or exempt_users = root",
			"root cannot log in: PermitRootLogin lets root come with nothing but a "
			"key, and the account line refuses a key alone");
	} else {
		doctor_ok(d, "sshd-root", "root comes with a key, and that is enough here");
	}
}

void doctor_sshd(struct doctor *d)
{
	struct service_settings set;
	struct sshd_settings *s;
	char said[600] = "";
	struct ways n;

	if (!d->ours || !mag_streq(d->service, "sshd"))
		return;
	s = calloc(1, sizeof *s);
	if (s && sshd_settings(s, said, sizeof said)) {
		sshd_found(d, "sshd", DOCTOR_ERROR, "sshd -t says what is wrong",
			*said ? said : "/usr/sbin/sshd cannot be run");
	} else if (s) {
		for (size_t i = 0; i < sizeof wishes / sizeof *wishes; i++)
			check_wish(d, s, &wishes[i]);
		settings_service(d->c->settings, d->service, &set);
		n = read_ways(s);
		check_methods(d, &n, set.publickey_alone);
		check_root(d, s, &n, &set);
	}
	free(s);
}
