/* Crockford's base32, in which keys and recovery codes are written: no I L O U;
 * 1 for I and L, 0 for O, either case, blanks and dashes at will. */
#ifndef ENGINE_SYMBOLS_H
#define ENGINE_SYMBOLS_H

#include <stddef.h>

#define SYMBOL_WRONG 32 /* stands for a character that is none */

char symbol_char(unsigned char symbol); /* of 0..31 */

/* Five bits a symbol: n of them from n * 5 / 8 bytes, rounded up. */
void symbols_split(const unsigned char *bytes, size_t n, unsigned char *symbols_r);

/* The symbols of what was typed: how many there are, at most max + 1 (then only
 * max are written). */
size_t symbols_read(const char *typed, unsigned char *symbols_r, size_t max);

/* "ABCD-EFGH...": n symbols in groups, a NUL at the end. */
void symbols_write(const unsigned char *symbols, size_t n, size_t group, char *text_r);

#endif
