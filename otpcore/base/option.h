/* Options are rows of a table. The parser, `magotpctl config`, --help and the
 * manual page are all made from the same rows.
 *
 * A file is read into a tree that remembers file and line of every value; then
 * a section is poured into a struct with opt_fill. Unknown or duplicate
 * sections and keys are errors that name file, line and the nearest known
 * key. Comments stand on lines of their own ('#' or ';' first); a value is
 * everything after '=' with the blanks around it taken away. */
#ifndef MAG_OPTION_H
#define MAG_OPTION_H

#include <stddef.h>
#include <stdint.h>

#include "otpcore/base/secret.h"

enum opt_type {
	OPT_TEXT,      /* char[size]                                     */
	OPT_BOOL,      /* bool; yes no true false on off                 */
	OPT_INT,       /* int64_t, min..max (0 and 0: any)               */
	OPT_DURATION,  /* int64_t seconds, min..max (0 and 0: any)       */
	OPT_ENUM,      /* int: index into choices                        */
	OPT_WORDS,     /* char[size]: words, single blanks between; each
			  one of choices where there are choices         */
	OPT_DURATIONS, /* char[size]: checked list of durations          */
	OPT_SECRET,    /* struct mag_secret: file:PATH | credential:NAME
			  (read at opt_fill; $CREDENTIALS_DIRECTORY), one
			  trailing newline is taken away                 */
};

struct opt {
	const char *key; /* "code_digits"; "field.*" takes any key that begins so */
	enum opt_type type;
	const char *def; /* as in a file; NULL: none, stays zero */
	int64_t min, max;
	const char *const *choices; /* OPT_ENUM: NULL-terminated */
	size_t offset, size;        /* where opt_fill puts it; size 0: nowhere
				       (wild keys: read with opt_each) */
	const char *doc;            /* one line */
};

/* The last but one columns of a row: where a value goes. */
#define OPT_AT(type, field) offsetof(type, field), sizeof(((type *)0)->field)

struct opt_section {
	const char *name;       /* "phone"; "service" */
	int named;              /* [service NAME]; NAME may be * */
	const struct opt *opts; /* ends with key NULL */
	const char *doc;
};

struct opt_schema {
	const struct opt_section *sections; /* ends with name NULL */
};

struct opt_tree;
struct opt_value {
	const char *section, *instance, *key, *text; /* instance "" if not named */
	const char *file;
	int line;
};

#define OPT_ERROR_MAX 512

/* Read `file`, then the *.conf files of `dropin_dir` (NULL: none) in byte
 * order; a drop-in may set again what an earlier file set, a file may not set
 * a key twice. err receives "file:line: what is wrong; what to do".
 * 0, MAG_ESYS (cannot be read), MAG_ESYNTAX, MAG_ERANGE, MAG_ENOMEM. */
int opt_load(const char *file, const char *dropin_dir, const struct opt_schema *schema,
	struct opt_tree **tree_r, char err[OPT_ERROR_MAX]);
int opt_load_text(const char *name, const char *text, const struct opt_schema *schema,
	struct opt_tree **tree_r, char err[OPT_ERROR_MAX]);
void opt_tree_free(struct opt_tree **tree);

/* A value as it stands in the files; NULL if not set. Borrowed. */
const struct opt_value *opt_get(
	const struct opt_tree *t, const char *section, const char *instance, const char *key);

/* Every value, in the order of the files; stops when fn returns non-zero and
 * returns that. section and instance NULL: all. */
int opt_each(const struct opt_tree *t, const char *section, const char *instance,
	int (*fn)(const struct opt_value *v, void *arg), void *arg);

/* The instances of a named section, each once, in the order of the files. */
int opt_each_instance(const struct opt_tree *t, const char *section,
	int (*fn)(const char *instance, void *arg), void *arg);

/* Pour [section] or [section instance] into the struct at `base`: what the
 * files say, else the defaults. `t` may be NULL: defaults only.
 * 0, MAG_ESYNTAX, MAG_ERANGE, MAG_ENOSPACE, MAG_ESYS (secret file), MAG_ENOMEM. */
int opt_fill(const struct opt_tree *t, const struct opt_section *section, const char *instance,
	void *base, char err[OPT_ERROR_MAX]);

/* Only what the files say for this instance; defaults are left alone. Used
 * for [service NAME] over [service *]. */
int opt_overlay(const struct opt_tree *t, const struct opt_section *section, const char *instance,
	void *base, char err[OPT_ERROR_MAX]);

/* Decode one value by its row (a module's argument, `config check`). */
int opt_set(const struct opt *o, const char *text, void *base, char err[OPT_ERROR_MAX]);

/* The row for a key; NULL if unknown. nearest_r (may be NULL) then gets the
 * nearest known key or NULL. */
const struct opt *opt_find(const struct opt *opts, const char *key, const char **nearest_r);

#endif
