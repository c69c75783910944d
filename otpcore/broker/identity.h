/* A relay's identity: one file with its key, its certificate and the authority's, in
 * PEM, 0600 and the daemon's own. It is replaced whole. */
#ifndef BROKER_IDENTITY_H
#define BROKER_IDENTITY_H

#include "otpcore/broker/link.h"

/* link_identity_free() it. 0; MAG_ESYS (errno), MAG_ESYNTAX, MAG_EPERM: others may read it. */
int identity_load(const char *path, struct link_identity *id_r);
int identity_save(const char *path, const struct link_identity *id);
void link_identity_free(struct link_identity *id);

#endif
