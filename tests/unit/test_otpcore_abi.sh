#!/bin/sh
# libotpcore exports otpcore_* and all of what its header declares, needs libc
# only, and the header's example links against it.
set -eu
lib=.libs/libotpcore.so.0
[ -e "$lib" ] || { echo "no shared library here"; exit 77; }
failed=0
exported=$(nm -D --defined-only "$lib" | awk '{ print $3 }' | sort)
declared=$(sed -n 's/^OTPCORE_API .*\(otpcore_[a-z_]*\)(.*/\1/p' \
	"${srcdir:-.}/otpcore/client/otpcore.h" | sort)
if [ "$exported" != "$declared" ]; then
	echo "FAIL exported: $exported"
	echo "     declared: $declared"
	failed=1
fi
needed=$(readelf -d "$lib" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -v -e '^libc\.' -e '^libasan' -e '^libubsan' -e '^libgcc_s' -e '^ld-linux' || true)
if [ -n "$needed" ]; then
	echo "FAIL needs more than libc: $needed"
	failed=1
fi
if ! ./otpcore_example > /dev/null 2> otpcore_example.err; then
	# Without an argument it has to refuse, and to say so in words.
	grep -q 'cannot say: invalid argument' otpcore_example.err || failed=1
else
	echo "FAIL the example lets nobody in"
	failed=1
fi
rm -f otpcore_example.err
exit $failed
