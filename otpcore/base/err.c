#include "otpcore/base/err.h"

const char *mag_strerror(int r)
{
	switch (r) {
	case MAG_OK:
		return "no error";
#define MAG_ERR(name, number, text)                                                                \
	case MAG_E##name:                                                                          \
		return text;
#include "otpcore/base/err.def"
#undef MAG_ERR
	default:
		return "unknown error";
	}
}
