#include "otpcore/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "otpcore/base/text.h"

static const struct {
	const char *name;
	int priority;
} levels[] = {
	[MAG_LOG_ERROR] = { "error", LOG_ERR },
	[MAG_LOG_WARNING] = { "warning", LOG_WARNING },
	[MAG_LOG_NOTICE] = { "notice", LOG_NOTICE },
	[MAG_LOG_INFO] = { "info", LOG_INFO },
	[MAG_LOG_DEBUG] = { "debug", LOG_DEBUG },
};

/* One log per process: set once by main, before anything is logged. */
static struct {
	const char *program;
	int to_syslog;
	enum mag_log_level max;
} log_to = { "magotp", 0, MAG_LOG_NOTICE };

void mag_log_open(const char *program, int to_syslog, enum mag_log_level max)
{
	log_to.program = program;
	log_to.to_syslog = to_syslog;
	log_to.max = max;
	if (to_syslog)
		openlog(program, LOG_PID | LOG_NDELAY, LOG_AUTHPRIV);
}

void mag_log(enum mag_log_level level, const char *fmt, ...)
{
	char raw[2048], line[2048];
	va_list ap;

	if (level > log_to.max || level > MAG_LOG_DEBUG)
		return;
	va_start(ap, fmt);
	if (vsnprintf(raw, sizeof(raw), fmt, ap) < 0)
		(void)mag_copy(raw, sizeof(raw), "(a record that cannot be written)");
	va_end(ap);
	/* The finished record is cleaned, so that no caller can forget it. */
	mag_clean(line, sizeof(line), raw);
	if (log_to.to_syslog)
		syslog(levels[level].priority, "%s", line);
	else
		fprintf(stderr, "%s: %s: %s\n", log_to.program, levels[level].name, line);
}
