#!/bin/sh
# pam_magotp in a PAM application under pam_wrapper, with a broker of its own.
# Runs in the build directory.
[ "$(id -u)" = 0 ] || { echo "needs root: the services that it plays are root's"; exit 77; }
here=${srcdir:-.}/tests/pam
ls /usr/lib/*/libpam_wrapper.so >/dev/null 2>&1 || { echo "libpam-wrapper is not there"; exit 77; }
/usr/bin/python3 -c 'import pytest' 2>/dev/null || { echo "python3-pytest is not there"; exit 77; }
[ "$(id -u)" = 0 ] || { echo "skipped: the broker takes these accounts from root only"; exit 77; }
MAGOTP_BUILD=$(pwd)
export MAGOTP_BUILD
exec /usr/bin/python3 -B -m pytest -q -p no:cacheprovider "$here" "$@"
