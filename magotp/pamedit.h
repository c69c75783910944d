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

#endif
