/* Messages that are handed over as files: the common end of outbox and spool. */
#ifndef SMSD_FILE_DROP_H
#define SMSD_FILE_DROP_H

#include "smsd/gateway.h"

/* Write `document` as directory/name and answer the attempt: accepted once file and
 * name are on the disk. A reader finds it whole or not at all: it is written beside
 * it (".name.new") and renamed. Its group may do with it what it may do with the
 * directory. r: what making the document came to; negative ends the attempt. */
void file_drop(struct attempt *a, const char *directory, const char *name, int r,
	const struct mag_secret *document);

/* A setting that names a directory. 0 or MAG_ESYNTAX with err. */
int file_drop_check(const struct gateway *g, const char *directory, char err[OPT_ERROR_MAX]);

#endif
