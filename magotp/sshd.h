/* sshd's side of enabling: a drop-in of ours, what sshd makes of it, and telling the
 * one that runs. */
#ifndef SSHD_H
#define SSHD_H

#include <stdbool.h>
#include <stddef.h>

#define SSHD_CONFIG "/etc/ssh/sshd_config"
#define SSHD_DROPIN "/etc/ssh/sshd_config.d/magotp.conf"

/* What sshd itself says is in force (sshd -T): "yes" for "kbdinteractive...". */
struct sshd_settings {
	char text[65536];
};
/* 0; -1: not there, or it refuses its files: `said` then has its words. */
int sshd_settings(struct sshd_settings *s_r, char *said, size_t cap);
/* The value of a keyword in lower case; "" if sshd names none. */
void sshd_value(const struct sshd_settings *s, const char *keyword, char *value, size_t cap);
/* "/etc/ssh/sshd_config:57" of the line that sets the keyword first; "" none. */
void sshd_place(const char *keyword, char *place, size_t cap);
bool sshd_installed(void);
/* The drop-in's text; passwords NULL-free: `watch` leaves PasswordAuthentication be. */
const char *sshd_dropin(bool watch);
/* sshd -t: 0, or -1 with its words. */
int sshd_check(char *said, size_t cap);
/* SIGHUP by its pid file. The pid; 0: none runs (or it has no pid file). */
long sshd_reload(const struct sshd_settings *s);

#endif
