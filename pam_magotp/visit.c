#include "pam_magotp/visit.h"

#include <fcntl.h>
#include <pwd.h>
#include <security/pam_ext.h>
#include <security/pam_modutil.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "pam_magotp/nested.h"

#define LISTED_FILE SYSCONFDIR "/magotp/listed"
#define LISTED_MAX  16384
#define CALLER_DATA "magotp-caller"

void visit_log(const struct visit *v, int priority, const char *fmt, ...)
{
	char line[700];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	pam_syslog(v->pamh, priority, "%s", line);
}

static const char *item(const struct visit *v, int which)
{
	const void *value = NULL;
	if (pam_get_item(v->pamh, which, &value) != PAM_SUCCESS || !value)
		return "";
	return value;
}

static bool line_is(const char *line, size_t len, const char *word)
{
	while (len && (*line == ' ' || *line == '\t')) {
		line++;
		len--;
	}
	while (len && (line[len - 1] == ' ' || line[len - 1] == '\t' || line[len - 1] == '\r'))
		len--;
	return len == strlen(word) && !memcmp(line, word, len);
}

bool visit_listed(const char *path, const char *service)
{
	char text[LISTED_MAX + 1];
	struct stat st;
	size_t len = 0;
	ssize_t n = -1;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return true;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_uid != 0 ||
		st.st_mode & (S_IWGRP | S_IWOTH)) {
		close(fd);
		return true;
	}
	while (len < LISTED_MAX && (n = read(fd, text + len, LISTED_MAX - len)) > 0)
		len += (size_t)n;
	close(fd);
	if (n != 0) /* unreadable, or longer than we take */
		return true;
	text[len] = '\0';
	for (const char *s = text; *s; s += strcspn(s, "\n"), s += *s == '\n')
		if (line_is(s, strcspn(s, "\n"), service))
			return true;
	return false;
}

static uint32_t uid_of(const struct visit *v, const char *user)
{
	struct passwd *pw = pam_modutil_getpwnam(v->pamh, user);
	return pw ? (uint32_t)pw->pw_uid : WIRE_UID_UNKNOWN;
}

/* A name that is cut or cleaned could be somebody else's: it gets no uid, and
 * the broker lets nobody in whose uid is not the account's. */
static int take_user(struct visit *v)
{
	const char *user = NULL;
	int r = pam_get_user(v->pamh, &user, NULL);

	if (r != PAM_SUCCESS)
		return r == PAM_CONV_AGAIN ? PAM_INCOMPLETE : r;
	if (!user || !*user || strlen(user) >= sizeof v->user)
		return PAM_USER_UNKNOWN;
	mag_clean(v->user, sizeof v->user, user);
	v->uid = mag_streq(v->user, user) ? uid_of(v, user) : WIRE_UID_UNKNOWN;
	return PAM_SUCCESS;
}

int visit_line(pam_handle_t *pamh, int flags, int argc, const char **argv, struct visit *v_r)
{
	char err[OPTIONS_ERROR_MAX];
	struct visit *v = v_r;

	memset(v, 0, sizeof *v);
	v->pamh = pamh;
	v->flags = flags;
	v->uid = WIRE_UID_UNKNOWN;
	v->pam_service = item(v, PAM_SERVICE);
	if (options_parse(argc, argv, &v->options, err)) {
		visit_log(v, LOG_ERR, "%s: refusing every login until that is corrected", err);
		return PAM_SERVICE_ERR;
	}
	if (nested_is(pamh)) {
		visit_log(v, LOG_ERR, "the password service must not use pam_magotp itself");
		return PAM_SERVICE_ERR;
	}
	mag_clean(v->service, sizeof v->service,
		v->options.service ? v->options.service : v->pam_service);
	if (v->options.listed_only && !visit_listed(LISTED_FILE, v->service))
		return PAM_IGNORE;
	return PAM_SUCCESS;
}

int visit_who(struct visit *v)
{
	mag_clean(v->rhost, sizeof v->rhost, item(v, PAM_RHOST));
	mag_clean(v->tty, sizeof v->tty, item(v, PAM_TTY));
	mag_clean(v->ruser, sizeof v->ruser, item(v, PAM_RUSER));
	v->client.socket = v->options.socket ? v->options.socket : OTPCORED_SOCKET;
	v->client.timeout_ms = (v->options.timeout ? v->options.timeout : 10) * 1000;
	v->client.server_uid = client_server_uid(v->client.socket);
	return take_user(v);
}

int visit_take_caller(struct visit *v)
{
	static char yes[] = "yes";
	uint32_t uid = uid_of(v, v->ruser);
	uid_t real = getuid();

	/* su keeps its caller's real uid; sudo does not, and has checked the name. */
	if (!mag_streq(v->ruser, item(v, PAM_RUSER)) || uid == WIRE_UID_UNKNOWN ||
		(real != 0 && real != uid)) {
		visit_log(v, LOG_ERR, "service %s: its caller %s is no user of this host",
			v->service, v->ruser);
		return PAM_USER_UNKNOWN;
	}
	mag_copy(v->user, sizeof v->user, v->ruser);
	v->uid = uid;
	return pam_set_data(v->pamh, CALLER_DATA, yes, NULL);
}

bool visit_is_callers(const struct visit *v)
{
	const void *data = NULL;
	return pam_get_data(v->pamh, CALLER_DATA, &data) == PAM_SUCCESS && data;
}

bool visit_needs_no_broker(const struct visit *v, const struct mag_secret *txn)
{
	return !txn->len && v->options.require && mag_streq(v->options.require, "password") &&
	       !v->options.level;
}

bool visit_broker_down_allows(const struct visit *v, int error, bool answered)
{
	if (v->options.broker_down != DOWN_ALLOW || answered || geteuid() != 0)
		return false;
	if (error != MAG_EDOWN && error != MAG_ETIMEOUT)
		return false;
	visit_log(v, LOG_ALERT,
		"otpcored does not answer (%s): user=%s service=%s rhost=%s goes on without a "
		"second factor, as broker_down=allow says",
		mag_strerror(error), v->user, v->service, v->rhost);
	return true;
}
