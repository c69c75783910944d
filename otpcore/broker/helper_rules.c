/* Whose password the helper may touch (security.md 42): from the system's own files
 * alone, so that no name service and no broker can talk it into another answer. */
#include "otpcore/broker/helper.h"

#include <grp.h>
#include <pwd.h>
#include <shadow.h>
#include <string.h>

#include "otpcore/base/text.h"

#define UID_MIN_DEFAULT 1000
#define HASH_MIN        13 /* crypt(5): the oldest form; shorter is a mark, no hash */

static const char *const words[HELPER_ANSWER_N] = {
	[HELPER_NOTHING] = "nothing was decided",
	[HELPER_DONE] = "done",
	[HELPER_LATER] = "too many passwords lately",
	[HELPER_FAILED] = "chpasswd or chage failed",
	[HELPER_MALFORMED] = "not a user name of this system",
	[HELPER_ADMIN] = "an administrator's account",
	[HELPER_NOT_LOCAL] = "not an account of this host",
	[HELPER_OTHER_UID] = "the name belongs to another uid",
	[HELPER_SYSTEM] = "a system account",
	[HELPER_PRIVILEGED] = "a member of a privileged group",
	[HELPER_NO_PASSWORD] = "it has no password",
};

const char *helper_words(enum helper_answer a)
{
	return words[a < HELPER_ANSWER_N ? a : HELPER_NOTHING];
}

/* Who is in one of these can become root, or reads what root logs. */
static bool is_privileged(const char *group)
{
	static const char *const groups[] = { "root", "sudo", "wheel", "adm", "admin", "shadow",
		"disk", "docker", "lxd", "incus", "incus-admin", "libvirt", "staff", "kmem",
		"systemd-journal" };

	for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
		if (mag_streq(groups[i], group))
			return true;
	return false;
}

/* The first line of a name counts, as it does for everybody who reads the file. */
void helper_read_passwd(FILE *f, const char *name, struct helper_facts *facts)
{
	const struct passwd *pw;

	while (!facts->local && (pw = fgetpwent(f))) {
		if (!mag_streq(pw->pw_name, name))
			continue;
		facts->local = true;
		facts->uid = pw->pw_uid;
		facts->gid = pw->pw_gid;
	}
}

void helper_read_group(FILE *f, const char *name, struct helper_facts *facts)
{
	const struct group *gr;

	while ((gr = fgetgrent(f))) {
		bool member = gr->gr_gid == facts->gid;

		for (char **m = gr->gr_mem; m && *m; m++)
			member |= mag_streq(*m, name);
		facts->privileged |= member && (gr->gr_gid == 0 || is_privileged(gr->gr_name));
	}
}

/* A locked password ("!...") must not be set: that would open the account again. One
 * with no password at all ("*") logs in another way, which ageing would close. */
void helper_read_shadow(FILE *f, const char *name, struct helper_facts *facts)
{
	const struct spwd *sp;

	while ((sp = fgetspent(f))) {
		if (!mag_streq(sp->sp_namp, name))
			continue;
		facts->password = sp->sp_pwdp && strlen(sp->sp_pwdp) >= HASH_MIN &&
				  *sp->sp_pwdp != '!' && *sp->sp_pwdp != '*';
		return;
	}
}

void helper_read_defs(FILE *f, struct helper_facts *facts)
{
	char line[256];

	while (fgets(line, sizeof line, f)) {
		char *save = NULL, *key = strtok_r(line, " \t\n", &save);
		char *value = key ? strtok_r(NULL, " \t\n", &save) : NULL;
		int64_t min = 0;

		if (value && mag_streq(key, "UID_MIN") &&
			!mag_int_parse(value, 1, UINT32_MAX - 1, &min))
			facts->uid_min = (uint32_t)min;
	}
}

/* useradd(8): what chpasswd and chage take for a name and nothing else. */
static bool is_name(const char *s)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789_.-";

	return *s && *s != '-' && *s != '.' && s[strspn(s, safe)] == '\0' && !mag_all_digits(s);
}

static bool is_new(const char *s)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

	return s[strspn(s, safe)] == '\0';
}

static bool is_whole(const struct helper_order *o)
{
	return memchr(o->name, 0, sizeof o->name) && memchr(o->new, 0, sizeof o->new) &&
	       o->admin <= 1 && is_name(o->name) && is_new(o->new);
}

enum helper_answer helper_judge(const struct helper_order *o, const struct helper_facts *facts)
{
	uint32_t min = facts->uid_min ? facts->uid_min : UID_MIN_DEFAULT;

	if (!is_whole(o))
		return HELPER_MALFORMED;
	if (o->admin)
		return HELPER_ADMIN;
	if (!facts->local)
		return HELPER_NOT_LOCAL;
	if (facts->uid != o->uid)
		return HELPER_OTHER_UID;
	/* 65534 is nobody's and everybody's. */
	if (facts->uid == 0 || facts->uid < min || facts->uid == 65534)
		return HELPER_SYSTEM;
	if (facts->privileged || facts->gid == 0)
		return HELPER_PRIVILEGED;
	return facts->password ? HELPER_DONE : HELPER_NO_PASSWORD;
}

bool helper_within_rate(struct helper_rate *rate, int64_t now)
{
	int64_t more = rate->since ? (now - rate->since) / HELPER_REFILL : HELPER_BURST;

	if (more > 0) {
		rate->left = rate->left + more < HELPER_BURST ? rate->left + more : HELPER_BURST;
		rate->since = rate->since ? rate->since + more * HELPER_REFILL : now;
	}
	if (rate->left < 1)
		return false;
	rate->left--;
	return true;
}
