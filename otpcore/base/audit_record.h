/* A record of the audit log, as it stands in the file: "N TIME HASH TEXT". */
#ifndef MAG_AUDIT_RECORD_H
#define MAG_AUDIT_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#define AUDIT_HASH_LEN 32
#define AUDIT_LINE_MAX 4096

struct audit_record {
	int64_t n;     /* from 1 */
	char time[21]; /* 2026-11-21T14:02:00Z */
	unsigned char hash[AUDIT_HASH_LEN];
	const char *text; /* into the line */
};

/* `line` without its newline. False: it is no record, or is not written as one is: not
 * one blank more. record_r is then untouched. */
bool audit_record_split(const char *line, struct audit_record *record_r);

#endif
