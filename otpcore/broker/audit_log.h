/* The file of the audit chain (engine/audit_chain.h): every record is in it before the
 * answer goes out. Heads are signed every minute, and the store remembers the last one:
 * a file that was cut, or put back, is noticed (security.md 34). */
#ifndef BROKER_AUDIT_LOG_H
#define BROKER_AUDIT_LOG_H

#include "otpcore/broker/broker.h"

/* Opens [audit] file, or makes it, and goes on where it ends. As the user that otpcored
 * is, before the sandbox closes. 0 with NULL: "none" is configured. MAG_ESYS (errno),
 * MAG_ENOMEM. */
int audit_log_open(struct broker *b, struct audit_log **log_r);
/* Signs what is not signed yet. */
void audit_log_close(struct audit_log **log);
/* On b->base: the minute's head, and a new file when this one is large. */
int audit_log_start(struct audit_log *log);
/* The same at once, if no tick is under way. */
void audit_log_head(struct audit_log *log);
void audit_log_stop(struct audit_log *log); /* before b->base is gone */

/* 0, or MAG_ESYS: it is not in the file, and whoever asked must not hear "yes". */
int audit_log_write(struct audit_log *log, const char *text);

/* otpcored --audit-verify: reads all files and says on stdout what it found. 0, or
 * MAG_ECONFLICT: something was changed, left out, moved or cut. */
int audit_verify_run(struct broker *b);

#endif
