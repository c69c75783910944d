/* QR codes as bits, for those who may link no library that makes them. */
#ifndef BROKER_QR_H
#define BROKER_QR_H

#include <stdint.h>

#include "otpcore/base/secret.h"

#define QR_BYTES_MAX 1024 /* login.wire */

/* Row by row, a bit for each module, the highest first; 1: dark. Built without
 * libqrencode, or too large: width 0 and no bits, which is no error. 0 or MAG_ENOMEM. */
int qr_draw(const char *text, struct mag_secret *bits_r, uint32_t *width_r);

#endif
