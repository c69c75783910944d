/* Logging of the daemons and tools. Not used by modules that other people's
 * processes load: they have pam_syslog. One record is one line: arguments of
 * outside origin are cleaned by the logger. Secrets are never arguments. */
#ifndef MAG_LOG_H
#define MAG_LOG_H

enum mag_log_level {
	MAG_LOG_ERROR,
	MAG_LOG_WARNING,
	MAG_LOG_NOTICE,
	MAG_LOG_INFO,
	MAG_LOG_DEBUG,
};

/* Where records go: to stderr ("magotp-smsd: warning: ...") when `syslog` is
 * 0, else to syslog(3) facility authpriv. Level `max` and below are written. */
void mag_log_open(const char *program, int to_syslog, enum mag_log_level max);
void mag_log(enum mag_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
