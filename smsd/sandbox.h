/* What smsd gives up for good once it serves (security.md 25): whoever takes it
 * over finds no program to run, no process to look into, no file beyond its own. */
#ifndef SMSD_SANDBOX_H
#define SMSD_SANDBOX_H

#include "smsd/settings.h"

/* Files: only what stands below /etc, /usr, /run and the configuration's directory
 * can be read, and what gateways name in the settings of now; only what they name
 * for writing can be written. No TCP port can be listened on, no other process signalled.
 * Calls: those of a client of the network, and no other; see fence.h.
 * Where the kernel or the build lacks a part, that is logged and left out.
 * 0, or MAG_ESYS: a part that is there could not be put in force. */
int sandbox_enter(const struct smsd_settings *s, const char *config);

/* The same for the process that listens for receipts: no file at all, and no new
 * socket but those that come in. */
int sandbox_enter_receipts(void);

/* For those that run programs: no call that changes the system or looks into others. */
int sandbox_enter_programs(void);

#endif
