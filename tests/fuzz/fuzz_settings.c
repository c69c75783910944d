/* The files of settings as a whole, by the daemons' own readers: magotp.conf and smsd.conf
 * with what lies beside them. Parts of the input are parted by form feeds. */
#include <stdio.h>

#include <json-c/json.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/settings/settings.h"
#include "smsd/gateway/http_settings.h"
#include "smsd/settings.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/pki.h"

#define PARTS_MAX 3
#define FOLDER    "FOLDER" /* in the input: where the files lie */

/* What the credentials are, and must not be read in any message. */
static const char hidden[] = "hunter2/p&a+s=s";

/* A device could be read for ever, or somebody waited for. */
static const char *folder(void);

static bool may_be_read(const uint8_t *data, size_t len)
{
	folder();
	return len > 0 && !memmem(data, len, "/dev", 4) && !memmem(data, len, "/proc", 5) &&
	       !memmem(data, len, "/sys", 4) && !memmem(data, len, "/run", 4);
}

static const char *folder(void)
{
	static char path[64];

	setenv("CREDENTIALS_DIRECTORY", fuzz_file("credentials", NULL, 0), 1);
	if (!*path) {
		snprintf(path, sizeof path, "%s", fuzz_file("credentials", NULL, 0));
		fuzz_file("credentials/password", hidden, strlen(hidden));
		fuzz_file("credentials/empty", "", 0);
		fuzz_file("credentials/line", "secret\n", 7);
		fuzz_file("credentials/certificate", pki_p384, strlen(pki_p384));
		fuzz_file("credentials/key", pki_p384_key, strlen(pki_p384_key));
	}
	return path;
}

/* Part `i` as a file; an input without it: `otherwise`. */
static const char *put_part(
	const uint8_t *data, size_t len, unsigned i, const char *name, const char *otherwise)
{
	const uint8_t *end = data + len, *p = data, *next;
	char *text = NULL;
	size_t n = 0;
	FILE *out;

	for (; i > 0 && p; i--) {
		p = memchr(p, '\f', (size_t)(end - p));
		p = p ? p + 1 : NULL;
	}
	if (!p)
		return fuzz_file(name, otherwise, strlen(otherwise));
	next = memchr(p, '\f', (size_t)(end - p));
	end = next ? next : end;
	out = open_memstream(&text, &n);
	FUZZ_CHECK(out != NULL);
	while ((next = memmem(p, (size_t)(end - p), FOLDER, strlen(FOLDER))) != NULL) {
		fwrite(p, 1, (size_t)(next - p), out);
		fputs(folder(), out);
		p = next + strlen(FOLDER);
	}
	fwrite(p, 1, (size_t)(end - p), out);
	FUZZ_CHECK(fclose(out) == 0);
	name = fuzz_file(name, text, n);
	free(text);
	return name;
}

static void check_error(int r, const char *err, const uint8_t *data, size_t len)
{
	FUZZ_CHECK(memchr(err, 0, OPT_ERROR_MAX) != NULL);
	FUZZ_CHECK(r == 0 || *err != '\0');
	/* Fuzzers learn the word, and write it into the file. */
	if (r < 0 && !memmem(data, len, hidden, 7))
		FUZZ_CHECK(!strstr(err, hidden));
}

/* ---- magotp.conf, and a file beside it ---- */

void fuzz_magotp_conf(const uint8_t *data, size_t len)
{
	static const char *const services[] = { "sshd", "*", "nobody's", "" };
	char err[OPT_ERROR_MAX] = "", path[128];
	struct settings *s = NULL;
	int r;

	if (!may_be_read(data, len))
		return;
	put_part(data, len, 1, "magotp.conf.d/a.conf", "");
	mag_copy(path, sizeof path, put_part(data, len, 0, "magotp.conf", ""));
	r = settings_load(path, &s, err);
	check_error(r, err, data, len);
	FUZZ_CHECK((r == 0) == (s != NULL));
	for (size_t i = 0; s && i < sizeof services / sizeof *services; i++) {
		struct service_settings service;
		struct application_settings application;

		memset(&service, 'x', sizeof service);
		settings_service(s, services[i], &service);
		FUZZ_CHECK(memchr(service.require, 0, sizeof service.require) != NULL);
		settings_application(s, services[i], &application);
		FUZZ_CHECK(memchr(application.terms, 0, sizeof application.terms) != NULL);
	}
	settings_free(&s);
}

static const char *value_of(struct dice *d, const struct opt *o)
{
	static const char *const values[] = { "yes", "2m", "17", "phone-otp", "", "0", "2",
		"99999999999999999999", "a b c", "\xc3\xa4", "file:FOLDER/password", "US GB",
		"credential:line", "credential:empty", "FOLDER/password", "127.0.0.1:8090", "-1",
		"https://h.example/x", "sqlite:FOLDER/store" };

	return !o->def || dice_below(d, 12) == 0 ? values[dice_below(d, 19)] : o->def;
}

static size_t put_rows(struct dice *d, const struct opt *rows, size_t one_in, char *out)
{
	size_t n = 0;

	for (const struct opt *o = rows; o && o->key; o++)
		if (!strchr(o->key, '*') && dice_below(d, one_in) == 0)
			n += (size_t)sprintf(out + n, "%s = %s\n", o->key, value_of(d, o));
	return n;
}

/* What is checked beyond its own row, each right or nearly. */
static size_t put_checked(struct dice *d, char *out)
{
	static const char *const lines[] = {
		"[broker]\nverifiers = nobody:web nobody:mail daemon:x\n",
		"[broker]\nverifiers = root:web\n", "[broker]\nverifiers = nobody\n",
		"[broker]\nverifiers = n0b0dy:web\n",
		"[broker]\nupstream = tls://a.example b:17 [2001:db8::1]:7443\n",
		"[broker]\nupstream = tls://a:0\n", "[broker]\nupstream = tls:// b\n",
		"[broker]\nupstream = tls://[::1]x c d e f g h i j\n",
		"[broker]\nupstream = tls://a tls://b tls://c tls://d tls://e\n",
		"[broker]\nmax_clients = 8\nmax_clients_per_uid = 9\n",
		"[broker]\nlisten_tls = [::]:7443\nupstream = tls://a\n",
		"[phone]\nregion_overrides = +1684=AS +1202=US\n",
		"[phone]\nregion_overrides = +0=AS\n", "[throttle]\ndelay = 9s\ndelay_max = 1s\n",
		"[policy]\nfactors = phone token phone\n", "[policy]\nfactors =\n",
		"[profile strong]\nrequire = token-otp\n[service a]\nrequire = strong\n",
		"[profile x]\n", "[profile phone-otp]\nrequire = token-otp\n",
		"[profile x]\nrequire = tokenotp\n", "[profile x]\nrequire = zzzzzzzzzzzz\n",
		"[service a]\nexempt_networks = 192.0.2.0/24 ::1 2001:db8::/32\n",
		"[service a]\nexempt_networks = 192.0.2.1/24\n",
		"[service a]\nexempt_networks = 192.0.2.0/33\n",
		"[service a]\nexempt_networks = nowhere\n", "[service a]\nrequire = nothing\n",
		"[service a]\napplication = portal\n[application portal]\nedition = 2\n",
		"[service a]\napplication = ../x\n", "[application a/b]\nedition = 1\n",
		"[store]\nurl = mysql://x\n", "[store]\nmaster_key = /x\n",
		"[store]\nurl = sqlite::memory:\njournal = no\n", "[store]\njournal = x\n",
		"[audit]\nfile = none\n", "[audit]\nfile = x\n",
		"[certificates]\nca = FOLDER/certificate\ncrl = FOLDER/line\n"
	};

	return (size_t)sprintf(out, "%s", lines[dice_below(d, sizeof lines / sizeof *lines)]);
}

size_t seed_magotp_conf(struct dice *d, uint8_t *out)
{
	static const char *const names[] = { "*", "sshd", "sudo", "web" };
	char *text = (char *)out;
	size_t n = 0;

	if (dice_below(d, 2)) {
		for (size_t k = dice_below(d, 3); k > 0; k--)
			n += put_checked(d, text + n);
		text[n++] = '\f';
		return n + put_checked(d, text + n);
	}
	for (const struct opt_section *s = settings_schema.sections; s->name; s++) {
		if (dice_below(d, 3) == 0)
			continue;
		n += (size_t)sprintf(text + n, "[%s%s%s]\n", s->name, s->named ? " " : "",
			s->named ? names[dice_below(d, 4)] : "");
		n += put_rows(d, s->opts, 4, text + n);
	}
	if (dice_below(d, 2))
		n += (size_t)sprintf(text + n, "\f[service %s]\nrequire = phone-otp\nlevel = %u\n",
			names[dice_below(d, 4)], (unsigned)dice_below(d, 4));
	return n;
}

/* ---- smsd.conf, a gateway beside it, the text of an e-mail ---- */

static void expand(const struct ph_template *t, const struct ph_values *v, struct mag_secret *out)
{
	mag_secret_free(out);
	if (t)
		(void)ph_expand(t, v, out);
}

/* Whatever the message says: it goes to the host of the file, a header is a line, a body
 * of JSON is one document. */
static void check_http(const struct http_settings *s)
{
	struct sms_message message = { .id = "a1",
		.to = "+12025550134",
		.channel = "sms",
		.language = "en",
		.host = "web1",
		.expires_at = 1120 };
	struct mag_secret text = { 0 }, out = { 0 };
	const struct ph_values values = { .message = &message,
		.text = &text,
		.from = "a&b\r\n\"",
		.now_ms = 1000000,
		.ttl_least = s->ttl_min,
		.ttl_most = s->ttl_max,
		.receipt_url = "https://r.example/?a=\"",
		.provider_id = "/../?x\r\ny#" };
	const char *host = strstr(s->url, "://");
	size_t origin = (size_t)(host - s->url) + 3 + strcspn(host + 3, "/?");
	struct json_object *json;

	FUZZ_CHECK(mag_secret_set_text(&message.code, "483920") == 0);
	FUZZ_CHECK(mag_secret_set_text(&text, "483920 \"},{\"<&%\r\n\xe2\x82\xac") == 0);
	FUZZ_CHECK(!s->end.plain || s->end.local || s->plain_http);
	expand(s->url_template, &values, &out);
	FUZZ_CHECK(out.len == 0 || (out.len >= origin && !memcmp(out.data, s->url, origin)));
	for (size_t i = 0; i < s->n_headers; i++) {
		expand(s->header[i], &values, &out);
		FUZZ_CHECK(out.len == 0 ||
			   (!memchr(out.data, '\n', out.len) && !memchr(out.data, '\r', out.len)));
	}
	expand(s->poll_template, &values, &out);
	FUZZ_CHECK(out.len == 0 || (out.len >= origin && !memcmp(out.data, s->url, origin)));
	expand(s->body, &values, &out);
	if (s->encode == ENCODE_JSON && out.len > 0) {
		json = json_tokener_parse(mag_secret_text(&out));
		FUZZ_CHECK(json != NULL);
		json_object_put(json);
	}
	mag_secret_free(&out);
	mag_secret_free(&text);
	mag_secret_free(&message.code);
}

/* A callback is judged as the section says. */
static void check_callback(const struct gateway *g)
{
	const struct http_settings *s = g->driver;
	struct gateway_result result = { 0 };
	struct wire_receipt_req q = { .n_params = 1 };
	int r;

	strcpy(q.params[0].name, "status");
	strcpy(q.params[0].value, "failed");
	r = http_receipt(g, &q, "https://r.example/hook", &result);
	FUZZ_CHECK(r == 0 ? s->receipt_signature == SIGNED_NOT : r == MAG_EPERM);
	FUZZ_CHECK(r == 0 || result.delivery == 0);
}

void fuzz_smsd_conf(const uint8_t *data, size_t len)
{
	static void *const shared[16];
	char err[OPT_ERROR_MAX] = "", path[128];
	struct smsd_settings *s = NULL;
	int r;

	if (!may_be_read(data, len))
		return;
	put_part(data, len, 1, "smsd/gateways.d/a.conf", "");
	put_part(data, len, 2, "smsd/templates/code.txt", "Subject: Code\n\n{code}\n");
	mag_copy(path, sizeof path, put_part(data, len, 0, "smsd/smsd.conf", ""));
	r = smsd_settings_load(path, shared, &s, err);
	check_error(r, err, data, len);
	FUZZ_CHECK((r == 0) == (s != NULL));
	for (size_t i = 0; s && i < s->n_gateways; i++) {
		const struct gateway *g = s->gateways[i];

		FUZZ_CHECK(g->ops && *g->name && memchr(g->from, 0, sizeof g->from));
		FUZZ_CHECK(!g->receipts || g->ops->receipt || g->ops->poll);
		if (g->ops == &gateway_http)
			check_http(g->driver);
		if (g->ops == &gateway_http && g->receipts == RECEIPTS_CALLBACK)
			check_callback(g);
	}
	smsd_settings_free(&s);
}

/* Whole gateways of each driver, right but for what is drawn. */
static size_t put_gateway(struct dice *d, char *out)
{
	static const char *const encoded[] = {
		"encode = form\nfield.To = {to}\nfield.Body = {text}\nvar.sid = AC{0\n",
		("encode = json\nfield./messages/0/to = {to_digits}\nfield./ttl = {ttl:number}\n"
		 "field./messages/0/text = {text}\nfield./a~1b = {alphabet:GSM:UCS2}\n"
		 "header.Content-Type = application/json\n"),
		"encode = query\nmethod = GET\nfield.text = {text}\nfield.to = {to}\n",
		("encode = json\nfield./x = <Say>{text:xml}</Say>\nvar.k = credential:line\n"
		 "field./ttl = {ttl_ms:number}\nfield./e = {expires_iso} {lang} {locale} {code}\n"
		 "field./v = {var.k} {username} {password}\nfield./m = {ttl_min:number}\n"),
	};
	static const char *const auths[] = { "auth = basic\nusername = {var.sid}\n",
		"auth = bearer\n", "auth = header\nheader.Authorization = App {password}\n",
		"auth = sigv4\nusername = AK\nsigv4 = aws:amz:us-east-1:sns\n", "auth = none\n" };
	static const char *const matches[] = { "success_match = /status = 0\n",
		"success_match = /a/0/b in x y\nretry_match = /type ends .busy\n",
		"success_match = prefix 0:\nunclear_match = /b = null\n",
		"success_match = status\n", "success = 200 600 2x\n", "id = sid\n", "" };
	static const char *const receipts[] = { "",
		("receipts = callback\nreceipt_field.cb = {receipt_url}\nreceipt_status = /status\n"
		 "receipt_delivered = delivered\nreceipt_failed = failed canceled=rejected\n"),
		("receipts = poll\npoll_url = https://sms.example/m/{provider_id}?a=1\nid = /sid\n"
		 "poll_status = /status\nreceipt_status = /a\nreceipt_delivered = 1\n"
		 "receipt_failed = 2\n"),
		"receipts = callback\nreceipt_signature = twilio\n" };
	static const char *const ways[] = { "", "proxy = http://127.0.0.1:3128\n",
		"proxy = https://p:1/\nproxy_username = u\nproxy_password = credential:password\n",
		"proxy = none\n",
		"client_certificate = FOLDER/certificate\nclient_key = credential:key\n",
		"client_certificate = FOLDER/line\nclient_key = file:FOLDER/line\n",
		"ca = FOLDER/line\n", "proxy = http://u:p@h\n", "ca = FOLDER/none\n" };
	static const char *const others[] = {
		"driver = outbox\ndirectory = FOLDER\nchannels = sms voice email\n",
		("driver = smtp\nchannels = email\nurl = smtps://mail.example:465\nca = "
		 "FOLDER/line\n"
		 "from = a@example.org\nusername = u\npassword = credential:password\n"),
		("driver = smtp\nchannels = sms email\nurl = smtp://127.0.0.1:25\nfrom = a@b\n"
		 "to_address = {to_digits}@sms.example\ntls = none\nplain_smtp = yes\n"),
		"driver = spool\ndirectory = FOLDER\nformat = gammu\n",
		"driver = exec\ncommand = /bin/true a b\naccepted = 0\nretry = 75 1\nrefused = 2\n",
		("driver = sip\nchannels = voice\nserver = sip.example\nusername = u\n"
		 "password = credential:password\npress_a_key = yes\nprogram = /bin/true\n"
		 "baresip = /bin/true\nmodules = /tmp\nvoice = FOLDER/voice\ntimeout = 90s\n"),
	};
	static const char *const wrong[] = { "[gateway x]\npriority = 1\n",
		"[gateway a-name-that-is-longer-than-names-can-be]\ndriver = http\n",
		"[gateway x]\ndriver = exec\ncommand = /bin/true\nreceipts = poll\n",
		"[gateway x]\ndriver = exec\ncommand = true\n",
		"[gateway x]\ndriver = exec\ncommand = /bin/true\naccepted = 0 300\n",
		"[gateway x]\ndriver = sip\nchannels = sms\n",
		"[gateway x]\ndriver = outbox\ndirectory = FOLDER\nurl = https://x\n",
		"[gateway x]\ndriver = outbox\ndirectory = FOLDER/no\ncountries = XX\n",
		("[gateway a/b]\ndriver = http\nurl = https://a/\nfield.a = b\nreceipts = "
		 "callback\n"
		 "receipt_status = /a\nreceipt_delivered = x\n"),
		("[gateway x]\ndriver = http\nurl = https://a/\nfield.a = b\nreceipts = callback\n"
		 "receipt_signature = twilio\nreceipt_status = /a\nreceipt_delivered = x\n"),
		("[gateway x]\ndriver = http\nurl = https://a/#b\nfield.a = b\n"
		 "header.a b = c\nvar.a-name-that-is-longer-than-names-can-be = x\n"),
		("[gateway x]\ndriver = http\nurl = https://a/{receipt_url}\nencode = json\n"
		 "field.a = {receipt_url}\nfield./a/b = 1\nfield./a/b/c = 2\n"
		 "field./x/0 = {ttl_min:number}\nfield./~2 = {locale}{expires_iso}\n") };
	unsigned number = (unsigned)dice_below(d, 100);

	if (dice_below(d, 12) == 0)
		return (size_t)sprintf(out, "%s", wrong[dice_below(d, 12)]);
	if (dice_below(d, 4) == 0)
		return (size_t)sprintf(out, "[gateway g%u]\n%s", number, others[dice_below(d, 6)]);
	return (size_t)sprintf(out,
		"[gateway g%u]\ndriver = http\nurl = http%s://%s/{id}/x?y={to}\n"
		"password = credential:%s\n%s%s%s%s%s",
		number, dice_below(d, 5) ? "s" : "",
		dice_below(d, 4) ? "sms.example" : "127.0.0.1:80",
		dice_below(d, 9) ? "password" : "empty", encoded[dice_below(d, 4)],
		auths[dice_below(d, 5)], matches[dice_below(d, 7)], receipts[dice_below(d, 4)],
		ways[dice_below(d, 9)]);
}

size_t seed_smsd_conf(struct dice *d, uint8_t *out)
{
	static const char *const listeners[] = { "",
		"[receipts]\nlisten = 127.0.0.1:8090\nurl = https://r.example/hook/\n",
		("[receipts]\nlisten = [::1]:1\nurl = http://127.0.0.1/x\ncertificate = /a\nkey = "
		 "/b\n"),
		"[receipts]\nlisten = nowhere\nurl = https://r.example/?a\n" };
	const struct opt_schema *schema = smsd_settings_schema();
	char *text = (char *)out;
	size_t n = (size_t)sprintf(text, "[smsd]\n%s",
		dice_below(d, 4) ? "allowed_countries = US GB\n" : "allowed_countries = XY\n");

	if (dice_below(d, 3) == 0)
		n = (size_t)sprintf(text, "[smsd]\n") +
		    put_rows(d, schema->sections[0].opts, 5, text + 7);
	n += (size_t)sprintf(text + n, "%s", listeners[dice_below(d, 4)]);
	for (size_t k = dice_below(d, 3); k > 0; k--)
		n += put_gateway(d, text + n);
	if (dice_below(d, 4)) {
		text[n++] = '\f';
		n += put_gateway(d, text + n);
		if (dice_below(d, 5) == 0)
			n += put_rows(d, schema->sections[2].opts, 12, text + n);
	}
	if (dice_below(d, 4) == 0)
		n += (size_t)sprintf(text + n, "\fSubject: %s {code}\n\n{host} {name}\n",
			dice_below(d, 3) ? "x" : "");
	return n;
}
