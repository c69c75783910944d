/* The journal's own protocol through libsystemd; syslog's as of RFC 5424, whose structured
 * data syslog(3) does not know. */
#include "magotp/audit_send.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>
#ifdef HAVE_SYSTEMD
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>
#endif

#include "otpcore/base/text.h"

#define JOURNAL  "/run/systemd/journal/socket"
#define SYSLOG   "/dev/log"
#define LINE_MAX 8192 /* RFC 5424 §6.1: receivers should take 2048, ours has less */

static const char *value_of(const struct audit_field *fields, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (mag_streq(fields[i].key, key))
			return fields[i].value;
	return "";
}

/* "begin anna sshd: ok", for people. */
static void sentence(const struct audit_field *fields, size_t n, char *text, size_t cap)
{
	snprintf(text, cap, "%s account=%s service=%s: %s", value_of(fields, n, "event"),
		value_of(fields, n, "account"), value_of(fields, n, "service"),
		value_of(fields, n, "result"));
}

#ifdef HAVE_SYSTEMD
static int to_journal(const struct audit_field *fields, size_t n)
{
	char lines[AUDIT_FIELDS_MAX][512], message[600], text[512];
	struct iovec parts[AUDIT_FIELDS_MAX + 3];
	static char priority[] = "PRIORITY=5", program[] = "SYSLOG_IDENTIFIER=magotp-audit";
	int count = 0, r;

	/* libsystemd says "done" where there is no journal. */
	if (access(JOURNAL, F_OK) != 0)
		return ENOTCONN;
	sentence(fields, n, text, sizeof text);
	snprintf(message, sizeof message, "MESSAGE=%s", text);
	parts[count++] = (struct iovec){ message, strlen(message) };
	parts[count++] = (struct iovec){ priority, strlen(priority) };
	parts[count++] = (struct iovec){ program, strlen(program) };
	for (size_t i = 0; i < n && i < AUDIT_FIELDS_MAX; i++) {
		char key[32] = "";

		for (size_t k = 0; k < sizeof key - 1 && fields[i].key[k]; k++)
			key[k] = (char)(fields[i].key[k] - 'a' + 'A');
		snprintf(lines[i], sizeof lines[i], "MAGOTP_%s=%s", key, fields[i].value);
		parts[count++] = (struct iovec){ lines[i], strlen(lines[i]) };
	}
	r = sd_journal_sendv(parts, count);
	return r < 0 ? -r : 0;
}
#endif

/* RFC 5424 §6.3.3: these three, and only these, are escaped. */
static size_t put_value(char *line, size_t at, const char *value)
{
	for (; *value && at < LINE_MAX - 4; value++) {
		if (strchr("\"\\]", *value))
			line[at++] = '\\';
		line[at++] = *value;
	}
	return at;
}

static size_t put(char *line, size_t at, const char *text)
{
	size_t len = strlen(text);

	if (at + len >= LINE_MAX)
		return at;
	memcpy(line + at, text, len + 1);
	return at + len;
}

static size_t write_line(const struct audit_field *fields, size_t n, char line[LINE_MAX])
{
	char host[256] = "-", text[512];
	size_t at;

	if (gethostname(host, sizeof host - 1) || !*host)
		(void)mag_copy(host, sizeof host, "-");
	at = (size_t)snprintf(line, LINE_MAX, "<%d>1 %s %s magotp-audit %ld - [magotp@32473",
		LOG_AUTHPRIV | LOG_NOTICE, value_of(fields, n, "time"), host, (long)getpid());
	for (size_t i = 0; i < n; i++) {
		at = put(line, at, " ");
		at = put(line, at, fields[i].key);
		at = put(line, at, "=\"");
		at = put_value(line, at, fields[i].value);
		at = put(line, at, "\"");
	}
	sentence(fields, n, text, sizeof text);
	at = put(line, at, "] ");
	return put(line, at, text);
}

static int to_syslog(const struct audit_field *fields, size_t n)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX, .sun_path = SYSLOG };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), r = 0;
	char line[LINE_MAX];
	size_t len = write_line(fields, n, line);

	if (fd < 0)
		return errno;
	if (connect(fd, (struct sockaddr *)&sa, sizeof sa))
		r = errno == ENOENT || errno == ECONNREFUSED ? ENOTCONN : errno;
	else if (send(fd, line, len, MSG_NOSIGNAL) != (ssize_t)len)
		r = errno;
	close(fd);
	return r;
}

static const struct audit_sender senders[] = {
#ifdef HAVE_SYSTEMD
	{ "journal", to_journal },
#endif
	{ "syslog", to_syslog },
};

const struct audit_sender *audit_sender_find(const char *name)
{
	for (size_t i = 0; i < sizeof senders / sizeof *senders; i++)
		if (mag_streq(senders[i].name, name))
			return &senders[i];
	return NULL;
}
