/* PSKC files (RFC 6030) are parsed by a program of its own, pskc-import, which
 * hands the tokens back as CSV on a pipe. */
#ifndef PSKC_CHILD_H
#define PSKC_CHILD_H

#include "magotp/import/csv.h"

enum pskc_secret { PSKC_PLAIN, PSKC_KEY, PSKC_PASSWORD };

struct pskc_job {
	int file;   /* the PSKC file, at its beginning */
	int secret; /* where the key or password is read; -1 with PSKC_PLAIN */
	enum pskc_secret kind;
};

/* 0; else an error and, in `what`, the sentence for it. */
int pskc_read(const struct pskc_job *job, struct import_list *list_r, char *what, size_t cap);

#endif
