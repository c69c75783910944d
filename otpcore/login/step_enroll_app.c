/* Setting up at login: the app (M1). Its address stands in the prompt; q draws it as a QR
 * code, for who sits at a terminal of UTF-8 that is wide enough, which we cannot know. */
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/base/verdict.h"
#include "otpcore/login/steps.h"

#define QR_QUIET     2 /* modules around it; phones take two */
#define QR_WIDTH_MAX 90

/* ---- the picture ---- */

struct picture {
	const unsigned char *bits;
	int width;
	bool light; /* the terminal's background is light */
};

static bool drawn(const struct picture *p, int x, int y)
{
	bool dark = false;

	if (x >= 0 && y >= 0 && x < p->width && y < p->width) {
		int i = y * p->width + x;
		dark = p->bits[i / 8] >> (7 - i % 8) & 1;
	}
	/* On a dark background what is light is drawn. */
	return dark == p->light;
}

/* Two rows of modules in a line of text: half blocks, three bytes each. */
static void put_row(struct mag_buf *out, const struct picture *p, int y)
{
	static const char *const halves[2][2] = { { " ", "\u2584" }, { "\u2580", "\u2588" } };

	for (int x = -QR_QUIET; x < p->width + QR_QUIET; x++)
		mag_buf_puts(out, halves[drawn(p, x, y)][drawn(p, x, y + 1)]);
}

/* As messages of a few lines: none is longer than PAM's 512 bytes. */
static void show_picture(struct flow *f, const struct wire_enroll_mobile_rep *a)
{
	const struct picture p = { a->qr.data, (int)a->qr_width, f->enroll.qr_light };
	char text[TEXT_PROMPT_MAX + 1], row[3 * (QR_WIDTH_MAX + 2 * QR_QUIET) + 1];
	struct mag_buf all = MAG_BUF(text), line = MAG_BUF(row);

	for (int y = -QR_QUIET; y < p.width + QR_QUIET; y += 2) {
		mag_buf_reset(&line);
		put_row(&line, &p, y);
		if (all.len && all.len + 1 + line.len > TEXT_PROMPT_MAX) {
			f->io->tell(f->io->arg, text, false);
			mag_buf_reset(&all);
		}
		if (all.len)
			mag_buf_puts(&all, "\n");
		mag_buf_puts(&all, row);
	}
	f->io->tell(f->io->arg, text, false);
	f->enroll.qr_light = !f->enroll.qr_light;
	mag_wipe(text, sizeof text);
	mag_wipe(row, sizeof row);
}

static bool has_picture(const struct wire_enroll_mobile_rep *a)
{
	size_t width = a->qr_width;

	return width && width <= QR_WIDTH_MAX && a->qr.len == (width * width + 7) / 8;
}

/* ---- what the broker says ---- */

static enum step refused(
	struct flow *f, const struct wire_result *result, const struct wire_enroll_mobile_rep *a)
{
	const struct flow_enrolled done = { result->verdict, a->strength, a->level, a->expires,
		TEXT_ENROLL_DONE_APP };
	enum step next = flow_enroll_no_means(f, result->verdict);

	f->args.tries = a->tries_left;
	switch (result->verdict) {
	case VERDICT_OK:
	case VERDICT_REQUIREMENTS_NOT_MET:
	case VERDICT_PROOFING_PENDING:
		return flow_enrolled(f, &done);
	case VERDICT_CODE_WRONG:
		f->head = TEXT_CHOICE_WRONG;
		return STEP_ENROLL_APP_CODE;
	case VERDICT_CODE_USED:
		f->head = TEXT_CHOICE_USED;
		return STEP_ENROLL_APP_CODE;
	case VERDICT_NO_CODE_PENDING:
		return STEP_ENROLL_APP;
	default:
		return next != STEP_END
			       ? next
			       : flow_refuse(f, result->verdict, result->seconds, result->detail);
	}
}

static int call_app(struct flow *f, struct wire_enroll_mobile_req *q, struct wire_result *result,
	struct wire_enroll_mobile_rep *a)
{
	q->txn = f->out->txn; /* borrowed */
	q->seq = ++f->seq;
	return flow_call(f, WIRE_MSG_ENROLL_MOBILE, q, result, a);
}

static enum step verify(struct flow *f, const char *code)
{
	struct wire_enroll_mobile_req q = { 0 };
	struct wire_enroll_mobile_rep a = { 0 };
	struct wire_result result;
	enum step next = STEP_END;

	if (mag_secret_set_text(&q.code, code)) {
		f->out->error = MAG_ENOMEM;
		f->out->end = FLOW_UNAVAILABLE;
	} else if (!call_app(f, &q, &result, &a)) {
		next = refused(f, &result, &a);
	}
	mag_secret_free(&q.code);
	wire_clear(&wire_enroll_mobile_rep, &a);
	return next;
}

/* ---- the prompts ---- */

static enum step draw(struct flow *f)
{
	struct wire_enroll_mobile_req q = { .wants_qr = 1 };
	struct wire_enroll_mobile_rep a = { 0 };
	struct wire_result result;
	enum step next = STEP_END;

	if (!call_app(f, &q, &result, &a)) {
		next = STEP_ENROLL_APP_CODE;
		if (result.verdict != VERDICT_OK)
			next = refused(f, &result, &a);
		else if (has_picture(&a))
			show_picture(f, &a);
		else
			f->args.other = NULL; /* built without it */
	}
	wire_clear(&wire_enroll_mobile_rep, &a);
	return next;
}

static enum step ask_code(struct flow *f, const char *prompt)
{
	struct answer_line answer;
	enum step next = STEP_ENROLL_APP_CODE;

	if (flow_ask(f, prompt, &answer))
		return STEP_END;
	f->head = TEXT_NOTHING;
	if (answer.what == ANSWER_CODE && strlen(answer.code) == 6)
		next = verify(f, answer.code);
	else if (answer.what == ANSWER_KEY && answer.key == 'q' && f->p->echo)
		next = draw(f);
	else if (answer.what == ANSWER_KEY && (answer.key == 'n' || answer.key == 'm'))
		next = flow_enroll_other(f);
	mag_wipe(&answer, sizeof answer);
	return next;
}

/* A picture is for terminals; where answers are not echoed, others ask, too. */
static void fill_args(struct flow *f)
{
	f->args.menu = TEXT_KEY_OTHER;
	f->args.other = f->p->echo ? "qr" : NULL;
}

enum step step_enroll_app_code(struct flow *f)
{
	char prompt[TEXT_PROMPT_MAX + 1];
	struct mag_buf b = MAG_BUF(prompt);

	text_put(&b, f->head, false, &f->args);
	text_put(&b, TEXT_ENROLL_APP_CODE, false, &f->args);
	return ask_code(f, prompt);
}

/* A long address does not fit into the prompt: then it is said before it. */
static enum step show_address(struct flow *f, const char *uri)
{
	char prompt[TEXT_PROMPT_MAX + 1];
	struct mag_buf b = MAG_BUF(prompt);
	enum step next;

	f->args.first = uri;
	text_put(&b, TEXT_ENROLL_APP, false, &f->args);
	f->args.first = NULL;
	if (mag_buf_error(&b)) {
		f->io->tell(f->io->arg, uri, false);
		next = STEP_ENROLL_APP_CODE;
	} else {
		next = ask_code(f, prompt);
	}
	mag_wipe(prompt, sizeof prompt);
	return next;
}

enum step step_enroll_app(struct flow *f)
{
	struct wire_enroll_mobile_req q = { 0 };
	struct wire_enroll_mobile_rep a = { 0 };
	struct wire_result result;
	enum step next = STEP_END;

	/* What the key paid for is said apart: the prompt is full. */
	if (f->head != TEXT_NOTHING)
		flow_tell(f, f->head);
	f->head = TEXT_NOTHING;
	fill_args(f);
	if (!call_app(f, &q, &result, &a))
		next = result.verdict == VERDICT_OK ? show_address(f, mag_secret_text(&a.uri))
						    : refused(f, &result, &a);
	wire_clear(&wire_enroll_mobile_rep, &a);
	return next;
}
