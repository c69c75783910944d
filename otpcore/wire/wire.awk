# Generates C from .wire files (login.wire says what they look like).
#   awk -f wire.awk -v out=h    FILE...   structs and the enum of messages
#   awk -f wire.awk -v out=c    FILE...   descriptors that the codec walks
#   awk -f wire.awk -v out=dict FILE...   dictionary for the fuzzers
# A fault in a .wire file is reported with file and line, and nothing is made.

BEGIN {
	FRAME_MAX = 65536
	NAME_MAX = 23 # WIRE_NAME_MAX
	HEAD_MAX = 4 + 3 * 4 + 2 + 255 # version, message, the result
	# Names that wire.h uses itself.
	split("type authority field fields struct message messages n_messages result msg clear free", w, " ")
	for (i in w)
		reserved[w[i]] = 1
}

function fault(text) {
	print FILENAME ":" FNR ": " text > "/dev/stderr"
	faults++
}

function here() {
	return FILENAME ":" FNR
}

# Words of a line: `least` to `most` of them.
function words(least, most) {
	if (NF >= least && NF <= most)
		return 1
	fault("wrong number of words: " $0)
	return 0
}

# A struct gathers its C members and descriptor rows until the next one opens.
function open_struct(name) {
	if (name !~ /^[a-z][a-z0-9_]*$/ || name in reserved)
		fault("bad name: " name)
	if (name in where)
		fault("twice: " name " (first in " where[name] ")")
	else
		order[++n_structs] = name
	where[name] = here()
	current = name
	members[name] = rows[name] = ""
	n_fields[name] = size[name] = 0
}

# How a field looks in C, and how many bytes it takes in a frame at most.
function field(type, name, max, row,    count) {
	if (current == "") {
		fault("a field before any row, request or reply: " name)
		return
	}
	if (name !~ /^[a-z][a-z0-9_]*$/ || length(name) > NAME_MAX)
		fault("bad field name: " name)
	if ((current, name) in seen)
		fault("twice: " name " (first in " seen[current, name] ")")
	seen[current, name] = here()
	if (!(name in known_name)) {
		known_name[name] = 1
		names[++n_names] = name
	}
	if (type !~ /^(u32|i64)$/ && (max !~ /^[1-9][0-9]*$/ || max + 0 >= FRAME_MAX)) {
		fault("needs a maximum below " FRAME_MAX ": " name)
		return
	}
	count = 0
	if (type == "u32") {
		member("uint32_t " name, 4)
	} else if (type == "i64") {
		member("int64_t " name, 8)
	} else if (type ~ /^(text|account|service)$/) {
		member("char " name "[" max " + 1]", 2 + max)
	} else if (type ~ /^(secret|sealed)$/) {
		member("struct mag_secret " name, 2 + max)
	} else if (type == "bytes") {
		member("struct { size_t len; unsigned char data[" max "]; } " name, 2 + max)
	} else if (type == "list") {
		if (!(row in is_row) || row == current) {
			fault("unknown row: " row)
			return
		}
		member("size_t n_" name, 2)
		member("struct wire_" row " " name "[" max "]", max * size[row])
		count = "offsetof(struct wire_" current ", n_" name ")"
	}
	rows[current] = rows[current] "\t{ \"" name "\", WIRE_" toupper(type) \
		", offsetof(struct wire_" current ", " name "), " count ", " \
		(max == "" ? 0 : max) ", " (row == "" ? "{ 0, 0, 0 }" : "ROW_" row) " },\n"
	n_fields[current]++
}

function member(text, bytes) {
	members[current] = members[current] "\t" text ";\n"
	size[current] += bytes
	if (size[current] + HEAD_MAX > FRAME_MAX && !(current in too_big)) {
		too_big[current] = 1
		fault("may not fit into a frame of " FRAME_MAX " bytes: " current)
	}
}

function message(name, id, authority) {
	if (length(name) > NAME_MAX)
		fault("too long: " name)
	if (authority !~ /^(any|verifier|agent|admin|root)$/)
		fault("unknown authority: " authority)
	if (id !~ /^[1-9][0-9]*$/ || id + 0 > 65535)
		fault("an id is 1 to 65535: " id)
	if (id in id_taken)
		fault("id " id " belongs to " id_taken[id])
	id_taken[id] = name " (" here() ")"
	msg_name[++n_messages] = name
	msg_id[n_messages] = id
	msg_authority[n_messages] = authority
	open_struct(name "_rep")
	open_struct(name "_req")
	msg = name
	current = ""
}

# "request" or "reply": once each, after their message.
function half(suffix) {
	if (msg == "")
		fault($1 " before any message")
	else if ((msg, suffix) in half_seen)
		fault("twice: " $1 " of " msg " (first in " half_seen[msg, suffix] ")")
	half_seen[msg, suffix] = here()
	current = msg == "" ? "" : msg suffix
}

{ sub(/#.*/, "") }
!NF { next }
$1 == "row"     { if (words(2, 2)) { open_struct($2); is_row[$2] = 1; msg = "" } next }
$1 == "message" { if (words(4, 4)) message($2, $3, $4); next }
$1 == "request" { if (words(1, 1)) half("_req"); next }
$1 == "reply"   { if (words(1, 1)) half("_rep"); next }
$1 == "list"    { if (words(4, 4)) field("list", $2, $4, $3); next }
$1 == "account" { if (words(2, 2)) field("account", $2, 256, ""); next }
$1 == "service" { if (words(2, 2)) field("service", $2, 64, ""); next }
$1 ~ /^(u32|i64)$/                    { if (words(2, 2)) field($1, $2, "", ""); next }
$1 ~ /^(text|bytes|secret|sealed)$/   { if (words(3, 3)) field($1, $2, $3, ""); next }
                { fault("unknown type: " $1) }

function print_header(    i, s) {
	print "/* Generated from the .wire files by wire.awk. */"
	for (i = 1; i <= n_structs; i++) {
		s = order[i]
		# C has no empty struct: one without fields gets a member that is never sent.
		print "\nstruct wire_" s " {\n" (n_fields[s] ? members[s] : "\tchar nothing;\n") "};"
		print "extern const struct wire_struct wire_" s ";"
	}
	print "\nenum wire_msg {"
	for (i = 1; i <= n_messages; i++)
		print "\tWIRE_MSG_" toupper(msg_name[i]) " = " msg_id[i] ","
	print "};"
}

# A struct as the tables have it.
function summary(s) {
	return "{ sizeof(struct wire_" s "), " first[s] ", " n_fields[s] " }"
}

function print_source(    i, s, n) {
	print "/* Generated from the .wire files by wire.awk. */"
	print "#include <stddef.h>\n#include \"otpcore/wire/wire.h\"\n"
	for (i = 1; i <= n_structs; i++) {
		first[order[i]] = n + 0
		n += n_fields[order[i]]
	}
	for (i = 1; i <= n_structs; i++)
		if (order[i] in is_row)
			print "#define ROW_" order[i] " " summary(order[i])
	print "\nconst struct wire_field wire_fields[] = {"
	for (i = 1; i <= n_structs; i++)
		printf "%s", rows[order[i]]
	print "};\n"
	for (i = 1; i <= n_structs; i++)
		print "const struct wire_struct wire_" order[i] " = " summary(order[i]) ";"
	print "\nconst struct wire_message wire_messages[] = {"
	for (i = 1; i <= n_messages; i++)
		print "\t{ \"" msg_name[i] "\", " msg_id[i] ", AUTH_" toupper(msg_authority[i]) ",\n\t\t" \
			summary(msg_name[i] "_req") ", " summary(msg_name[i] "_rep") " },"
	print "};"
	print "const size_t wire_n_messages = sizeof wire_messages / sizeof *wire_messages;"
}

# libFuzzer and AFL: the heads of all messages, and words that look like values.
function print_dict(    i) {
	for (i = 1; i <= n_messages; i++)
		printf "\"\\x00\\x01\\x%02x\\x%02x\"\n", int(msg_id[i] / 256), msg_id[i] % 256
	for (i = 1; i <= n_names; i++)
		print "\"" names[i] "\""
}

END {
	if (faults)
		exit 1
	if (out == "h")
		print_header()
	else if (out == "c")
		print_source()
	else
		print_dict()
}
