/* A PAM stack as libpam sees it: the lines of one phase with what they include,
 * and what can come of it. `enable` and `doctor` ask here whether the password is
 * really required before our line (security.md 8), and whether there is a way
 * round it. */
#ifndef PAMSTACK_H
#define PAMSTACK_H

#include <stdbool.h>
#include <stddef.h>

#define PAM_RULES_MAX 160

enum pam_phase { PAM_AUTH, PAM_ACCOUNT, PAM_SESSION, PAM_PASSWORD };

/* What libpam does after a module; > 0 skips so many lines. */
enum pam_action {
	PAM_OK = 0,
	PAM_DONE = -1,
	PAM_BAD = -2,
	PAM_DIE = -3,
	PAM_PASS = -4 /* ignore */,
	PAM_RESET = -5
};

struct pam_rule {
	char file[200];
	int line;     /* the last one, where a line goes on in the next */
	int top_line; /* in the service's own file: the include's, or the line itself */
	int top_first;
	int level;       /* of substacks */
	char module[64]; /* "pam_unix.so" */
	char args[200];
	int success, failure, neutral; /* enum pam_action */
};

struct pam_stack {
	enum pam_phase phase;
	size_t n;
	struct pam_rule rules[PAM_RULES_MAX];
};

/* The stack of a service; `text` (may be NULL) instead of what is in its own file.
 * 0; MAG_ESYS: a file is not there; MAG_ERANGE: too deep or too long; MAG_ESYNTAX:
 * a line that is none. *s_r then holds what was read so far (its last rule is
 * before the fault). */
int pam_stack_read(const char *dir, const char *service, const char *text, enum pam_phase phase,
	struct pam_stack *s_r);

/* Does the module ask for and check a password (pam_unix, pam_sss, ...)? */
bool pam_checks_password(const struct pam_rule *r);

struct pam_finding {
	bool found;                       /* pam_magotp stands in it */
	size_t magotp;                    /* which rule, */
	bool vouches;                     /* and it proves the password itself (prompt_password) */
	const struct pam_rule *way_round; /* a success that ends the stack before it */
	const struct pam_rule *no_stop;   /* fails, and our line is reached nevertheless */
	bool unproven;                    /* no password module at all before it */
	bool soft;                        /* its own refusal does not count */
};

/* Follow every way through the stack. */
void pam_stack_judge(const struct pam_stack *s, struct pam_finding *f_r);

#endif
