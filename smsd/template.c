/* Rendering: a table of texts by template, channel and language. */
#include <stdio.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "smsd/template.h"

/* In a text: %c the code, %d its digits spoken one by one, %h " for HOST" or
 * nothing, %v how long it is good ("2 minutes"). */
struct words {
	const char *language, *template;
	const char *shown;  /* sms, email */
	const char *spoken; /* voice; said twice by spoken_twice */
	const char *before_host;
};

/* A language that is not here gets the first row of its template. */
static const struct words table[] = {
	{ "en", "code", "%c is your login code%h. Good for %v. Nobody will ask you for it.",
		"Your login code%h is: %d", " for " },
	{ "en", "register",
		"%c is the code to register this phone%h. Good for %v. "
		"Did not ask for it? Ignore it.",
		"The code to register this phone%h is: %d", " for " },
	{ "en", "test", "This is a test message%h. If you can read it, this phone works.",
		"This is a test call%h. If you can hear it, this phone works.", " from " },
	/* Of what these languages write, GSM-7 lacks some (á í ó ú ç ê): the words shown on
	 * a phone do without, for 70 characters are few. */
	{ "de", "code", "%c ist Ihr Anmeldecode%h. Gültig: %v. Niemand wird Sie danach fragen.",
		"Ihr Anmeldecode%h lautet: %d", " für " },
	{ "de", "register",
		"%c ist der Code, der dieses Telefon anmeldet%h. Gültig: %v. "
		"Nicht angefordert? Dann nicht beachten.",
		"Der Code, der dieses Telefon anmeldet%h, lautet: %d", " für " },
	{ "de", "test", "Dies ist eine Testnachricht%h. Wer sie liest: dieses Telefon geht.",
		"Dies ist ein Testanruf%h. Wer ihn hört: dieses Telefon geht.", " von " },
	{ "fr", "code",
		"%c est votre code de connexion%h. Valable %v. Personne ne vous le demandera.",
		"Votre code de connexion%h est : %d", " pour " },
	{ "fr", "register",
		"%c est le code pour enregistrer ce téléphone%h. Valable %v. "
		"Pas demandé ? Ignorez ce message.",
		"Le code pour enregistrer ce téléphone%h est : %d", " pour " },
	{ "fr", "test", "Ceci est un message de test%h. Si vous le lisez, ce téléphone marche.",
		"Ceci est un appel de test%h. Si vous l'entendez, ce téléphone marche.", " de " },
	{ "es", "code", "%c es su codigo de acceso%h. Vale %v. Nadie se lo va a pedir.",
		"Su código de acceso%h es: %d", " para " },
	{ "es", "register",
		"%c es el codigo para registrar este aparato%h. Vale %v. "
		"Si no lo ha pedido, ignore este mensaje.",
		"El código para registrar este teléfono%h es: %d", " para " },
	{ "es", "test", "Este es un mensaje de prueba%h. Si puede leerlo, este aparato funciona.",
		"Esta es una llamada de prueba%h. Si puede oírla, este teléfono funciona.",
		" de " },
	{ "ja", "code", "ログインコード: %c%h。有効時間は%v。他人に教えないでください。",
		"ログインコードは、%d です。", "、接続先: " },
	{ "ja", "register",
		"この電話の登録コード: %c%h。有効時間は%v。覚えがなければ無視してください。",
		"この電話の登録コードは、%d です。", "、接続先: " },
	{ "ja", "test", "テストメッセージです%h。読めればこの電話は使えます。",
		"テスト電話です。聞こえればこの電話は使えます。", "、送信元: " },
};

/* What goes with every text of a language. */
static const struct common {
	const char *language, *locale, *again, *end;
	const char *seconds, *minute, *minutes; /* after the number */
} commons[] = {
	{ "en", "en-US", " Once more. ", " Goodbye.", " seconds", " minute", " minutes" },
	{ "de", "de-DE", " Noch einmal. ", " Auf Wiederhören.", " Sekunden", " Minute",
		" Minuten" },
	{ "fr", "fr-FR", " Je répète. ", " Au revoir.", " secondes", " minute", " minutes" },
	{ "es", "es-ES", " Repito. ", " Hasta luego.", " segundos", " minuto", " minutos" },
	{ "ja", "ja-JP", " もう一度。 ", " 以上です。", "秒", "分", "分" },
};

static bool same_language(const char *wanted, const char *row)
{
	size_t len = strlen(row);

	return strncmp(wanted, row, len) == 0 && (!wanted[len] || strchr("_-.", wanted[len]));
}

static const struct words *find(const char *template, const char *language)
{
	const struct words *found = NULL;

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		if (strcmp(table[i].template, template) != 0)
			continue;
		if (same_language(language, table[i].language))
			return &table[i];
		if (!found)
			found = &table[i];
	}
	return found;
}

static const struct common *find_common(const char *language)
{
	for (size_t i = 0; i < sizeof commons / sizeof *commons; i++)
		if (same_language(language, commons[i].language))
			return &commons[i];
	return &commons[0];
}

/* Minutes while they are at least two; what the way to the gateway took does not
 * count (118 s are 2 minutes). Nobody is promised more than five seconds too much. */
static void validity(const struct common *c, int64_t left, char *buf, size_t cap)
{
	int64_t seconds = left < 0 ? 0 : left;
	int64_t minutes = (seconds + 5) / 60;

	if (minutes >= 2)
		snprintf(buf, cap, "%lld%s", (long long)minutes, c->minutes);
	else if (minutes == 1 && seconds <= 65)
		snprintf(buf, cap, "1%s", c->minute);
	else
		snprintf(buf, cap, "%lld%s", (long long)seconds, c->seconds);
}

struct part {
	const struct mag_secret *code;
	const char *host; /* " for web1", or "" */
	const char *validity;
};

/* "4. 8. 3. 9. 2. 0.": voices pause at the full stops. */
static int append_digits(struct mag_secret *out, const struct mag_secret *code)
{
	int r = 0;

	for (size_t i = 0; i < code->len && r == 0; i++)
		if ((r = mag_secret_append(out, code->data + i, 1)) == 0)
			r = mag_secret_append(out, ". ", i + 1 < code->len ? 2 : 1);
	return r;
}

static int append_text(struct mag_secret *out, const char *text)
{
	return mag_secret_append(out, text, strlen(text));
}

static int expand(struct mag_secret *out, const char *form, const struct part *p)
{
	int r = 0;

	for (; *form && r == 0; form++) {
		if (*form != '%') {
			r = mag_secret_append(out, form, 1);
			continue;
		}
		switch (*++form) {
		case 'c':
			r = mag_secret_append(out, p->code->data, p->code->len);
			break;
		case 'd':
			r = append_digits(out, p->code);
			break;
		case 'h':
			r = append_text(out, p->host);
			break;
		default:
			r = append_text(out, p->validity);
			break;
		}
	}
	return r;
}

/* Only the first label of the host is said: dots would be read out. */
static int spoken_twice(
	struct mag_secret *out, const struct sms_message *m, const struct words *w, struct part *p)
{
	const struct common *c = find_common(m->language);
	char host[96] = "";
	int r;

	if (m->host[0])
		snprintf(host, sizeof host, "%s%.*s", w->before_host, (int)strcspn(m->host, "."),
			m->host);
	p->host = host;
	if ((r = expand(out, w->spoken, p)) == 0 && (r = append_text(out, c->again)) == 0 &&
		(r = expand(out, w->spoken, p)) == 0)
		r = append_text(out, c->end);
	p->host = "";
	return r;
}

/* Host as it is, its first label, none: the first that fits one segment. */
static int shown(
	struct mag_secret *out, const struct sms_message *m, const struct words *w, struct part *p)
{
	const int lengths[] = { (int)strlen(m->host), (int)strcspn(m->host, "."), 0 };
	char host[96];
	int r = MAG_ENOSPACE;

	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		snprintf(host, sizeof host, "%s%.*s", lengths[i] ? w->before_host : "", lengths[i],
			m->host);
		p->host = host;
		mag_secret_free(out);
		if ((r = expand(out, w->shown, p)) < 0)
			break;
		if (segment_room(mag_secret_text(out)) >= 0)
			break;
	}
	p->host = "";
	return r;
}

/* "\n@host #code": nothing before the @, exactly one space. */
static int add_autofill(struct mag_secret *out, const struct sms_message *m)
{
	struct mag_secret line = { 0 };
	int r, room = segment_room(mag_secret_text(out));

	if ((r = append_text(&line, "\n@")) == 0 && (r = append_text(&line, m->host)) == 0 &&
		(r = append_text(&line, " #")) == 0 &&
		(r = mag_secret_append(&line, m->code.data, m->code.len)) == 0 &&
		(int)line.len <= room)
		r = mag_secret_append(out, line.data, line.len);
	mag_secret_free(&line);
	return r;
}

/* A free text has no placeholders; on voice it is said twice like the others. */
static int free_text(const struct sms_message *m, struct mag_secret *out)
{
	int r = mag_secret_append(out, m->text.data, m->text.len);

	if (r < 0 || strcmp(m->channel, "voice") != 0)
		return r;
	if ((r = append_text(out, find_common(m->language)->again)) < 0)
		return r;
	return mag_secret_append(out, m->text.data, m->text.len);
}

const char *template_locale(const struct sms_message *m)
{
	return find_common(m->language)->locale;
}

/* Sixteen digits, the most that a request holds, and an hour and a half. */
int template_check(char *err, size_t cap)
{
	struct mag_secret code = { 0 }, out = { 0 };
	int r = mag_secret_set_text(&code, "8888888888888888");

	for (size_t i = 0; i < sizeof table / sizeof *table && r == 0; i++) {
		char good_for[48];
		const struct part p = { &code, "", good_for };

		validity(find_common(table[i].language), 90 * 60, good_for, sizeof good_for);
		mag_secret_free(&out);
		r = expand(&out, table[i].shown, &p);
		if (r == 0 && segment_room(mag_secret_text(&out)) < 0)
			r = MAG_ERANGE;
		if (r < 0)
			snprintf(err, cap, "text %s in %s: %s", table[i].template,
				table[i].language, mag_strerror(r));
	}
	mag_secret_free(&code);
	mag_secret_free(&out);
	return r;
}

int template_render(
	const struct sms_message *m, int64_t now, bool autofill, struct mag_secret *text_r)
{
	const struct words *w = m->template[0] ? find(m->template, m->language) : NULL;
	struct mag_secret out = { 0 };
	char good_for[48];
	struct part p = { &m->code, "", good_for };
	int r;

	if (!m->template[0]) {
		r = free_text(m, &out);
		goto out;
	}
	r = MAG_ENOTFOUND;
	if (!w)
		goto out;
	r = MAG_EINVAL;
	if (strcmp(w->template, "test") != 0 && !m->code.len)
		goto out;
	validity(find_common(m->language), m->expires_at - now, good_for, sizeof good_for);
	if (strcmp(m->channel, "voice") == 0) {
		r = spoken_twice(&out, m, w, &p);
	} else if ((r = shown(&out, m, w, &p)) == 0 && autofill && m->host[0] && m->code.len) {
		r = add_autofill(&out, m);
	}
out:
	if (r == 0) {
		mag_secret_free(text_r);
		*text_r = out;
	} else {
		mag_secret_free(&out);
	}
	return r;
}
