#!/bin/sh
# The corpus, and some thousand mutations of each seed, under ASan and UBSan.
exec env ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 ./fuzz_replay_san -n "${MAGOTP_FUZZ_N:-3000}"
