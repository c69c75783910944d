# Generates C from .wire files (login.wire says what they look like).
#   awk -f wire.awk -v out=h    FILE...   structs and the enum of messages
#   awk -f wire.awk -v out=c    FILE...   descriptors that the codec walks
#   awk -f wire.awk -v out=dict FILE...   dictionary for the fuzzers
# A fault in a .wire file is reported with file and line, and nothing is made.

function fault(text) {
	print FILENAME ":" FNR ": " text > "/dev/stderr"
	faults++
}

# A struct gathers its C members and descriptor rows until the next one opens.
function open_struct(name) {
	if (name in members)
		fault("twice: " name)
	current = name
	order[++n_structs] = name
	members[name] = rows[name] = ""
	n_fields[name] = 0
}

function descriptor(name, type, max, count, row) {
	rows[current] = rows[current] sprintf("\t{ \"%s\", WIRE_%s, offsetof(struct wire_%s, %s), %s, %s, %s },\n", \
		name, toupper(type), current, name, count, max, row)
	n_fields[current]++
}

function field(type, name, max, row,    count) {
	if (current == "") {
		fault("a field before any row or message")
		return
	}
	if (name !~ /^[a-z][a-z0-9_]*$/ || (current, name) in seen)
		fault("bad or repeated field name: " name)
	seen[current, name] = 1
	names[name] = 1
	count = 0
	if (type == "u32")
		member("uint32_t " name)
	else if (type == "i64")
		member("int64_t " name)
	else if (type == "text" || type == "account" || type == "service")
		member("char " name "[" max " + 1]")
	else if (type == "secret")
		member("struct mag_secret " name)
	else if (type == "bytes")
		member("struct { size_t len; unsigned char data[" max "]; } " name)
	else if (type == "list") {
		if (!(row in members))
			fault("unknown row: " row)
		member("size_t n_" name)
		member("struct wire_" row " " name "[" max "]")
		count = "offsetof(struct wire_" current ", n_" name ")"
	} else {
		fault("unknown type: " type)
		return
	}
	if (type ~ /^(text|secret|bytes|list)$/ && max !~ /^[1-9][0-9]*$/)
		fault("needs a maximum: " name)
	descriptor(name, type, max == "" ? 0 : max, count, row == "" ? "NULL" : "&wire_" row)
}

function member(text) {
	members[current] = members[current] "\t" text ";\n"
}

function message(name, id, authority) {
	if (authority !~ /^(any|verifier|admin|root)$/)
		fault("unknown authority: " authority)
	if (id in id_taken)
		fault("id " id " belongs to " id_taken[id])
	id_taken[id] = name
	msg_name[++n_messages] = name
	msg_id[n_messages] = id
	msg_authority[n_messages] = authority
	open_struct(name "_rep")
	open_struct(name "_req")
	msg = name
}

{ sub(/#.*/, "") }
!NF { next }
$1 == "row"     { open_struct($2); next }
$1 == "message" { message($2, $3, $4); next }
$1 == "request" { current = msg "_req"; next }
$1 == "reply"   { current = msg "_rep"; next }
$1 == "list"    { field("list", $2, $4, $3); next }
$1 == "account" { field("account", $2, 256, ""); next }
$1 == "service" { field("service", $2, 64, ""); next }
                { field($1, $2, $3, "") }

function print_header(    i, s) {
	print "/* Generated from the .wire files by wire.awk. */"
	for (i = 1; i <= n_structs; i++) {
		s = order[i]
		# C has no empty struct: one without fields gets a member that is never sent.
		printf "\nstruct wire_%s {\n%s};\n", s, n_fields[s] ? members[s] : "\tchar nothing;\n"
		printf "extern const struct wire_struct wire_%s;\n", s
	}
	print "\nenum wire_msg {"
	for (i = 1; i <= n_messages; i++)
		printf "\tWIRE_MSG_%s = %d,\n", toupper(msg_name[i]), msg_id[i]
	print "};"
}

function print_source(    i, s) {
	print "/* Generated from the .wire files by wire.awk. */"
	print "#include <stddef.h>\n#include \"otpcore/wire/wire.h\""
	for (i = 1; i <= n_structs; i++) {
		s = order[i]
		if (n_fields[s])
			printf "\nstatic const struct wire_field fields_%s[] = {\n%s};\n", s, rows[s]
		printf "const struct wire_struct wire_%s = { \"%s\", sizeof(struct wire_%s), %s, %d };\n", \
			s, s, s, n_fields[s] ? "fields_" s : "NULL", n_fields[s]
	}
	print "\nconst struct wire_message wire_messages[] = {"
	for (i = 1; i <= n_messages; i++)
		printf "\t{ \"%s\", %d, AUTH_%s, &wire_%s_req, &wire_%s_rep },\n", \
			msg_name[i], msg_id[i], toupper(msg_authority[i]), msg_name[i], msg_name[i]
	print "};"
	print "const size_t wire_n_messages = sizeof wire_messages / sizeof *wire_messages;"
}

END {
	if (faults)
		exit 1
	if (out == "h")
		print_header()
	else if (out == "c")
		print_source()
	else
		for (s in names)
			print "\"" s "\""
}
