/* QR codes (ISO 18004) by libqrencode, drawn with characters. */
#include "magotp/qr.h"

#include <langinfo.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#ifdef HAVE_QRENCODE
#include <qrencode.h>
#endif

#include "otpcore/base/err.h"
#include "otpcore/base/secret.h"
#include "otpcore/base/text.h"

#define QUIET 4 /* modules around it */

enum qr_look qr_look(void)
{
	const char *none = getenv("NO_COLOR"), *term = getenv("TERM");
	bool utf8 = mag_streq(nl_langinfo(CODESET), "UTF-8");
	bool plain = (none && *none) || !term || mag_streq(term, "dumb");

	if (plain)
		return utf8 ? QR_BARE : QR_HASHES;
	return utf8 ? QR_BLOCKS : QR_ASCII;
}

#ifdef HAVE_QRENCODE

static bool dark(const QRcode *q, int x, int y)
{
	if (x < 0 || y < 0 || x >= q->width || y >= q->width)
		return false;
	return q->data[y * q->width + x] & 1;
}

/* Two modules, one above the other, in one character: which halves are drawn. */
static const char *const halves[2][2] = { { " ", "\u2584" }, { "\u2580", "\u2588" } };

static void blocks(FILE *f, const QRcode *q, bool colours)
{
	for (int y = -QUIET; y < q->width + QUIET; y += 2) {
		fputs(colours ? "\033[30;107m" : "", f);
		for (int x = -QUIET; x < q->width + QUIET; x++) {
			bool upper = dark(q, x, y), lower = dark(q, x, y + 1);

			/* Without colours what is drawn is light: the background is dark. */
			fputs(colours ? halves[upper][lower] : halves[!upper][!lower], f);
		}
		fputs(colours ? "\033[0m\n" : "\n", f);
	}
}

static void wide(FILE *f, const QRcode *q, bool colours)
{
	for (int y = -QUIET; y < q->width + QUIET; y++) {
		for (int x = -QUIET; x < q->width + QUIET; x++) {
			if (colours)
				fputs(dark(q, x, y) ? "\033[40m  " : "\033[107m  ", f);
			else
				fputs(dark(q, x, y) ? "  " : "##", f);
		}
		fputs(colours ? "\033[0m\n" : "\n", f);
	}
}

/* A line that wraps makes the whole code unreadable. */
static bool fits(FILE *f, const QRcode *q, int columns)
{
	struct winsize size = { 0 };

	if (ioctl(fileno(f), TIOCGWINSZ, &size) || !size.ws_col)
		return true;
	return (q->width + 2 * QUIET) * columns <= size.ws_col;
}

int qr_print(FILE *f, const char *text, enum qr_look look)
{
	QRcode *q = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L);
	bool half = look == QR_BLOCKS || look == QR_BARE;
	int r = MAG_ERANGE;

	if (!q)
		return r;
	if (fits(f, q, half ? 1 : 2)) {
		if (half)
			blocks(f, q, look == QR_BLOCKS);
		else
			wide(f, q, look == QR_ASCII);
		fflush(f);
		r = 0;
	}
	/* It holds a seed. */
	mag_wipe(q->data, (size_t)q->width * (size_t)q->width);
	QRcode_free(q);
	return r;
}

#else

int qr_print(FILE *f, const char *text, enum qr_look look)
{
	(void)f;
	(void)text;
	(void)look;
	return MAG_EUNSUPPORTED;
}

#endif
