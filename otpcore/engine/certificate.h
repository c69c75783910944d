/* Certificates whose keys log in over ssh: rules C1, C2. X.509 (RFC 5280) is OpenSSL's;
 * what is ours is which class a certificate may have, and that its key is the one that
 * sshd accepted (RFC 4253 §6.6, RFC 5656 §3.1, RFC 8709 §4: how ssh writes keys). */
#ifndef ENGINE_CERTIFICATE_H
#define ENGINE_CERTIFICATE_H

#include "otpcore/engine/model.h"

#define CERTIFICATE_MAX 8192 /* bytes, PEM or DER */
#define SSH_KEYS_MAX    4    /* that one login may have presented */
#define POLICIES_MAX    512

/* What a certificate says, that was parsed and trusted. */
struct certificate_facts {
	char subject[257], issuer[257]; /* RFC 2253, cleaned, cut */
	char serial[65];                /* hex */
	char email[257];                /* of the subject alternative name; "" */
	char policies[POLICIES_MAX];    /* OIDs, single blanks between */
	int64_t not_before, not_after;
	unsigned char key_hash[HASH_LEN]; /* SHA-256 of the public key as ssh writes it */
	unsigned char anchor[HASH_LEN];   /* SHA-256 of the authority at the chain's end */
};

/* The authorities and what they revoked, as files hold them (PEM, any number). NULL crl:
 * none is configured. 0; MAG_EINVAL: no certificate in `ca`, or something that is not
 * one; MAG_ENOMEM. Immutable: a newer list is a new one. */
struct certificate_trust;
int certificate_trust_new(const char *ca, size_t ca_len, const char *crl, size_t crl_len,
	struct certificate_trust **t_r);
void certificate_trust_free(struct certificate_trust **t);

/* Does the chain end at a trusted authority, is it in date, for clients, and not revoked?
 * With a list configured, an issuer without a current list is no good (fail closed).
 * VERDICT_OK fills facts_r; VERDICT_CERTIFICATE_REFUSED with a reason in why_r (static:
 * "expired", "revoked", "unknown authority" ...). `pem`: the certificate first, then
 * those between it and the authority. */
enum verdict certificate_read(const struct certificate_trust *t, const void *pem, size_t len,
	int64_t now, struct certificate_facts *facts_r, const char **why_r);

/* The same question for one that was registered: its dates, whether the authority is
 * one still, and whether its issuer has revoked it or has no current list. NULL: it is
 * good, else why not. */
const char *certificate_fault(
	const struct certificate_trust *t, const struct certificate *c, int64_t now);

/* Which classes it may have: `oids[class]` are the words of magotp.conf for a class
 * ("" : nobody but an administrator gives it). */
bool certificate_may_be(const struct certificate_facts *f, const char *oids);
/* STRENGTH_BLOA, _MLOA_SOFTWARE, _MLOA_HARDWARE, or NONE; the level of a class. */
enum strength certificate_class(const char *id);
int64_t certificate_level(enum strength class);

/* Is `signature` one by the certificate's key over text? SHA-256; Ed25519 signs the text
 * itself. For who registers a certificate and has its key at hand. */
bool certificate_signed(
	const void *pem, size_t len, const char *text, const void *signature, size_t signature_len);
/* "magotp certificate USER AT": what is signed. Returns buf. */
char *certificate_challenge(const char *user, int64_t at, char *buf, size_t cap);

/* The keys that sshd says were accepted ("publickey TYPE BASE64" lines of
 * SSH_AUTH_INFO_0, sshd_config(5) ExposeAuthInfo): their hashes. How many; what is not
 * understood is passed over. */
size_t certificate_ssh_keys(
	const void *auth_info, size_t len, unsigned char hashes_r[SSH_KEYS_MAX][HASH_LEN]);

#endif
