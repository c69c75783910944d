/* Included before anything else where the readers are instrumented: libphonenumber is not,
 * so numbers go by our own tables there. (fuzz_replay goes through it.) */
#ifndef FUZZ_PLAIN_H
#define FUZZ_PLAIN_H

#undef HAVE_PHONENUMBER

#endif
