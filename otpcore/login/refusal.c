/* Why a login was refused, for people: what happened, why, the way out, and the stable
 * id. */
#include <string.h>

#include "otpcore/base/buf.h"
#include "otpcore/base/strength.h"
#include "otpcore/base/text.h"
#include "otpcore/base/verdict.h"
#include "otpcore/login/flow.h"
#include "otpcore/login/texts.h"

#define LINE_MAX_BYTES 640
#define BODY_MAX       1200
#define END_MAX        256 /* a line for help (128), its word, the id */

/* What a required strength is called, and how one gets it. `thing`: what is added. */
static const struct way {
	enum strength need;
	enum text what, thing;
	const char *command;
} ways[] = {
	{ STRENGTH_PASSWORD, TEXT_A_PASSWORD, TEXT_A_PASSWORD, NULL },
	{ STRENGTH_BLOA, TEXT_A_CERTIFICATE, TEXT_A_CERTIFICATE,
		"magotp certificate add FILE --class bloa" },
	{ STRENGTH_PHONE_OTP, TEXT_A_PHONE_CODE, TEXT_A_PHONE, "magotp phone add NUMBER" },
	{ STRENGTH_MOBILE_ID, TEXT_AN_APP, TEXT_AN_APP, "magotp mobile add" },
	{ STRENGTH_HARDWARE_OTP, TEXT_A_TOKEN, TEXT_A_TOKEN, "magotp token add" },
	{ STRENGTH_MLOA_SOFTWARE, TEXT_A_CERTIFICATE, TEXT_A_CERTIFICATE,
		"magotp certificate add FILE --class mloa-software" },
	{ STRENGTH_MLOA_HARDWARE, TEXT_A_CERTIFICATE_ON_HARDWARE, TEXT_A_CERTIFICATE_ON_HARDWARE,
		"magotp certificate add FILE --class mloa-hardware" },
};

static const struct way *way_of(enum strength need)
{
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
		if (ways[i].need == need)
			return &ways[i];
	return NULL;
}

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

/* What is being written: the refusal, and its places filled in. */
struct page {
	struct mag_buf *out;
	const struct flow_refusal *r;
	struct text_args args;
};

static const char *words(const struct page *p, enum text id)
{
	return text_words(p->args.language, id, false);
}

/* One text, wrapped. */
static void put(struct page *p, enum text id)
{
	char text[LINE_MAX_BYTES];
	struct mag_buf line = MAG_BUF(text);

	text_put(&line, id, false, &p->args);
	text_put_wrapped(p->out, text);
}

static void put_command(struct page *p, const char *command)
{
	mag_buf_printf(p->out, "  %s\n", command);
}

static void put_key_alone(struct page *p)
{
	const char *host = *or_empty(p->r->host) ? p->r->host : "HOST";
	const char *command = "  ssh -o PreferredAuthentications=keyboard-interactive";
	const char *gap = strlen(command) + 1 + strlen(host) > TEXT_COLUMNS ? " \\\n    " : " ";

	put(p, TEXT_REFUSED_KEY);
	put(p, TEXT_REFUSED_KEY_WAY);
	mag_buf_printf(p->out, "%s%s%s\n", command, gap, host);
}

/* Level 3: whoever has a factor needs no other one, but identity proofing (I3). */
static void put_level(struct page *p)
{
	put(p, TEXT_REFUSED_LEVEL);
	put(p, TEXT_REFUSED_LEVEL_WAY);
	put_command(p, "magotp proofing request");
}

/* Is what there is strong enough already? */
static bool only_level_is_missing(const struct flow_refusal *r)
{
	enum strength need = strength_from_id(or_empty(r->require));
	enum strength has = r->has & FLOW_HAS_OTHER ? STRENGTH_HARDWARE_OTP : STRENGTH_PHONE_OTP;

	return r->level == 3 && r->has && strength_satisfies(has, need);
}

static void put_requirements(struct page *p)
{
	const struct way *way = way_of(strength_from_id(or_empty(p->r->require)));

	if (!way) {
		put(p, TEXT_REFUSED_MORE);
		return;
	}
	p->args.what = words(p, way->what);
	put(p, TEXT_REFUSED_NEEDS);
	if (!way->command)
		return;
	p->args.what = words(p, way->thing);
	put(p, p->r->has ? TEXT_REFUSED_ADD : TEXT_REFUSED_WAY);
	put_command(p, way->command);
}

static void put_verdict(struct page *p)
{
	const struct flow_refusal *r = p->r;
	enum text plain = text_of_verdict(r->verdict, false);
	enum text id = r->text ? r->text : text_of_verdict(r->verdict, r->seconds > 0);
	char text[LINE_MAX_BYTES];
	struct mag_buf line = MAG_BUF(text);

	text_put(&line, id, false, &p->args);
	if (r->seconds && (r->text || id == plain))
		text_put(&line, TEXT_AGAIN_IN, false, &p->args);
	if (*or_empty(r->detail)) {
		text_put_wrapped(p->out, text);
		mag_buf_reset(&line);
		mag_buf_puts(&line, r->detail);
	}
	if (!*or_empty(r->help))
		mag_buf_printf(&line, " (%s)", verdict_id(r->verdict));
	text_put_wrapped(p->out, text);
}

/* The faults of tokens (L14): what is wrong, and the way out. The command of an app
 * is its own where there is one. */
static const struct token_fault {
	unsigned verdict;
	enum text what, lead;
	const char *command, *app;
} token_faults[] = {
	{ VERDICT_TOKEN_EXPIRED, TEXT_FAULT_EXPIRED, TEXT_FAULT_RENEW, "magotp activate KEY",
		NULL },
	{ VERDICT_TOKEN_PENDING, TEXT_FAULT_PENDING, TEXT_FAULT_ACTIVATE, "magotp token add",
		"magotp mobile add" },
	{ VERDICT_TOKEN_REVOKED, TEXT_FAULT_REVOKED, TEXT_FAULT_ADD, "magotp token add",
		"magotp mobile add" },
	{ VERDICT_TOKEN_SUSPENDED_BY_ADMIN, TEXT_FAULT_ADMIN, 0, NULL, NULL },
	{ VERDICT_TOKEN_OUT_OF_SYNC, TEXT_FAULT_OUT_OF_SYNC, 0, NULL, NULL },
};

static const struct token_fault *token_fault_of(unsigned verdict)
{
	for (size_t i = 0; i < sizeof token_faults / sizeof *token_faults; i++)
		if (token_faults[i].verdict == verdict)
			return &token_faults[i];
	return NULL;
}

static void put_token_fault(struct page *p, const struct token_fault *fault)
{
	bool app = mag_streq(p->r->token, TEXT_APP) && fault->app;

	p->args.masked = p->r->token;
	put(p, fault->what);
	if (!fault->command)
		return;
	put(p, fault->lead);
	put_command(p, app ? fault->app : fault->command);
}

/* Without a line for help the id stands behind the sentence itself. */
static void put_end(struct page *p, struct mag_buf *out, bool id_is_said)
{
	char text[LINE_MAX_BYTES];
	struct mag_buf line = MAG_BUF(text);

	if (*or_empty(p->r->help))
		text_put(&line, TEXT_HELP, false, &p->args);
	else if (id_is_said)
		return;
	mag_buf_printf(&line, "%s(%s)", line.len ? " " : "", verdict_id(p->r->verdict));
	text_put_wrapped(out, text);
	out->data[--out->len] = '\0';
}

/* Whole lines stay, as far as there is room; the end always has it. */
static void join(const char *body, const char *end, char *buf, size_t cap)
{
	size_t room = cap - 1 - strlen(end), len = strlen(body);

	if (len > room)
		for (len = room; len && body[len - 1] != '\n'; len--)
			;
	else if (!*end && len && body[len - 1] == '\n')
		len--;
	memcpy(buf, body, len);
	memcpy(buf + len, end, strlen(end) + 1);
}

static const char *has_words(unsigned language, unsigned has)
{
	static const enum text texts[] = { TEXT_NOTHING, TEXT_A_PHONE, TEXT_A_TOKEN,
		TEXT_A_PHONE_AND_A_TOKEN };
	return text_words(language, texts[has & 3], false);
}

char *flow_refusal_text(const struct flow_refusal *r, char *buf, size_t cap)
{
	unsigned language = text_language(r->language);
	bool requirements = r->verdict == VERDICT_REQUIREMENTS_NOT_MET;
	const struct token_fault *fault = r->token ? token_fault_of(r->verdict) : NULL;
	char body[BODY_MAX], end[END_MAX];
	struct mag_buf out = MAG_BUF(body), last = MAG_BUF(end);
	struct page p = { .out = &out,
		.r = r,
		.args = { .language = language,
			.service = r->service,
			.host = r->host,
			.require = r->require,
			.has = has_words(language, r->has),
			.help = r->help,
			.seconds = r->seconds } };

	if (requirements && r->key_alone)
		put_key_alone(&p);
	else if (requirements && only_level_is_missing(r))
		put_level(&p);
	else if (requirements)
		put_requirements(&p);
	else if (fault)
		put_token_fault(&p, fault);
	else
		put_verdict(&p);
	put_end(&p, &last, !requirements && !fault);
	join(body, end, buf, cap);
	return buf;
}
