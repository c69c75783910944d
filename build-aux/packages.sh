# Which Debian packages are needed for what, in one place: sourced by ./demo,
# ./check and build-aux/check-bare.
#
#	. build-aux/packages.sh
#	packages_ensure [--no-install] NAME...
# shellcheck shell=bash

# The compiler, the tools and the libraries that `make` needs.
packages_build=(
	gcc g++ make libc6-dev autoconf automake libtool pkg-config mawk
	libpam0g-dev libssl-dev libsqlite3-dev libevent-dev libjson-c-dev
	libcurl4-openssl-dev libphonenumber-dev libprotobuf-dev libsystemd-dev libseccomp-dev
	libqrencode-dev libtss2-dev libpskc-dev libxml2-dev libpq-dev espeak-ng sox
)

# What ./demo needs besides: a real sshd, a client that types, a token.
packages_demo=(
	openssh-server openssh-client python3 python3-pexpect oathtool
	login passwd util-linux systemd ca-certificates
)

# What ./check needs besides: the peers of the tests.
packages_test=(
	libcmocka-dev libpam-wrapper libpamtest0-dev libnss-wrapper libuid-wrapper pamtester liboath-dev
	faketime strace python3 python3-pytest python3-pexpect openssl sqlite3 curl
	openssh-server openssh-client oathtool kannel kannel-extras gammu-smsd smstools opensmtpd tinyproxy-bin baresip-core sip-tester pskc-utils pskctool swtpm swtpm-tools
	apparmor binutils e2fsprogs git login passwd procps util-linux iproute2 systemd ca-certificates mandoc
	sudo nginx libnginx-mod-http-auth-pam libpam-pwdfile postgresql dovecot-imapd vsftpd cron at
	i3lock xvfb xdotool cockpit-ws cockpit-bridge chromium chromium-driver python3-selenium
)

# What `make check-long` needs besides: a PostgreSQL cluster that fails over.
# shellcheck disable=SC2034
packages_long=(patroni etcd-server)

# The peers of `make bench`; bench/run --install puts them there.
# shellcheck disable=SC2034
packages_bench=(libpam-oath libpam-google-authenticator liboath-dev postgresql kannel nginx-light)

# What `make lint`, `make format` and `make coverage` need besides.
packages_lint=(clang clang-format clang-tidy cppcheck shellcheck gcovr valgrind)

# Servers that come with these packages and that nobody asked to have running.
packages_servers=(openssh-server:ssh.service apparmor:apparmor.service kannel:kannel.service opensmtpd:opensmtpd.service
	gammu-smsd:gammu-smsd.service smstools:smstools.service
	nginx:nginx.service nginx-light:nginx.service postgresql:postgresql.service
	patroni:patroni.service etcd-server:etcd.service
	dovecot-imapd:dovecot.service vsftpd:vsftpd.service cron:cron.service at:atd.service cockpit-ws:cockpit.socket)

# Prints those of its arguments that are not installed.
packages_missing()
{
	local name

	for name in "$@"; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] ||
			printf '%s\n' "$name"
	done
}

# Install without starting anything. A policy-rc.d of our own only where there
# is none; it goes away with the subshell, however that ends.
packages_install()
(
	policy=/usr/sbin/policy-rc.d
	export DEBIAN_FRONTEND=noninteractive

	if [ ! -e "$policy" ]; then
		trap 'rm -f "$policy"' EXIT
		trap 'exit 1' INT TERM HUP
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod 755 "$policy"
	fi
	apt-get -q -o Dpkg::Use-Pty=0 update &&
		apt-get -q -o Dpkg::Use-Pty=0 -y --no-install-recommends install "$@"
)

# Servers that came just now stay off after the next boot too.
packages_leave_off()
{
	local name pair

	for name in "$@"; do
		for pair in "${packages_servers[@]}"; do
			[ "${pair%%:*}" = "$name" ] || continue
			echo "${pair#*:} came with $name; it is not started and not enabled."
			systemctl --quiet disable "${pair#*:}" >/dev/null 2>&1 || true
		done
	done
}

# Says what is missing, then installs it. 0, or 1 if something is still missing.
packages_ensure()
{
	local install=yes missing

	if [ "${1-}" = --no-install ]; then
		install=no
		shift
	fi
	if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
		echo "This is no Debian: install what stands for these packages yourself: $*"
		return 0
	fi
	mapfile -t missing < <(packages_missing "$@" | sort -u)
	[ "${#missing[@]}" -gt 0 ] || return 0
	if [ "$install" = no ]; then
		echo "Not installed (--no-install): ${missing[*]}"
		return 0
	fi
	if [ "$(id -u)" != 0 ]; then
		echo "Not installed: ${missing[*]}"
		echo "Run this as root: apt-get install --no-install-recommends ${missing[*]}"
		return 1
	fi
	echo "Installing Debian packages: ${missing[*]}"
	packages_install "${missing[@]}" >"${TMPDIR:-/tmp}/magotp-packages.$$" 2>&1 || {
		cat "${TMPDIR:-/tmp}/magotp-packages.$$"
		rm -f "${TMPDIR:-/tmp}/magotp-packages.$$"
		echo "These packages could not be installed: ${missing[*]}"
		return 1
	}
	rm -f "${TMPDIR:-/tmp}/magotp-packages.$$"
	packages_leave_off "${missing[@]}"
}
