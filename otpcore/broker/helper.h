/* The password helper: a child of otpcored that stays root when otpcored gives root
 * up. It has one verb: age NAME's password, having set NEW if one is given. It gets no
 * store, no key and no network, and looks itself whether it may. */
#ifndef BROKER_HELPER_H
#define BROKER_HELPER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define HELPER_NAME_MAX 33 /* useradd(8): 32 characters */
#define HELPER_NEW_MAX  17

/* One datagram; texts end in NUL. */
struct helper_order {
	uint32_t uid;
	uint32_t admin; /* 1: has a role beyond user in magotp */
	char name[HELPER_NAME_MAX];
	char new[HELPER_NEW_MAX]; /* "": the password stays and is aged */
};

enum helper_answer {
	HELPER_NOTHING, /* nothing was decided */
	HELPER_DONE,
	HELPER_LATER,  /* too many lately */
	HELPER_FAILED, /* the system's tools did not do it */
	HELPER_MALFORMED,
	HELPER_ADMIN,
	HELPER_NOT_LOCAL,
	HELPER_OTHER_UID,
	HELPER_SYSTEM,
	HELPER_PRIVILEGED,
	HELPER_NO_PASSWORD,
	HELPER_ANSWER_N
};

/* In words, for the log and the owner. */
const char *helper_words(enum helper_answer a);

/* What the system's own files say of a name. Zeroed: nothing is known, all refused. */
struct helper_facts {
	bool local; /* it stands in passwd, with this uid and group: */
	uint32_t uid, gid;
	uint32_t uid_min; /* of login.defs; 1000 where it names none */
	bool privileged;  /* one of its groups is root's or an administrator's */
	bool password;    /* it has one that works: not locked, not empty */
};

/* The files: /etc/passwd, group, shadow, login.defs. NSS is not asked. */
void helper_read_passwd(FILE *f, const char *name, struct helper_facts *facts);
/* After passwd: the first group counts too. */
void helper_read_group(FILE *f, const char *name, struct helper_facts *facts);
void helper_read_shadow(FILE *f, const char *name, struct helper_facts *facts);
void helper_read_defs(FILE *f, struct helper_facts *facts);

/* HELPER_DONE: it may be done. */
enum helper_answer helper_judge(const struct helper_order *o, const struct helper_facts *facts);

/* So many in so long, and no more: what a broker that was taken over could lock out. */
#define HELPER_BURST  10
#define HELPER_REFILL 60 /* seconds for one more */
struct helper_rate {
	int64_t left, since; /* zeroed: full */
};
bool helper_within_rate(struct helper_rate *rate, int64_t now);

/* Where a service manager keeps one ready (conf/systemd/otpcored-password.socket). */
#define HELPER_SOCKET RUNDIR "/magotp/password.sock"

/* Start it, while still root; who is not asks the service manager's. *fd_r: our end, -1
 * where there is neither. Closes with the broker. 0, MAG_ESYS. */
int helper_start(int *fd_r);

/* --password-helper: serve the broker that has connected to descriptor 0. Does not return
 * but with an error: MAG_EPERM (not root; nobody or somebody else there). `user`: whom
 * otpcored runs as. */
int helper_run(const char *user);

#endif
