/* Paths, signatures and status words of receipts. */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "smsd/match.h"
#include "smsd/receipt.h"

#define MAC_LEN  16 /* bytes of the HMAC that stand in the path */
#define MAC_HEX  (2 * MAC_LEN)
#define SHA1_LEN 20

/* ---- words ---- */

static const char *const our_words[] = { "busy", "no-answer", "voicemail", "rejected",
	"undelivered", NULL };

static const char *our_word(const char *word)
{
	for (size_t i = 0; our_words[i]; i++)
		if (strcmp(our_words[i], word) == 0)
			return our_words[i];
	return NULL;
}

/* "busy canceled=rejected failed": the word of ours for one of the provider's; NULL:
 * it is not among them. */
static const char *failed_word(const char *words, const char *value)
{
	char copy[sizeof((struct receipt_rule *)0)->failed], *save = NULL;

	snprintf(copy, sizeof copy, "%s", words);
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		char *ours = strrchr(w, '=');
		const char *word;

		if (ours)
			*ours++ = '\0';
		if (strcasecmp(w, value) != 0)
			continue;
		word = our_word(ours ? ours : w);
		return word ? word : "undelivered";
	}
	return NULL;
}

static bool has_value(const char *words, const char *value)
{
	return failed_word(words, value) != NULL;
}

int receipt_rule_check(const struct receipt_rule *rule, char err[RECEIPT_ERROR_MAX])
{
	char copy[sizeof rule->failed], *save = NULL;

	if (!*rule->status || !*rule->delivered) {
		snprintf(err, RECEIPT_ERROR_MAX, "needs receipt_status and receipt_delivered");
		return MAG_ESYNTAX;
	}
	memcpy(copy, rule->status, sizeof rule->status);
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
		if (!*w || *w != '/' || match_pointer_check(w, err) < 0) {
			snprintf(err, RECEIPT_ERROR_MAX, "receipt_status: \"%.40s\" is no pointer",
				w);
			return MAG_ESYNTAX;
		}
	memcpy(copy, rule->failed, sizeof copy);
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		const char *ours = strrchr(w, '=');

		if (!ours || our_word(ours + 1))
			continue;
		snprintf(err, RECEIPT_ERROR_MAX,
			"receipt_failed: \"%.40s\": after = stands busy, no-answer, voicemail, "
			"rejected or undelivered",
			w);
		return MAG_ESYNTAX;
	}
	return 0;
}

void receipt_judge(const struct receipt_rule *rule,
	const char *(*value)(void *arg, const char *pointer), void *arg,
	struct gateway_result *result_r)
{
	char copy[sizeof rule->status], *save = NULL;

	result_r->delivery = SMS_NOTHING;
	memcpy(copy, rule->status, sizeof copy);
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		const char *said = value(arg, w), *word;

		if (!said)
			continue;
		if ((word = failed_word(rule->failed, said))) {
			result_r->delivery = SMS_FAILED;
			snprintf(result_r->word, sizeof result_r->word, "%s", word);
			return;
		}
		if (has_value(rule->delivered, said))
			result_r->delivery = SMS_DELIVERED;
	}
}

const char *receipt_param(void *arg, const char *pointer)
{
	const struct wire_receipt_req *q = arg;

	for (size_t i = 0; i < q->n_params; i++) {
		const char *name = q->params[i].name;

		if (strcmp(name, *name == '/' ? pointer : pointer + 1) == 0)
			return q->params[i].value;
	}
	return NULL;
}

/* ---- paths ---- */

static int mac_of(const unsigned char key[RECEIPT_KEY_LEN], const char *gateway, const char *id,
	char hex_r[MAC_HEX + 1])
{
	unsigned char mac[EVP_MAX_MD_SIZE];
	char text[80];
	size_t len = 0;
	int n = snprintf(text, sizeof text, "%s/%s", gateway, id);

	if (n < 0 || (size_t)n >= sizeof text ||
		!EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key, RECEIPT_KEY_LEN,
			(const unsigned char *)text, (size_t)n, mac, sizeof mac, &len) ||
		len < MAC_LEN)
		return MAG_ECRYPTO;
	mag_hex_encode(mac, MAC_LEN, hex_r);
	return 0;
}

int receipt_url_make(const unsigned char key[RECEIPT_KEY_LEN], const char *base,
	const char *gateway, const char *id, struct mag_secret *url_r)
{
	char mac[MAC_HEX + 1], path[128];
	int n, r = mac_of(key, gateway, id, mac);

	if (r < 0)
		return r;
	n = snprintf(path, sizeof path, "/%s/%s/%s", gateway, id, mac);
	if (n < 0 || (size_t)n >= sizeof path)
		return MAG_ENOSPACE;
	r = mag_secret_append(url_r, base, strlen(base));
	return r < 0 ? r : mag_secret_append(url_r, path, (size_t)n);
}

/* The start of the last part before `end` ("/part"); NULL if there is none. */
static const char *part_before(const char *path, const char *end)
{
	while (end > path)
		if (*--end == '/')
			return end;
	return NULL;
}

static bool copy_part(char *dst, size_t cap, const char *from, const char *end)
{
	size_t len = (size_t)(end - from) - 1;

	if (!len || len >= cap)
		return false;
	memcpy(dst, from + 1, len);
	dst[len] = '\0';
	return true;
}

int receipt_path_read(
	const unsigned char key[RECEIPT_KEY_LEN], const char *path, struct receipt_path *path_r)
{
	const char *end = path + strcspn(path, "?"), *mac, *id, *gateway;
	char want[MAC_HEX + 1], got[MAC_HEX + 1];
	struct receipt_path found;

	if (!(mac = part_before(path, end)) || !(id = part_before(path, mac)) ||
		!(gateway = part_before(path, id)) ||
		!copy_part(found.gateway, sizeof found.gateway, gateway, id) ||
		!copy_part(found.id, sizeof found.id, id, mac) ||
		!copy_part(got, sizeof got, mac, end) || strlen(got) != MAC_HEX)
		return MAG_EPERM;
	if (mac_of(key, found.gateway, found.id, want) < 0 ||
		CRYPTO_memcmp(want, got, MAC_HEX) != 0)
		return MAG_EPERM;
	found.tail = gateway;
	*path_r = found;
	return 0;
}

/* ---- Twilio ---- */

static int compare_params(const void *a, const void *b)
{
	const struct wire_receipt_param *const *x = a, *const *y = b;
	int order = strcmp((*x)->name, (*y)->name);

	return order ? order : strcmp((*x)->value, (*y)->value);
}

/* What is signed: the URL, and the parameters without anything between them. */
static int signed_text(const char *url, const struct wire_receipt_req *q, struct mag_secret *text)
{
	const struct wire_receipt_param *sorted[sizeof q->params / sizeof *q->params];
	size_t n = q->n_form < q->n_params ? q->n_form : q->n_params;
	int r = mag_secret_set_text(text, url);

	for (size_t i = 0; i < n; i++)
		sorted[i] = &q->params[i];
	qsort(sorted, n, sizeof *sorted, compare_params);
	for (size_t i = 0; i < n && r == 0; i++) {
		r = mag_secret_append(text, sorted[i]->name, strlen(sorted[i]->name));
		if (r == 0)
			r = mag_secret_append(text, sorted[i]->value, strlen(sorted[i]->value));
	}
	return r;
}

int receipt_check_twilio(
	const struct mag_secret *token, const char *url, const struct wire_receipt_req *q)
{
	unsigned char mac[EVP_MAX_MD_SIZE], want[4 * ((SHA1_LEN + 2) / 3) + 1];
	struct mag_secret text = { 0 };
	size_t len = 0;
	int r = MAG_EPERM;

	if (token->len && signed_text(url, q, &text) == 0 &&
		EVP_Q_mac(NULL, "HMAC", NULL, "SHA1", NULL, token->data, token->len, text.data,
			text.len, mac, sizeof mac, &len) &&
		len == SHA1_LEN && EVP_EncodeBlock(want, mac, SHA1_LEN) == sizeof want - 1 &&
		strlen(q->signature) == sizeof want - 1 &&
		CRYPTO_memcmp(want, q->signature, sizeof want - 1) == 0)
		r = 0;
	mag_secret_free(&text);
	return r;
}
