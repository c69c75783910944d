/* Our lines in a file of /etc/pam.d: put in between marks, taken out again. On
 * texts only; everything else in them stays byte for byte. */
#ifndef PAMEDIT_H
#define PAMEDIT_H

#include <stddef.h>

#include "magotp/pamstack.h"

#define PAMEDIT_BEGIN "# magotp: begin"
#define PAMEDIT_END   "# magotp: end"

/* Lines to put in: before line `before`, or after line `after` (from 1; the other
 * is 0). Each line with its line end. */
struct pam_insert {
	int after, before;
	const char *lines;
};

/* Without what stands between the marks, marks included. *out_r is allocated;
 * *n_r (may be NULL): how many blocks there were. 0, MAG_ENOMEM; MAG_ESYNTAX: marks
 * without their counterpart. */
int pam_edit_strip(const char *text, char **out_r, size_t *n_r);

/* With the lines, each group between marks; in order of their places. 0,
 * MAG_ENOMEM; MAG_ERANGE: the text has no such line, or one after which nothing can
 * be put (the last one, without a line end). */
int pam_edit_insert(const char *text, const struct pam_insert *inserts, size_t n, char **out_r);

/* What it is for a caller who is not root, in a copy of /etc/pam.d: modules that let root
 * alone through (pam_rootok, pam_wheel trust, pam_succeed_if use_uid uid = 0) are pam_deny
 * instead, so that counted jumps and what a failure means stay; and files are included from
 * `folder`, which libpam would not do by itself. *out_r is allocated. 0, MAG_ENOMEM. */
int pam_edit_copy(const char *text, const char *folder, char **out_r);

#endif
