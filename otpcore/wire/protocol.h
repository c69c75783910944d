/* Numbers that travel in messages: the meaning of u32 fields of .wire files. */
#ifndef WIRE_PROTOCOL_H
#define WIRE_PROTOCOL_H

#define WIRE_VERSION     1
#define WIRE_FRAME_MAX   65536
#define WIRE_UID_UNKNOWN 4294967295u

enum login_proof {
	PROOF_NONE = 0,      /* nothing proves the password: nothing is sent or judged */
	PROOF_STACK = 1,     /* first = stack: modules before are requisite */
	PROOF_NESTED = 2,    /* prompt_password: the nested service succeeded */
	PROOF_PUBLICKEY = 3, /* first = publickey: auth_info holds the accepted key */
};

enum login_decision {
	DECISION_NONE = 0, /* counts as deny */
	DECISION_ASK = 1,
	DECISION_PASS = 2,   /* enough was proven already */
	DECISION_EXEMPT = 3, /* policy asks nothing of this user here */
	DECISION_DENY = 4,   /* the verdict says why */
	DECISION_ENROLL = 5, /* O5: a first credential is set up in the conversation */
	DECISION_CALLER = 6, /* su_target: ruser's factor is wanted: begin for that user */
	DECISION_GROUPS = 7, /* in which of `groups` is the user? Ask again with these */
};

/* exempt_groups: what begin and account are told of the user's groups. */
enum tells_groups {
	TELLS_NOTHING = 0, /* and nobody is there to be asked */
	TELLS_ASK = 1,     /* the answer may be DECISION_GROUPS */
	TELLS_TOLD = 2,    /* `groups` are those of them that the user is in */
};

/* What an enrolment may set up: bits. */
enum enroll_takes { TAKES_NOTHING = 0, TAKES_PHONE = 1, TAKES_TOKEN = 2, TAKES_APP = 4 };

enum login_delivery {
	DELIVERY_NONE = 0,
	DELIVERY_PENDING = 1,     /* handed over, no word yet */
	DELIVERY_ACCEPTED = 2,    /* a gateway took it */
	DELIVERY_FAILED = 3,      /* certainly not sent */
	DELIVERY_UNDELIVERED = 4, /* a gateway took it, and it did not arrive */
};

/* The four outcomes of an attempt (gateways.md). */
enum sms_outcome {
	SMS_NONE = 0,
	SMS_ACCEPTED = 1,
	SMS_RETRYABLE = 2, /* certainly not sent; may be tried again */
	SMS_PERMANENT = 3, /* certainly not sent; will not work */
	SMS_AMBIGUOUS = 4, /* may have been sent */
	SMS_EXPIRED = 5,   /* the deadline came first */
};

/* What became of a message afterwards, as far as anybody tells. */
enum sms_delivery {
	SMS_UNKNOWN = 0,   /* no such message: never seen, long over, or before a restart */
	SMS_NOTHING = 1,   /* nothing was heard of it, and nothing more will be waited for */
	SMS_DELIVERED = 2, /* on the phone */
	SMS_FAILED = 3,    /* it will not arrive: a word says why */
};

#endif
