#!/bin/sh
# Every text of the login is there in every language, the template is up to date, and
# faults in .po files are reported with file and line; with every awk that is there.
# shellcheck disable=SC2086,SC2046 # lists of words are meant to be split
set -eu
top=$(cd "${srcdir:-.}" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0
cd "$top"

# expect NAME MESSAGE: the entry on stdin is refused with MESSAGE, and nothing is made
expect() {
	cat > "$dir/$1.po"
	if (cd "$dir" && $awk -f "$top/otpcore/login/texts.awk" -v out=c texts.def "$1.po") \
		> "$dir/out" 2> "$dir/err"; then
		echo "FAIL $awk $1: taken"
		failed=1
	elif [ "$(head -n 1 "$dir/err")" != "$2" ] || [ -s "$dir/out" ]; then
		echo "FAIL $awk $1: expected '$2', got:"
		cat "$dir/err" "$dir/out"
		failed=1
	fi
}

cat > "$dir/texts.def" << 'END'
TEXT(ONE, "One {n}\nof {count}\n",
	"short {n}")
TEXT(TWO, "Two", "")
END
for awk in awk mawk gawk "busybox awk"; do
	command -v ${awk%% *} > /dev/null || continue
	$awk -f otpcore/login/texts.awk -v out=pot otpcore/login/texts.def > "$dir/pot"
	cmp -s "$dir/pot" po/magotp.pot || { echo "FAIL $awk po/magotp.pot is old: make pot"; failed=1; }
	missing=$($awk -f otpcore/login/texts.awk -v out=missing otpcore/login/texts.def po/*.po)
	[ -z "$missing" ] || { echo "FAIL $awk not translated:"; echo "$missing"; failed=1; }

	expect unknown 'unknown.po:4: no text is called THREE' << 'END'
msgctxt "THREE"
msgid "Three"
msgstr "Drei"

END
	expect twice 'twice.po:8: twice: TWO' << 'END'
msgctxt "TWO"
msgid "Two"
msgstr "Zwei"

msgctxt "TWO"
msgid "Two"
msgstr "Zwo"

END
	expect old 'old.po:4: TWO: the English words have changed; msgmerge' << 'END'
msgctxt "TWO"
msgid "2"
msgstr "Zwei"

END
	expect place 'place.po:4: ONE/short: places {m} where English has {n}' << 'END'
msgctxt "ONE/short"
msgid "short {n}"
msgstr "kurz {m}"

END
	expect left 'left.po:7: ONE: places {n} where English has {count}{n}' << 'END'
msgctxt "ONE"
msgid ""
"One {n}\n"
"of {count}\n"
msgstr ""
"Eins {n}\n"

END
	expect control 'control.po:4: TWO: only \n, \" and \\ are known' << 'END'
msgctxt "TWO"
msgid "Two"
msgstr "Zwei\033[1m"

END
	expect raw 'raw.po:4: TWO: a control character' << END
msgctxt "TWO"
msgid "Two"
msgstr "Zwei$(printf '\033')"

END
	expect end 'end.po:4: ONE: only one of both ends in a new line' << 'END'
msgctxt "ONE"
msgid "One {n}\nof {count}\n"
msgstr "{count} davon {n}"
# the last entry
END
	expect junk 'junk.po:2: not understood: msgfoo "x"' << 'END'
msgctxt "TWO"
msgfoo "x"
END
	# What is fuzzy, empty or not there is said in English; places may change order.
	cat > "$dir/xx.po" << 'END'
msgid ""
msgstr "Language: xx\n"

msgctxt "ONE"
msgid ""
"One {n}\n"
"of {count}\n"
msgstr "{count}: {n}\n"

#, fuzzy
msgctxt "TWO"
msgid "Too"
msgstr "Zwei"
END
	(cd "$dir" && $awk -f "$top/otpcore/login/texts.awk" -v out=c texts.def xx.po) > "$dir/c"
	grep -qF '	char ONE_separate[sizeof("{count}: {n}\n")];' "$dir/c" &&
		grep -qF '[TEXT_ONE] = { offsetof(struct xx_words, ONE_separate), 0 }' "$dir/c" &&
		grep -qF '[TEXT_TWO] = { 0, 0 }' "$dir/c" || {
		echo "FAIL $awk: the table:"
		cat "$dir/c"
		failed=1
	}
done
# Other people's tools read them, too.
if command -v msgfmt > /dev/null; then
	for po in po/*.po; do
		msgfmt -o /dev/null "$po" || failed=1
	done
fi
exit $failed
