/* The parts of pskc-import. Each returns 0, or MAG_EINVAL with the sentence in
 * the fault. Keys are named by their Id. */
#ifndef IMPORT_PSKC_H
#define IMPORT_PSKC_H

#include <libxml/tree.h>
#include <stddef.h>
#include <stdio.h>

#include "otpcore/base/secret.h"

#define PSKC_FILE_MAX   (64u << 20)
#define PSKC_DEPTH_MAX  32
#define PSKC_ROUNDS_MAX 2000000 /* PBKDF2: a second or two */

struct pskc_fault {
	char text[400];
};

/* key NULL: about the file. Returns MAG_EINVAL. */
int pskc_fault(struct pskc_fault *f, const char *key, const char *what);

/* What decrypts the file, as it was given. */
struct pskc_unlock {
	struct mag_secret key, password;
};

/* Before any parser sees it: UTF-8, no DOCTYPE, no entities, not too deep. */
int pskc_scan(const char *data, size_t len, struct pskc_fault *f);

/* Version and policies; encrypted values are checked by their MAC, decrypted
 * and replaced by plain ones. */
int pskc_open(xmlDoc *doc, const struct pskc_unlock *u, struct pskc_fault *f);

/* One EncryptionKey or DerivedKey of the file turned into the key (pskc_key.c). */
int pskc_key(xmlNode *container, const struct pskc_unlock *u, struct mag_secret *key_r,
	struct pskc_fault *f);

/* Check all keys of the document, then write them as CSV. */
int pskc_rows(const char *xml, size_t len, FILE *out, struct pskc_fault *f);

/* No new rights, no files, no calls but those of parsing. Errors are MAG_ESYS. */
int pskc_fence(void);

/* The first child element with this local name; NULL. */
xmlNode *pskc_child(const xmlNode *parent, const char *name);
/* The text of an element, or the attribute, in a buffer; "" if there is none.
 * MAG_ERANGE: longer. */
int pskc_text(const xmlNode *node, char *buf, size_t cap);
int pskc_attribute(const xmlNode *node, const char *name, char *buf, size_t cap);
/* The base64 text of an element. 0 or MAG_EINVAL. */
int pskc_base64(const xmlNode *node, struct mag_secret *raw_r);

#endif
