/* A look at the bytes before a parser gets them. It is coarser than XML and may
 * refuse what a parser would take, never the other way round: whatever could
 * declare something ("<!" but comments and CDATA) is refused. */
#include <stdbool.h>
#include <string.h>

#include "magotp/import/pskc.h"
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"

struct scan {
	const char *at, *end;
	size_t depth;
};

static bool starts(const struct scan *s, const char *with)
{
	size_t n = strlen(with);

	return (size_t)(s->end - s->at) >= n && memcmp(s->at, with, n) == 0;
}

/* Past the next `mark`. false: there is none. */
static bool skip_past(struct scan *s, const char *mark)
{
	const char *p = memmem(s->at, (size_t)(s->end - s->at), mark, strlen(mark));

	if (!p)
		return false;
	s->at = p + strlen(mark);
	return true;
}

/* A tag: to its '>', past quoted values. */
static const char *tag(struct scan *s)
{
	bool closing = s->at[1] == '/';
	char quote = 0, last = 0;

	for (; s->at < s->end; s->at++) {
		char ch = *s->at;

		if (quote) {
			quote = ch == quote ? 0 : quote;
		} else if (ch == '"' || ch == '\'') {
			quote = ch;
		} else if (ch == '>') {
			s->at++;
			if (closing)
				s->depth -= s->depth > 0;
			else if (last != '/')
				s->depth++;
			return s->depth > PSKC_DEPTH_MAX ? "its elements are nested too deep"
							 : NULL;
		}
		last = ch;
	}
	return "it ends in the middle of an element";
}

static const char *markup(struct scan *s)
{
	if (starts(s, "<!--"))
		return skip_past(s, "-->") ? NULL : "it ends in the middle of a comment";
	if (starts(s, "<![CDATA["))
		return skip_past(s, "]]>") ? NULL : "it ends in the middle of a text";
	if (starts(s, "<!"))
		return "it has a DOCTYPE or declares entities";
	if (starts(s, "<?"))
		return skip_past(s, "?>") ? NULL : "it ends in the middle of an instruction";
	return tag(s);
}

/* What every XML parser knows, and numbers. */
static bool known_entity(const struct scan *s)
{
	static const char *const known[] = { "&lt;", "&gt;", "&amp;", "&apos;", "&quot;", "&#" };

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (starts(s, known[i]))
			return true;
	return false;
}

/* A first line may name an encoding: only the one that was looked at. */
static bool other_encoding(const char *data, size_t len)
{
	const char *end = len > 5 && !memcmp(data, "<?xml", 5) ? memmem(data, len, "?>", 2) : NULL;
	const char *at = end ? memmem(data, (size_t)(end - data), "encoding", 8) : NULL;
	char name[16] = "";

	if (!at)
		return false;
	at += 8;
	at += strspn(at, " \t\r\n=\"'");
	for (size_t i = 0; i < sizeof name - 1 && at + i < end && !strchr("\"' ", at[i]); i++)
		name[i] = at[i] >= 'a' && at[i] <= 'z' ? (char)(at[i] - 32) : at[i];
	return !mag_streq(name, "UTF-8") && !mag_streq(name, "US-ASCII");
}

int pskc_scan(const char *data, size_t len, struct pskc_fault *f)
{
	struct scan s = { data, data + len, 0 };
	const char *what = NULL;

	if (!len)
		return pskc_fault(f, NULL, "it is empty");
	if (!mag_utf8_valid(data, len))
		return pskc_fault(f, NULL, "it is not UTF-8 text");
	if (starts(&s, "\xef\xbb\xbf"))
		s.at += 3;
	if (other_encoding(s.at, (size_t)(s.end - s.at)))
		return pskc_fault(f, NULL, "it names an encoding other than UTF-8");
	while (!what && s.at < s.end) {
		if (*s.at == '<')
			what = markup(&s);
		else if (*s.at == '&' && !known_entity(&s))
			what = "it uses an entity";
		else
			s.at++;
	}
	return what ? pskc_fault(f, NULL, what) : 0;
}
