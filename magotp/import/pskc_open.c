/* Encrypted values (RFC 6030 §6): the MAC over the encrypted octets first, then
 * AES-CBC as XML Encryption has it; in the tree they become plain ones, which is
 * what libpskc reads. */
#include <libxml/parser.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdbool.h>
#include <string.h>

#include "magotp/import/pskc.h"
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"

#define NAMESPACE "urn:ietf:params:xml:ns:keyprov:pskc"

struct opener {
	struct mag_secret key, mac_key;
	const EVP_MD *mac; /* NULL: the file has no MACMethod */
	char id[80];       /* of the key at hand */
	struct pskc_fault *fault;
};

/* ---- the tree ---- */

xmlNode *pskc_child(const xmlNode *parent, const char *name)
{
	for (xmlNode *n = parent->children; n; n = n->next)
		if (n->type == XML_ELEMENT_NODE && mag_streq((const char *)n->name, name))
			return n;
	return NULL;
}

/* Without the blanks around it. */
static int copy_trimmed(xmlChar *text, char *buf, size_t cap)
{
	const char *p = text ? (const char *)text : "";
	size_t n;
	int r = 0;

	p += strspn(p, " \t\r\n");
	n = strlen(p);
	while (n && strchr(" \t\r\n", p[n - 1]))
		n--;
	*buf = 0;
	if (n < cap) {
		memcpy(buf, p, n);
		buf[n] = 0;
	} else {
		r = MAG_ERANGE;
	}
	if (text) {
		mag_wipe(text, strlen((char *)text));
		xmlFree(text);
	}
	return r;
}

int pskc_text(const xmlNode *node, char *buf, size_t cap)
{
	return copy_trimmed(xmlNodeGetContent(node), buf, cap);
}

int pskc_attribute(const xmlNode *node, const char *name, char *buf, size_t cap)
{
	return copy_trimmed(xmlGetNoNsProp(node, (const xmlChar *)name), buf, cap);
}

int pskc_base64(const xmlNode *node, struct mag_secret *raw_r)
{
	EVP_ENCODE_CTX *ctx = EVP_ENCODE_CTX_new();
	unsigned char raw[1024];
	char text[1024];
	int n = 0, rest = 0, r = MAG_EINVAL;

	EVP_DecodeInit(ctx);
	if (ctx && !pskc_text(node, text, sizeof text) &&
		EVP_DecodeUpdate(ctx, raw, &n, (unsigned char *)text, (int)strlen(text)) >= 0 &&
		EVP_DecodeFinal(ctx, raw + n, &rest) == 1)
		r = mag_secret_set(raw_r, raw, (size_t)n + (size_t)rest);
	EVP_ENCODE_CTX_free(ctx);
	mag_wipe(raw, sizeof raw);
	mag_wipe(text, sizeof text);
	return r;
}

/* ---- one encrypted value ---- */

static int wrong(struct opener *o, const char *what)
{
	return pskc_fault(o->fault, *o->id ? o->id : NULL, what);
}

static const EVP_CIPHER *cipher(const xmlNode *method, size_t *key_len_r)
{
	static const struct {
		const char *uri;
		size_t key_len;
		const EVP_CIPHER *(*cipher)(void);
	} known[] = {
		{ "http://www.w3.org/2001/04/xmlenc#aes128-cbc", 16, EVP_aes_128_cbc },
		{ "http://www.w3.org/2001/04/xmlenc#aes192-cbc", 24, EVP_aes_192_cbc },
		{ "http://www.w3.org/2001/04/xmlenc#aes256-cbc", 32, EVP_aes_256_cbc },
	};
	char uri[128];

	if (!method || pskc_attribute(method, "Algorithm", uri, sizeof uri))
		return NULL;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (mag_streq(known[i].uri, uri)) {
			*key_len_r = known[i].key_len;
			return known[i].cipher();
		}
	return NULL;
}

/* XML Encryption §5.2: the vector first; the last octet is the length of the
 * padding, whose other octets are arbitrary. */
static int decrypt_cbc(const EVP_CIPHER *how, const struct mag_secret *key,
	const struct mag_secret *in, struct mag_secret *out_r)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	unsigned char plain[1024];
	int n = 0, rest = 0, r = MAG_EINVAL;
	size_t len = 0, pad = 0;

	if (ctx && in->len >= 32 && in->len % 16 == 0 && in->len <= sizeof plain &&
		EVP_DecryptInit_ex(ctx, how, NULL, key->data, in->data) == 1 &&
		EVP_CIPHER_CTX_set_padding(ctx, 0) == 1 &&
		EVP_DecryptUpdate(ctx, plain, &n, in->data + 16, (int)in->len - 16) == 1 &&
		EVP_DecryptFinal_ex(ctx, plain + n, &rest) == 1)
		len = (size_t)n + (size_t)rest;
	pad = len ? plain[len - 1] : 0;
	if (len && pad >= 1 && pad <= 16)
		r = mag_secret_set(out_r, plain, len - pad);
	EVP_CIPHER_CTX_free(ctx);
	mag_wipe(plain, sizeof plain);
	return r;
}

/* What an EncryptedValue or MACKey holds, in its two forms. */
static int encrypted(struct opener *o, const xmlNode *value, struct mag_secret *in_r,
	struct mag_secret *out_r, const struct mag_secret *mac)
{
	const xmlNode *data = pskc_child(value, "CipherData");
	const xmlNode *octets = data ? pskc_child(data, "CipherValue") : NULL;
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned sum_len = 0;
	size_t key_len = 0;
	const EVP_CIPHER *how = cipher(pskc_child(value, "EncryptionMethod"), &key_len);

	if (!how)
		return wrong(o, "encrypted in a way other than AES-CBC");
	if (key_len != o->key.len)
		return wrong(o, "the key has another length than the file's encryption takes");
	if (!octets || pskc_base64(octets, in_r))
		return wrong(o, "the encrypted value is missing or not base64");
	if (mac && (!HMAC(o->mac, o->mac_key.data, (int)o->mac_key.len, in_r->data, in_r->len, sum,
			    &sum_len) ||
			   sum_len != mac->len || !mag_equal(sum, mac->data, sum_len)))
		return wrong(o, "the MAC is wrong: another key or password, or a changed file");
	return decrypt_cbc(how, &o->key, in_r, out_r)
		       ? wrong(o, "cannot be decrypted with this key or password")
		       : 0;
}

/* ---- MACMethod ---- */

static const EVP_MD *mac_named(const char *uri)
{
	static const struct {
		const char *uri;
		const EVP_MD *(*md)(void);
	} known[] = {
		{ "http://www.w3.org/2000/09/xmldsig#hmac-sha1", EVP_sha1 },
		{ "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256", EVP_sha256 },
		{ "http://www.w3.org/2001/04/xmldsig-more#hmac-sha384", EVP_sha384 },
		{ "http://www.w3.org/2001/04/xmldsig-more#hmac-sha512", EVP_sha512 },
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (mag_streq(known[i].uri, uri))
			return known[i].md();
	return NULL;
}

static int open_mac(struct opener *o, xmlNode *container)
{
	const xmlNode *method = pskc_child(container, "MACMethod"), *key;
	struct mag_secret in = { 0 };
	char uri[128];
	int r;

	if (!method)
		return wrong(o, "it has encrypted values without a MAC");
	if (pskc_attribute(method, "Algorithm", uri, sizeof uri) || !(o->mac = mac_named(uri)))
		return wrong(o, "its MAC is not HMAC with SHA-1 or SHA-2");
	key = pskc_child(method, "MACKey");
	if (!key) /* §6.1.1: then it is the encryption key */
		return mag_secret_set(&o->mac_key, o->key.data, o->key.len);
	r = encrypted(o, key, &in, &o->mac_key, NULL);
	mag_secret_free(&in);
	if (!r && !o->mac_key.len)
		r = wrong(o, "its MAC key is empty");
	return r;
}

/* ---- values of a key ---- */

/* Secrets become base64; numbers, which are big-endian octets, decimal. */
static int plain_text(const struct mag_secret *raw, bool number, char *buf, size_t cap)
{
	uint64_t n = 0;

	if (!number) {
		if (raw->len > 256 || cap < 4 * (raw->len + 2) / 3 + 1)
			return MAG_ERANGE;
		EVP_EncodeBlock((unsigned char *)buf, raw->data, (int)raw->len);
		return 0;
	}
	if (!raw->len || raw->len > 8)
		return MAG_ERANGE;
	for (size_t i = 0; i < raw->len; i++)
		n = n << 8 | raw->data[i];
	snprintf(buf, cap, "%llu", (unsigned long long)n);
	return 0;
}

static int open_value(struct opener *o, xmlNode *field)
{
	xmlNode *value = pskc_child(field, "EncryptedValue"), *sum, *plain;
	struct mag_secret mac = { 0 }, in = { 0 }, out = { 0 };
	bool number = !mag_streq((const char *)field->name, "Secret");
	char text[512];
	int r = 0;

	if (!value)
		return 0;
	if (pskc_child(field, "PlainValue"))
		return wrong(o, "a value is there both encrypted and plain");
	sum = pskc_child(field, "ValueMAC");
	if (!r && (!sum || pskc_base64(sum, &mac)))
		r = wrong(o, "an encrypted value has no MAC");
	if (!r)
		r = encrypted(o, value, &in, &out, &mac);
	if (!r && plain_text(&out, number, text, sizeof text))
		r = wrong(o, "a decrypted value is too long");
	if (!r) {
		xmlUnlinkNode(value);
		xmlFreeNode(value);
		xmlUnlinkNode(sum);
		xmlFreeNode(sum);
		plain = xmlNewTextChild(
			field, field->ns, (const xmlChar *)"PlainValue", (const xmlChar *)text);
		r = plain ? 0 : MAG_ENOMEM;
	}
	mag_wipe(text, sizeof text);
	mag_secret_free(&mac);
	mag_secret_free(&in);
	mag_secret_free(&out);
	return r;
}

/* §5: what a policy asks for and we cannot do means that the key may not be
 * used. What we do is OTP. */
static int check_policy(struct opener *o, const xmlNode *key)
{
	const xmlNode *policy = pskc_child(key, "Policy");
	char text[128], usage[16];

	for (const xmlNode *n = policy ? policy->children : NULL; n; n = n->next) {
		if (n->type != XML_ELEMENT_NODE)
			continue;
		if (mag_streq((const char *)n->name, "KeyUsage") &&
			!pskc_text(n, usage, sizeof usage) && mag_streq(usage, "OTP"))
			continue;
		snprintf(text, sizeof text, "its policy has %.40s, which is not supported",
			(const char *)n->name);
		return wrong(o, text);
	}
	return 0;
}

static int open_package(struct opener *o, xmlNode *package)
{
	xmlNode *key = pskc_child(package, "Key"), *data;
	int r;

	*o->id = 0;
	if (!key)
		return wrong(o, "a key package has no key");
	if (pskc_attribute(key, "Id", o->id, sizeof o->id) || !*o->id)
		return wrong(o, "a key has no Id, or a very long one");
	r = check_policy(o, key);
	xmlUnsetProp(key, (const xmlChar *)"Issuer"); /* figure 2 has it; libpskc has not */
	data = pskc_child(key, "Data");
	for (xmlNode *n = data ? data->children : NULL; !r && n; n = n->next)
		if (n->type == XML_ELEMENT_NODE)
			r = open_value(o, n);
	return r;
}

/* ---- the container ---- */

/* Is anything encrypted? Only then a key is needed. */
static bool any_encrypted(const xmlNode *container)
{
	for (const xmlNode *p = container->children; p; p = p->next) {
		const xmlNode *key = p->type == XML_ELEMENT_NODE ? pskc_child(p, "Key") : NULL;
		const xmlNode *data = key ? pskc_child(key, "Data") : NULL;

		for (const xmlNode *n = data ? data->children : NULL; n; n = n->next)
			if (n->type == XML_ELEMENT_NODE && pskc_child(n, "EncryptedValue"))
				return true;
	}
	return false;
}

/* What libpskc would stumble over and has done its work. */
static void drop_done(xmlNode *root)
{
	static const char *const done[] = { "EncryptionKey", "MACMethod" };

	for (size_t i = 0; i < sizeof done / sizeof *done; i++) {
		xmlNode *n = pskc_child(root, done[i]);

		if (n) {
			xmlUnlinkNode(n);
			xmlFreeNode(n);
		}
	}
}

int pskc_open(xmlDoc *doc, const struct pskc_unlock *u, struct pskc_fault *f)
{
	xmlNode *root = xmlDocGetRootElement(doc);
	struct opener o = { .fault = f };
	char version[16];
	int r = 0;

	if (!root || !mag_streq((const char *)root->name, "KeyContainer") || !root->ns ||
		!mag_streq((const char *)root->ns->href, NAMESPACE))
		return pskc_fault(f, NULL, "it is no PSKC file (KeyContainer of RFC 6030)");
	if (pskc_attribute(root, "Version", version, sizeof version) || !mag_streq(version, "1.0"))
		return pskc_fault(f, NULL, "its Version is missing or not 1.0");
	if (any_encrypted(root)) {
		r = pskc_key(root, u, &o.key, f);
		if (!r)
			r = open_mac(&o, root);
	}
	for (xmlNode *n = root->children; !r && n; n = n->next)
		if (n->type == XML_ELEMENT_NODE && mag_streq((const char *)n->name, "KeyPackage"))
			r = open_package(&o, n);
	if (!r)
		drop_done(root);
	mag_secret_free(&o.key);
	mag_secret_free(&o.mac_key);
	return r;
}
