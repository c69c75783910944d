/* RFC 4226, Appendix D. */
#include <stdio.h>
#include <string.h>

#include "bench/hotp.h"

int main(void)
{
	static const char *const codes[] = { "755224", "287082", "359152", "969429", "338314",
		"254676", "287922", "162583", "399871", "520489" };
	int wrong = 0;

	for (unsigned i = 0; i < 10; i++) {
		char code[7];

		hotp_code((const unsigned char *)"12345678901234567890", 20, i, code);
		if (strcmp(code, codes[i]) != 0) {
			printf("counter %u: %s, not %s\n", i, code, codes[i]);
			wrong = 1;
		}
	}
	return wrong;
}
