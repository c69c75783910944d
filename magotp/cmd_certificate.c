/* Certificates whose keys log in over ssh (C1): a person's own, or an administrator's
 * work on somebody's. */
#include <json-c/json.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "magotp/cmd.h"
#include "otpcore/base/text.h"

static const struct column columns[] = {
	{ "ID", "id", CELL_TEXT },
	{ "CLASS", "class", CELL_TEXT },
	{ "STATE", "state", CELL_TEXT },
	{ "SUBJECT", "subject", CELL_TEXT },
	{ "LAST USED", "last_used", CELL_MINUTE },
	{ "EXPIRES", "expires", CELL_DAY },
	{ "FAULT", "fault", CELL_TEXT },
	{ NULL, "issuer", CELL_TEXT },
	{ NULL, "serial", CELL_TEXT },
	{ NULL, "created", CELL_MINUTE },
	{ NULL, "label", CELL_TEXT },
	{ NULL, NULL, CELL_TEXT },
};

int cmd_certificate_list(struct cli *c)
{
	struct wire_certificate_list_req q = { 0 };
	struct wire_certificate_list_rep p = { 0 };
	struct table *t;
	int r = cli_settings(c);

	mag_copy(q.user, sizeof q.user, c->user);
	if (r == CLI_DONE)
		r = cli_request(c, WIRE_MSG_CERTIFICATE_LIST, &q, &p);
	if (r != CLI_DONE)
		return r;
	t = table_new(columns);
	if (!t)
		return cli_fail(c, CLI_REFUSED, "no-memory", "Out of memory.");
	for (size_t i = 0; i < p.n_certificates; i++) {
		const struct wire_certificate *k = &p.certificates[i];

		table_text(t, k->id);
		table_text(t, k->class);
		table_text(t, k->state);
		table_text(t, k->subject);
		table_int(t, k->last_used);
		table_int(t, k->not_after);
		table_text(t, k->fault);
		table_text(t, k->issuer);
		table_text(t, k->serial);
		table_int(t, k->created);
		table_text(t, k->label);
	}
	r = table_print(c, t);
	table_free(&t);
	return r;
}

/* ---- add ---- */

static int read_certificate(
	const struct cli *c, const char *path, struct wire_certificate_add_req *q)
{
	FILE *f = fopen(path, "re");
	size_t n = f ? fread(q->pem.data, 1, sizeof q->pem.data, f) : 0;
	bool more = f && fgetc(f) != EOF;

	if (f)
		fclose(f);
	if (!f || !n)
		return cli_fail(c, CLI_REFUSED, "file", "%s cannot be read.", path);
	if (more)
		return cli_fail(c, CLI_REFUSED, "file",
			"%s is larger than a certificate with its chain (%zu bytes).", path,
			sizeof q->pem.data);
	q->pem.len = n;
	return CLI_DONE;
}

/* What the broker checks: a signature over name and time by the certificate's key. */
static bool sign(EVP_PKEY *key, const char *text, struct wire_certificate_add_req *q)
{
	const EVP_MD *digest = EVP_PKEY_is_a(key, "ED25519") ? NULL : EVP_sha256();
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t len = sizeof q->signature.data;
	bool ok =
		ctx && EVP_DigestSignInit(ctx, NULL, digest, NULL, key) == 1 &&
		EVP_DigestSign(ctx, q->signature.data, &len, (const void *)text, strlen(text)) == 1;

	q->signature.len = ok ? len : 0;
	EVP_MD_CTX_free(ctx);
	return ok;
}

/* "-----BEGIN OPENSSH PRIVATE KEY-----" is not OpenSSL's to read. */
static int sign_with(const struct cli *c, const char *path, struct wire_certificate_add_req *q)
{
	FILE *f = fopen(path, "re");
	EVP_PKEY *key = f ? PEM_read_PrivateKey(f, NULL, NULL, NULL) : NULL;
	char text[320];
	bool ok;

	if (f)
		fclose(f);
	if (!key)
		return cli_fail(c, CLI_REFUSED, "file",
			"%s is no private key in PEM. For a key of ssh-keygen: "
			"ssh-keygen -p -m PKCS8 -f a copy of it, or leave --key out and log in "
			"with the key once.",
			path);
	q->signed_at = (int64_t)time(NULL);
	snprintf(text, sizeof text, "magotp certificate %s %lld", q->user, (long long)q->signed_at);
	ok = sign(key, text, q);
	EVP_PKEY_free(key);
	return ok ? CLI_DONE : cli_fail(c, CLI_REFUSED, "file", "The key in %s cannot sign.", path);
}

static int say_added(const struct cli *c, const struct wire_certificate_add_rep *p)
{
	struct json_object *o;
	char day[32];

	if (c->json) {
		o = json_object_new_object();
		json_object_object_add(o, "id", json_object_new_string(p->id));
		json_object_object_add(o, "state", json_object_new_string(p->state));
		json_object_object_add(o, "subject", json_object_new_string(p->subject));
		json_object_object_add(o, "expires", cli_json_time(p->not_after));
		cli_json_print(&o);
		return CLI_DONE;
	}
	cli_say(c, "%s is registered: %s, until %s", p->id, p->subject,
		mag_time_day(p->not_after, day, sizeof day));
	if (mag_streq(p->state, "pending"))
		cli_note(c, "It counts from the first ssh login with its key on.");
	return CLI_DONE;
}

int cmd_certificate_add(struct cli *c)
{
	static struct wire_certificate_add_req q; /* large: not on the stack */
	struct wire_certificate_add_rep p = { 0 };
	const char *class = cli_opt(c, "--class"), *key = cli_opt(c, "--key");
	const char *label = cli_opt(c, "--label");
	int r;

	mag_copy(q.user, sizeof q.user, c->user);
	if (!class || mag_copy(q.class, sizeof q.class, class))
		return cli_usage(c, "--class is missing: bloa, mloa-software or mloa-hardware");
	if (label && mag_copy(q.label, sizeof q.label, label))
		return cli_usage(c, "--label: at most 64 letters");
	r = read_certificate(c, cli_arg(c, 0), &q);
	if (r == CLI_DONE && key)
		r = sign_with(c, key, &q);
	if (r == CLI_DONE)
		r = cli_settings(c);
	if (r == CLI_DONE)
		r = cli_request_grant(c, WIRE_MSG_CERTIFICATE_ADD, &q, &q.grant, &p);
	return r == CLI_DONE ? say_added(c, &p) : r;
}

int cmd_certificate_delete(struct cli *c)
{
	struct wire_certificate_delete_req q = { 0 };
	struct wire_certificate_delete_rep p = { 0 };
	const char *id = cli_arg(c, 0);
	int r = CLI_DONE;

	mag_copy(q.user, sizeof q.user, c->user);
	if (mag_copy(q.id, sizeof q.id, id))
		return cli_usage(c, "%s: a certificate's id is c1 to c4", id);
	if (!cli_opt(c, "--yes") && cli_can_ask())
		r = cli_confirm_no(c, "Delete this certificate? (y/N) ");
	else if (!cli_opt(c, "--yes"))
		return cli_usage(c, "this is asked first; --yes says it in a pipe");
	if (r == CLI_DONE)
		r = cli_settings(c);
	if (r == CLI_DONE)
		r = cli_request_grant(c, WIRE_MSG_CERTIFICATE_DELETE, &q, &q.grant, &p);
	if (r == CLI_DONE && p.own)
		cli_note(c, "This session rested on it: it is worth a password now.");
	return cli_changed(c, r, id, "is deleted");
}
