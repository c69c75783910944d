#include "otpcore/seal/tpm.h"

#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"

#ifndef HAVE_TPM

int tpm_seal(const char *tcti, const void *data, size_t len, unsigned char object_r[TPM_OBJECT_MAX],
	size_t *len_r)
{
	(void)tcti, (void)data, (void)len, (void)object_r, (void)len_r;
	return MAG_EUNSUPPORTED;
}

int tpm_open(const char *tcti, const unsigned char *object, size_t len, struct mag_secret *data_r)
{
	(void)tcti, (void)object, (void)len, (void)data_r;
	return MAG_EUNSUPPORTED;
}

#else

#include <tss2/tss2_esys.h>
#include <tss2/tss2_mu.h>
#include <tss2/tss2_rc.h>
#include <tss2/tss2_tctildr.h>

#define DEVICE    "device:/dev/tpmrm0"

static const char magic[] = "magotp tpm 1\n";
#define MAGIC_LEN (sizeof(magic) - 1)

struct tpm {
	TSS2_TCTI_CONTEXT *tcti;
	ESYS_CONTEXT *esys;
	ESYS_TR primary, session;
};

/* The storage primary as the TCG's provisioning guidance has it (ECC P-256): made anew each
 * time from the TPM's own seed, and the same each time. */
static const TPM2B_PUBLIC primary_template = {
	.publicArea = {
		.type = TPM2_ALG_ECC,
		.nameAlg = TPM2_ALG_SHA256,
		.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
				    TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH |
				    TPMA_OBJECT_NODA | TPMA_OBJECT_RESTRICTED |
				    TPMA_OBJECT_DECRYPT,
		.parameters.eccDetail = {
			.symmetric = { .algorithm = TPM2_ALG_AES, .keyBits.aes = 128,
				.mode.aes = TPM2_ALG_CFB },
			.scheme.scheme = TPM2_ALG_NULL,
			.curveID = TPM2_ECC_NIST_P256,
			.kdf.scheme = TPM2_ALG_NULL,
		},
	},
};
static const TPM2B_PUBLIC sealed_template = {
	.publicArea = {
		.type = TPM2_ALG_KEYEDHASH,
		.nameAlg = TPM2_ALG_SHA256,
		.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
				    TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA,
		.parameters.keyedHashDetail.scheme.scheme = TPM2_ALG_NULL,
	},
};
static const TPM2B_DATA no_data;
static const TPML_PCR_SELECTION no_pcrs;

static void tpm_close(struct tpm *t)
{
	if (t->session != ESYS_TR_NONE)
		Esys_FlushContext(t->esys, t->session);
	if (t->primary != ESYS_TR_NONE)
		Esys_FlushContext(t->esys, t->primary);
	if (t->esys)
		Esys_Finalize(&t->esys);
	if (t->tcti)
		Tss2_TctiLdr_Finalize(&t->tcti);
}

/* What goes over the bus to or from the TPM is encrypted under a session that is salted with
 * its primary key: who only listens there learns nothing. */
static int start_session(struct tpm *t)
{
	const TPMT_SYM_DEF aes = {
		.algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB
	};

	if (Esys_StartAuthSession(t->esys, t->primary, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
		    ESYS_TR_NONE, NULL, TPM2_SE_HMAC, &aes, TPM2_ALG_SHA256, &t->session))
		return MAG_ECRYPTO;
	return Esys_TRSess_SetAttributes(t->esys, t->session,
		       TPMA_SESSION_CONTINUESESSION | TPMA_SESSION_DECRYPT | TPMA_SESSION_ENCRYPT,
		       0xff)
		       ? MAG_ECRYPTO
		       : 0;
}

static int tpm_start(const char *tcti, struct tpm *t)
{
	const TPM2B_SENSITIVE_CREATE none = { 0 };
	TSS2_RC rc;

	*t = (struct tpm){ .primary = ESYS_TR_NONE, .session = ESYS_TR_NONE };
	/* The library would write its own lines to stderr; what is wrong our callers say. */
	(void)setenv("TSS2_LOG", "all+NONE", 0);
	if (Tss2_TctiLdr_Initialize(tcti && *tcti ? tcti : DEVICE, &t->tcti) ||
		Esys_Initialize(&t->esys, t->tcti, NULL))
		return MAG_EDOWN;
	rc = Esys_CreatePrimary(t->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE,
		ESYS_TR_NONE, &none, &primary_template, &no_data, &no_pcrs, &t->primary, NULL, NULL,
		NULL, NULL);
	if (rc)
		return (rc & TSS2_RC_LAYER_MASK) == TSS2_TPM_RC_LAYER ? MAG_EPERM : MAG_EDOWN;
	return start_session(t);
}

/* ---- the file: magic, public part, private part, as the TPM writes them ---- */

static int pack(const TPM2B_PUBLIC *public, const TPM2B_PRIVATE *private,
	unsigned char object_r[TPM_OBJECT_MAX], size_t *len_r)
{
	size_t at = MAGIC_LEN;

	memcpy(object_r, magic, MAGIC_LEN);
	if (Tss2_MU_TPM2B_PUBLIC_Marshal(public, object_r, TPM_OBJECT_MAX, &at) ||
		Tss2_MU_TPM2B_PRIVATE_Marshal(private, object_r, TPM_OBJECT_MAX, &at))
		return MAG_ECRYPTO;
	*len_r = at;
	return 0;
}

static int unpack(
	const unsigned char *object, size_t len, TPM2B_PUBLIC *public_r, TPM2B_PRIVATE *private_r)
{
	size_t at = MAGIC_LEN;

	if (len < MAGIC_LEN || memcmp(object, magic, MAGIC_LEN) != 0 ||
		Tss2_MU_TPM2B_PUBLIC_Unmarshal(object, len, &at, public_r) ||
		Tss2_MU_TPM2B_PRIVATE_Unmarshal(object, len, &at, private_r) || at != len)
		return MAG_ESYNTAX;
	return 0;
}

/* ---- */

int tpm_seal(const char *tcti, const void *data, size_t len, unsigned char object_r[TPM_OBJECT_MAX],
	size_t *len_r)
{
	TPM2B_SENSITIVE_CREATE in = { 0 };
	TPM2B_PRIVATE *private = NULL;
	TPM2B_PUBLIC *public = NULL;
	struct tpm t;
	int r = MAG_EINVAL;

	if (len > sizeof(in.sensitive.data.buffer))
		return r;
	r = tpm_start(tcti, &t);
	if (r < 0)
		goto out;
	in.sensitive.data.size = (UINT16)len;
	memcpy(in.sensitive.data.buffer, data, len);
	r = Esys_Create(t.esys, t.primary, t.session, ESYS_TR_NONE, ESYS_TR_NONE, &in,
		    &sealed_template, &no_data, &no_pcrs, &private, &public, NULL, NULL, NULL)
		    ? MAG_ECRYPTO
		    : pack(public, private, object_r, len_r);
out:
	mag_wipe(&in, sizeof(in));
	Esys_Free(private);
	Esys_Free(public);
	tpm_close(&t);
	return r;
}

static int unseal(struct tpm *t, ESYS_TR object, struct mag_secret *data_r)
{
	TPM2B_SENSITIVE_DATA *out = NULL;
	int r = MAG_ECRYPTO;

	/* The command has no parameter to encrypt. */
	if (Esys_TRSess_SetAttributes(t->esys, t->session,
		    TPMA_SESSION_CONTINUESESSION | TPMA_SESSION_ENCRYPT, 0xff) ||
		Esys_Unseal(t->esys, object, t->session, ESYS_TR_NONE, ESYS_TR_NONE, &out))
		return r;
	r = mag_secret_set(data_r, out->buffer, out->size);
	mag_wipe(out, sizeof(*out));
	Esys_Free(out);
	return r;
}

int tpm_open(const char *tcti, const unsigned char *object, size_t len, struct mag_secret *data_r)
{
	TPM2B_PUBLIC public = { 0 };
	TPM2B_PRIVATE private = { 0 };
	ESYS_TR loaded = ESYS_TR_NONE;
	struct tpm t;
	int r = unpack(object, len, &public, &private);

	if (r < 0)
		return r;
	r = tpm_start(tcti, &t);
	if (r == 0 && Esys_Load(t.esys, t.primary, t.session, ESYS_TR_NONE, ESYS_TR_NONE, &private,
			      &public, &loaded))
		r = MAG_ECRYPTO;
	if (r == 0)
		r = unseal(&t, loaded, data_r);
	if (loaded != ESYS_TR_NONE)
		Esys_FlushContext(t.esys, loaded);
	tpm_close(&t);
	return r;
}

#endif
