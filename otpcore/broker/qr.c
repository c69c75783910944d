#include "otpcore/broker/qr.h"

#include <string.h>
#ifdef HAVE_QRENCODE
#include <qrencode.h>
#endif

#include "otpcore/base/err.h"

#ifdef HAVE_QRENCODE

int qr_draw(const char *text, struct mag_secret *bits_r, uint32_t *width_r)
{
	QRcode *q = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L);
	unsigned char bits[QR_BYTES_MAX] = { 0 };
	size_t n;
	int r = 0;

	*width_r = 0;
	if (!q)
		return 0;
	n = (size_t)q->width * (size_t)q->width;
	if ((n + 7) / 8 <= sizeof bits) {
		for (size_t i = 0; i < n; i++)
			bits[i / 8] |= (unsigned char)((q->data[i] & 1) << (7 - i % 8));
		r = mag_secret_set(bits_r, bits, (n + 7) / 8);
		if (!r)
			*width_r = (uint32_t)q->width;
	}
	/* It holds a seed. */
	mag_wipe(bits, sizeof bits);
	mag_wipe(q->data, n);
	QRcode_free(q);
	return r;
}

#else

int qr_draw(const char *text, struct mag_secret *bits_r, uint32_t *width_r)
{
	(void)text;
	(void)bits_r;
	*width_r = 0;
	return 0;
}

#endif
