/* A QR code in a terminal. */
#ifndef QR_H
#define QR_H

#include <stdio.h>

enum qr_look {
	QR_BLOCKS, /* UTF-8 half blocks, black on white whatever the terminal's colours */
	QR_ASCII,  /* two columns a module, the same colours */
	QR_BARE,   /* half blocks without colours: right on dark terminals */
	QR_HASHES, /* neither UTF-8 nor colours */
};

/* What stdout's locale, TERM and NO_COLOR allow. */
enum qr_look qr_look(void);

/* Draw it with its quiet zone of four modules. 0; MAG_EUNSUPPORTED (built
 * without libqrencode), MAG_ERANGE (too much text, or wider than
 * the terminal), nothing written then. */
int qr_print(FILE *f, const char *text, enum qr_look look);

#endif
