/* Which lines of ours a service's PAM file gets, and where. */
#ifndef RECIPE_H
#define RECIPE_H

#include <stdbool.h>
#include <stddef.h>

#define RECIPE_ERROR_MAX 512

struct recipe {
	const char *service; /* NULL: every other */
	bool account, session;
	const char *condition; /* a line before our account line, or NULL */
	const char *option;    /* on each of our lines, or NULL */
	const char *note;      /* what else is to be done there, or NULL */
};

/* Why it is none of ours to enable (part of others, or without a person); NULL: it is. */
const char *recipe_refuses(const char *service);
const struct recipe *recipe_for(const char *service);

/* What the service needs whose auth lines these are: if ours is reached by an include of
 * another service's file, no more than that one does. */
struct pam_stack;
const struct recipe *recipe_for_stack(const char *service, const struct pam_stack *auth);

/* The file's text with our lines in it instead of those that it had. 0: *out_r is
 * allocated, and the stack it makes asks for the password before the code, with no way
 * round. MAG_EINVAL: it cannot be done, why_r says so; MAG_EEXISTS: it asks already, through
 * a file that it includes; MAG_ENOMEM. */
int recipe_apply(const char *dir, const char *service, const char *text, bool observe, char **out_r,
	char why_r[RECIPE_ERROR_MAX]);

/* The lines for somebody who writes them by hand. */
void recipe_lines(const char *service, char *buf, size_t cap);

/* What pam_stack_judge found, in words; "" nothing wrong. */
struct pam_finding;
void recipe_fault(const struct pam_stack *s, const struct pam_finding *f, char *why, size_t cap);

#endif
