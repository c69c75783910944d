/* What a script of fuzz_login.c consists of: records u8 what, u16 length, bytes. */
#ifndef FUZZ_LOGIN_SCRIPT_H
#define FUZZ_LOGIN_SCRIPT_H

enum says {
	SAYS_REPLY,   /* a frame; its version and number are made right */
	SAYS_FRAME,   /* a frame as it is */
	SAYS_HANG_UP, /* the connection ends before an answer */
	SAYS_REFUSES, /* nobody listens */
	SAYS_TYPED,   /* the person types this ... */
	SAYS_LEAVES,  /* ... or hangs up */
	SAYS_FITS,    /* the right reply to what was asked: a byte for each field */
	SAYS_N,
};

#endif
