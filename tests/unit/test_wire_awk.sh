#!/bin/sh
# Faults in .wire files are reported with file and line, and nothing is made;
# with every awk that is there.
# shellcheck disable=SC2086,SC2046 # lists of words are meant to be split
set -eu
top=$(cd "${srcdir:-.}" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0

# expect NAME MESSAGE: the file on stdin is refused with MESSAGE first
expect() {
	cat > "$dir/$1.wire"
	if (cd "$dir" && $awk -f "$top/otpcore/wire/wire.awk" -v out=h "$1.wire") > "$dir/out" 2> "$dir/err"; then
		echo "FAIL $awk $1: taken"
		failed=1
	elif [ "$(head -n 1 "$dir/err")" != "$2" ] || [ -s "$dir/out" ]; then
		echo "FAIL $awk $1: expected '$2', got:"
		cat "$dir/err" "$dir/out"
		failed=1
	fi
}

for awk in awk mawk gawk "busybox awk"; do
	command -v ${awk%% *} > /dev/null || continue
	expect id 'id.wire:3: id 7 belongs to one (id.wire:2)' << 'END'
# a comment
message one 7 any
message two 7 root
END
	expect name 'name.wire:2: twice: one_rep (first in name.wire:1)' << 'END'
message one 7 any
message one 8 any
END
	expect row 'row.wire:3: twice: r (first in row.wire:1)' << 'END'
row r
	u32 x
row r
END
	expect field 'field.wire:3: twice: x (first in field.wire:2)' << 'END'
row r
	u32 x
	text x 3 # again
END
	expect authority 'authority.wire:1: unknown authority: anybody' << 'END'
message one 1 anybody
END
	expect range 'range.wire:1: an id is 1 to 65535: 65536' << 'END'
message one 65536 any
END
	expect type 'type.wire:2: unknown type: u16' << 'END'
row r
	u16 x
END
	expect maximum 'maximum.wire:2: needs a maximum below 65536: x' << 'END'
row r
	text x many
END
	expect words 'words.wire:2: wrong number of words: 	text x' << 'END'
row r
	text x
END
	expect unknown 'unknown.wire:3: unknown row: q' << 'END'
message one 1 any
  reply
	list l q 3
END
	expect homeless 'homeless.wire:2: a field before any row, request or reply: x' << 'END'
message one 1 any
	u32 x
END
	expect half 'half.wire:4: twice: request of one (first in half.wire:2)' << 'END'
message one 1 any
  request
	u32 x
  request
END
	expect lonely 'lonely.wire:1: reply before any message' << 'END'
reply
END
	expect big 'big.wire:5: may not fit into a frame of 65536 bytes: one_rep' << 'END'
row r
	text x 1000
message one 1 any
  reply
	list l r 66
END
	expect reserved 'reserved.wire:1: bad name: message' << 'END'
row message
	u32 x
END
	# What is right makes the same C with every awk.
	(cd "$top" && $awk -f otpcore/wire/wire.awk -v out=c otpcore/wire/ticket.wire \
		otpcore/wire/login.wire otpcore/wire/phone.wire) > "$dir/this.c"
	[ -f "$dir/first.c" ] || cp "$dir/this.c" "$dir/first.c"
	cmp "$dir/this.c" "$dir/first.c" || failed=1
done
exit $failed
