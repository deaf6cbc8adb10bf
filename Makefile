# make            the node (build/holdfast) and the browser's files (build/browser)
# make run        the demo                          make test   every test, one closing line
# make unit       the unit tests, sanitized         make unit-wasm   the same ones in WebAssembly
# make bench      speeds, and figures against peers   make fuzz   each decoder for FUZZ_SECONDS
# make soak       random networks for an hour (SOAK_SECONDS)
# make coverage   lines and branches that unit tests and fuzzers' corpora reach
# make lint       clang-tidy, no warning allowed    make clean  all but the fetched sources
# make picture    the README's picture             make shots  every mode as a picture, in build/shots
# What the machine lacks is installed first (tools/setup.sh).

NODE_LIBS = -luv -lwslay -lsqlite3 -lusrsctp -lssl -lcrypto -lz -lm
CORE_LIBS = -lsodium -lsecp256k1 -lcrypto

ifeq ($(filter -j%,$(MAKEFLAGS)),)
MAKEFLAGS += -j2
endif
.DELETE_ON_ERROR:
.SECONDARY:

# ---- sources: everything in its folder; tests, fuzzers and benchmarks stand beside the code ----
all_in  = $(foreach dir,$(1),$(wildcard $(dir)/*.c $(dir)/*/*.c $(dir)/*/*/*.c))
code_in = $(filter-out %_test.c %_fuzz.c %_bench.c,$(call all_in,$(1)))
CORE    = $(filter-out %_wasm.c,$(call code_in,core))
CORE_WASM = $(filter-out %_native.c,$(call code_in,core))
SIM     = $(call code_in,sim)
NODE    = $(call code_in,node)
GLUE    = $(call code_in,browser/wasm)
KIT     = $(wildcard tests/kit/*.c)
TESTS   = $(filter %_test.c,$(call all_in,core sim))
NODE_TESTS = $(filter %_test.c,$(call all_in,node))
FUZZERS = $(filter %_fuzz.c,$(call all_in,core sim node))
BENCHES = $(filter %_bench.c,$(call all_in,core bench))
SCRIPTS = build/browser/sw.js build/browser/page.js

# ---- flags ----
CC      = clang
AR      = llvm-ar
STRICT  = -std=c11 -Wall -Wextra -Werror
POSIX   = -D_GNU_SOURCE -isystem $(LLHTTP_INC)
HARDEN  = -fPIE -fstack-protector-strong -D_FORTIFY_SOURCE=2
NATIVE  = $(STRICT) -O2 -g -flto=thin $(HARDEN)
LINK    = -fuse-ld=lld -flto=thin -pie -Wl,-z,relro,-z,now,--as-needed
CHECKED = $(STRICT) -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
FUZZED  = $(CHECKED) -fsanitize=fuzzer-no-link
WASM    = --target=wasm32-wasi --sysroot=/usr -Oz
LLHTTP_INC = /usr/share/include/llhttp
DEPS    = build/deps
SODIUM  = $(DEPS)/libsodium/src/libsodium
SECP    = $(DEPS)/libsecp256k1
# wasi-libc's headers alone; clang would go on looking in the host's.
WASM_INC = -nostdlibinc -isystem /usr/include/wasm32-wasi
CRYPTO_INC = -I$(SODIUM)/include -I$(SECP)/include

.PHONY: all run test unit unit-wasm bench soak fuzz coverage lint picture shots clean
all: $(if $(NODE),build/holdfast) build/browser/core.wasm $(SCRIPTS)

run: all
	tools/demo.sh

test: all build/unit build/unit.wasm build/sim build/sim.wasm build/replay/all build/faults.so build/.setup-npm
	@tests/run.sh

# A random hour of the simulator.
soak: build/holdfast
	@tests/sim/soak.sh

unit: build/unit
	build/unit $(ONLY)

unit-wasm: build/unit.wasm
	node --no-warnings tests/kit/wasi.mjs $< $(ONLY)

build/.setup: tools/setup.sh
	@tools/setup.sh
	@touch $@
build/.setup-browser: browser/package-lock.json browser/node_modules/.package-lock.json | build/.setup
	@touch $@
browser/node_modules/.package-lock.json: | build/.setup
	@tools/setup.sh browser
build/.setup-npm: package-lock.json | build/.setup
	@tools/setup.sh npm
	@touch $@

# ---- objects: build/<flavour>/<source>.o ----
objects = $(patsubst %.c,build/$(1)/%.o,$(2))
compile = @mkdir -p $(@D); echo "$(1) $<"; $(CC) -MMD -MP $(2) -c $< -o $@

build/native/core/%.o: core/%.c | build/.setup
	$(call compile,native,$(NATIVE))
build/native/%.o: %.c | build/.setup
	$(call compile,native,$(NATIVE) $(POSIX))
build/checked/core/%.o: core/%.c | build/.setup
	$(call compile,checked,$(CHECKED))
build/checked/%.o: %.c | build/.setup
	$(call compile,checked,$(CHECKED) $(POSIX))
build/fuzzed/node/%.o: node/%.c | build/.setup
	$(call compile,fuzzed,$(FUZZED) $(POSIX))
build/fuzzed/%.o: %.c | build/.setup
	$(call compile,fuzzed,$(FUZZED))
build/wasm/%.o: %.c | build/.setup
	$(call compile,wasm,$(STRICT) $(WASM) $(WASM_INC) $(CRYPTO_INC))

# llhttp comes as sources. Its strict reading has to be asked for.
llhttp = @mkdir -p $(@D); $(CC) $(1) -w -DLLHTTP_STRICT_MODE=1 -I$(LLHTTP_INC) -c /usr/share/llhttp/$*.c -o $@
build/native/llhttp/%.o: | build/.setup
	$(call llhttp,$(NATIVE))
build/checked/llhttp/%.o: | build/.setup
	$(call llhttp,$(CHECKED))
build/fuzzed/llhttp/%.o: | build/.setup
	$(call llhttp,$(FUZZED))
llhttp_of = $(patsubst %,build/$(1)/llhttp/%.o,llhttp api http)

# The core as an archive: a program takes only what it uses.
build/native/core.a: $(call objects,native,$(CORE) $(SIM))
build/checked/core.a: $(call objects,checked,$(CORE) $(SIM))
build/fuzzed/core.a: $(call objects,fuzzed,$(CORE) $(SIM))
build/wasm/core.a: $(call objects,wasm,$(CORE_WASM) $(SIM))
build/native/core.a build/checked/core.a build/fuzzed/core.a build/wasm/core.a build/wasm/libsodium.a build/wasm/libsecp256k1.a:
	@rm -f $@; $(AR) rcs $@ $^

# ---- native programs ----
build/holdfast: $(call objects,native,$(NODE)) $(call llhttp_of,native) build/native/core.a
	$(CC) $(LINK) $^ -o $@ $(CORE_LIBS) $(NODE_LIBS)

# The node's own code is linked into the unit tests once it has tests there.
UNIT = $(KIT) $(TESTS) $(if $(NODE_TESTS),$(filter-out node/main.c,$(NODE)) $(NODE_TESTS))
build/unit: $(call objects,checked,$(UNIT)) $(if $(NODE_TESTS),$(call llhttp_of,checked)) build/checked/core.a
	$(CC) $(CHECKED) $^ -o $@ $(CORE_LIBS) $(if $(NODE_TESTS),$(NODE_LIBS))

# Faults for a real process, preloaded into it.
build/faults.so: tests/faults/shim.c | build/.setup
	@mkdir -p $(@D); $(CC) $(STRICT) -D_GNU_SOURCE -O1 -g -fPIC -shared $< -o $@

# ---- WebAssembly: the core, and libsodium and libsecp256k1 from the distribution's sources ----
# Only what the core calls. 32-bit limbs, because wasm32 has no 64x64->128 bit multiplication. See
# docs/explanation/crypto-in-wasm.md for the numbers behind these choices.
SODIUM_PARTS = sodium/utils crypto_verify/sodium/verify crypto_hash/sha256/cp/hash_sha256_cp \
    crypto_hash/sha512/cp/hash_sha512_cp crypto_auth/hmacsha256/auth_hmacsha256 \
    crypto_onetimeauth/poly1305/onetimeauth_poly1305 crypto_onetimeauth/poly1305/donna/poly1305_donna \
    crypto_stream/chacha20/stream_chacha20 crypto_stream/chacha20/ref/chacha20_ref \
    crypto_aead/chacha20poly1305/sodium/aead_chacha20poly1305 crypto_core/ed25519/ref10/ed25519_ref10 \
    crypto_scalarmult/curve25519/scalarmult_curve25519 crypto_scalarmult/curve25519/ref10/x25519_ref10 \
    crypto_sign/ed25519/ref10/keypair crypto_sign/ed25519/ref10/open crypto_sign/ed25519/ref10/sign
SODIUM_FLAGS = -w $(WASM_INC) -I$(SODIUM)/include/sodium -I$(SODIUM)/include -DCONFIGURED -DNATIVE_LITTLE_ENDIAN \
    -DHAVE_EXPLICIT_BZERO -D_WASI_EMULATED_SIGNAL
SECP_FLAGS = -w $(WASM_INC) -I$(SECP)/src -DUSE_FORCE_WIDEMUL_INT64 -DECMULT_WINDOW_SIZE=6 -DECMULT_GEN_PREC_BITS=2 \
    -DUSE_EXTERNAL_DEFAULT_CALLBACKS

build/wasm/sodium/%/ed25519_ref10.o: SODIUM_FLAGS += -Dge25519_scalarmult_base=ge25519_scalarmult_base_by_table
build/wasm/sodium/%.o: | build/.setup
	@mkdir -p $(@D); $(CC) $(WASM) $(SODIUM_FLAGS) -c $(SODIUM)/$*.c -o $@
build/wasm/tools/wasm/sodium.o: tools/wasm/sodium.c | build/.setup
	$(call compile,wasm,$(WASM) $(SODIUM_FLAGS))
build/wasm/tools/wasm/secp.o: tools/wasm/secp.c | build/.setup
	$(call compile,wasm,$(WASM) $(SECP_FLAGS))
build/wasm/libsodium.a: $(SODIUM_PARTS:%=build/wasm/sodium/%.o) build/wasm/tools/wasm/sodium.o
build/wasm/libsecp256k1.a: build/wasm/tools/wasm/secp.o
WASM_LIBS = build/wasm/core.a build/wasm/libsodium.a build/wasm/libsecp256k1.a

# A reactor whose only import is random bytes: what it may do, it is handed in through browser/wasm.
build/browser/core.wasm: $(call objects,wasm,$(GLUE)) $(WASM_LIBS)
	@mkdir -p $(@D)
	$(CC) $(WASM) -mexec-model=reactor -Wl,--gc-sections,--strip-all,-z,stack-size=262144 $^ -o $@
	@gzip -9nkf $@ && echo "$@: $$(wc -c <$@) bytes, $$(wc -c <$@.gz) compressed"
# Memory is there from the start: node's WASI of this age crashes after runs in which it had to grow far.
build/unit.wasm: $(call objects,wasm,$(KIT) $(TESTS)) $(WASM_LIBS)
	@$(CC) $(WASM) -Wl,-z,stack-size=1048576,--initial-memory=268435456 $^ -o $@
# Random states rendered by both, for comparison; the kit gives its random numbers.
PAGES = tests/equal/pages.c
build/pages: $(call objects,native,$(PAGES)) build/native/tests/kit/random.o build/native/core.a
	@$(CC) $(LINK) $^ -o $@ $(CORE_LIBS)
build/pages.wasm: $(call objects,wasm,$(PAGES)) build/wasm/tests/kit/random.o $(WASM_LIBS)
	@$(CC) $(WASM) -Wl,-z,stack-size=1048576 $^ -o $@

# The simulator alone, sanitized and in WebAssembly: the same seed must give the same history as in the program.
build/sim: $(call objects,checked,tests/sim/main.c) build/checked/core.a
	@$(CC) $(CHECKED) $^ -o $@ $(CORE_LIBS) -lm
build/sim.wasm: $(call objects,wasm,tests/sim/main.c) $(WASM_LIBS)
	@$(CC) $(WASM) -Wl,-z,stack-size=1048576,--initial-memory=268435456 $^ -o $@

# The worker is a classic script, the page's a module; each with what it imports.
build/browser/sw.js: browser/src/worker.js $(wildcard browser/src/*.js) | build/.setup-browser
	@browser/node_modules/.bin/esbuild $< --bundle --minify --format=iife --target=es2022 --log-level=warning --outfile=$@
build/browser/page.js: browser/src/page.js $(wildcard browser/src/*.js) | build/.setup-browser
	@browser/node_modules/.bin/esbuild $< --bundle --minify --format=esm --target=es2022 --log-level=warning --outfile=$@

# ---- speeds: each *_bench.c is a program of its own ----
build/bench/%: build/native/%_bench.o build/native/core.a
	@mkdir -p $(@D); $(CC) $(LINK) $^ -o $@ $(CORE_LIBS)
build/bench/bench/log: build/native/bench/log_bench.o build/native/node/spread.o build/native/core.a
	@mkdir -p $(@D); $(CC) $(LINK) $^ -o $@ $(CORE_LIBS) -luv
build/bench/%.wasm: build/wasm/%_bench.o $(WASM_LIBS)
	@mkdir -p $(@D); $(CC) $(WASM) $^ -o $@
build/bench/verify build/bench/crowd: build/bench/%: build/native/bench/%.o build/native/node/site.o build/native/core.a
	@mkdir -p $(@D); $(CC) $(LINK) $^ -o $@ $(CORE_LIBS) -lz
# The node's shell for bare libp2p peers, with a program inside it.
SHELL_OF = $(filter-out build/$(1)/node/main.o,$(call objects,$(1),$(NODE))) $(call llhttp_of,$(1)) build/$(1)/core.a
build/bench/p2p_peer: build/native/bench/p2p_peer.o $(call SHELL_OF,native)
	@mkdir -p $(@D); $(CC) $(LINK) $^ -o $@ $(CORE_LIBS) $(NODE_LIBS)
build/bench/p2p_crowd: build/native/bench/p2p_crowd.o build/native/core.a
	@mkdir -p $(@D); $(CC) $(LINK) $^ -o $@ $(CORE_LIBS)
build/bench/db_adds build/bench/floor: build/bench/%: build/native/bench/%.o
	@mkdir -p $(@D); $(CC) $(LINK) $^ -o $@
# The test program for libp2p's unified-testing: for its image, and sanitized for our own test (they need libhiredis).
build/transport: build/native/tests/interop/transport/main.o $(call SHELL_OF,native)
	$(CC) $(LINK) $^ -o $@ $(CORE_LIBS) $(NODE_LIBS) -lhiredis
build/interop/transport: build/checked/tests/interop/transport/main.o $(call SHELL_OF,checked)
	@mkdir -p $(@D); $(CC) $(CHECKED) $^ -o $@ $(CORE_LIBS) $(NODE_LIBS) -lhiredis
# The whole product against its peers (bench/package.json); BENCH_ROUNDS, BENCH_SECONDS make it shorter.
PEERS = $(wildcard bench/peers/sveltekit/src/*.* bench/peers/sveltekit/src/*/*.* bench/peers/sveltekit/src/*/*/*.*)
build/.setup-bench: bench/package-lock.json $(PEERS) | build/.setup-npm
	@tools/setup.sh bench
	@touch $@
bench: all build/bench/verify build/bench/crowd build/bench/p2p_peer build/bench/p2p_crowd build/bench/db_adds build/bench/floor build/.setup-bench
bench: $(BENCHES:%_bench.c=build/bench/%) $(BENCHES:%_bench.c=build/bench/%.wasm)
	@for b in $(BENCHES:%_bench.c=build/bench/%); do \
	    echo "$$b, native"; $$b && echo "$$b, WebAssembly" && node --no-warnings tests/kit/wasi.mjs $$b.wasm || exit 1; done
	@bench/run.sh

# ---- fuzzing: see docs/reference/fuzzing.md ----
FUZZ_SECONDS = 30
# Each *_fuzz.c is a program of its own, its core instrumented for libFuzzer; what it finds interesting stays in build/corpus.
build/fuzz/%: build/fuzzed/%_fuzz.o build/fuzzed/core.a
	@mkdir -p $(@D); $(CC) $(CHECKED) -fuse-ld=lld -fsanitize=fuzzer $^ -o $@ $(CORE_LIBS)
# The node's take from the node what they use.
build/fuzzed/node.a: $(call objects,fuzzed,$(filter-out node/main.c,$(NODE))) $(call llhttp_of,fuzzed)
	@rm -f $@; $(AR) rcs $@ $^
build/fuzz/node/%: build/fuzzed/node/%_fuzz.o build/fuzzed/node.a build/fuzzed/core.a
	@mkdir -p $(@D); $(CC) $(CHECKED) -fuse-ld=lld -fsanitize=fuzzer $^ -o $@ $(CORE_LIBS) -Wl,--as-needed $(NODE_LIBS)
fuzz: $(foreach f,$(FUZZERS:%_fuzz.c=build/fuzz/%),$(if $(or $(findstring $(ONLY),$f),$(if $(ONLY),,all)),$f))
	@tests/fuzz/run.sh $(FUZZ_SECONDS) $(^:build/fuzz/%=%)

# All of them in one program that takes a target's name first: for the tests, over the objects of the unit tests, so that only the targets themselves are
# compiled anew; and for coverage. Each gets a name of its own for the one function that all define.
fuzz_part = $(call compile,$(1),$(2) $(POSIX) -fsanitize=fuzzer-no-link -DLLVMFuzzerTestOneInput=hf_fuzz_$(subst /,_,$*))
build/replay/%_fuzz.o: %_fuzz.c | build/.setup
	$(call fuzz_part,replay,$(CHECKED))
build/replay/targets.inc: $(FUZZERS) Makefile
	@mkdir -p $(@D); printf '%s\n' $(foreach f,$(FUZZERS:%_fuzz.c=%),'TARGET("$f", hf_fuzz_$(subst /,_,$f))') >$@
build/replay/main.o: tests/fuzz/main.c build/replay/targets.inc
	$(call compile,replay,$(CHECKED) -Ibuild/replay)
build/replay/all: build/replay/main.o $(FUZZERS:%.c=build/replay/%.o) $(filter-out %/main.o,$(call objects,checked,$(NODE))) $(call llhttp_of,checked) build/checked/core.a
	$(CC) $(CHECKED) -fuse-ld=lld -fsanitize=fuzzer $^ -o $@ $(CORE_LIBS) $(NODE_LIBS)

# ---- coverage: of the unit tests and the corpora together, and of the corpora alone; lines and branches by folder ----
COVERED = $(STRICT) -O1 -g -fprofile-instr-generate -fcoverage-mapping
build/covered/core/%.o: core/%.c | build/.setup
	$(call compile,covered,$(COVERED))
build/covered/%.o: %.c | build/.setup
	$(call compile,covered,$(COVERED) $(POSIX))
build/covered/llhttp/%.o: | build/.setup
	$(call llhttp,$(COVERED))
build/covered-fuzz/%_fuzz.o: %_fuzz.c | build/.setup
	$(call fuzz_part,covered,$(COVERED))
build/coverage/main.o: tests/fuzz/main.c build/replay/targets.inc
	$(call compile,covered,$(COVERED) -Ibuild/replay)
COVERED_ALL = $(call objects,covered,$(CORE) $(SIM) $(filter-out node/main.c,$(NODE))) $(call llhttp_of,covered)
build/coverage/unit: $(call objects,covered,$(KIT) $(TESTS) $(NODE_TESTS)) $(COVERED_ALL)
	@mkdir -p $(@D); $(CC) $(COVERED) -fuse-ld=lld $^ -o $@ $(CORE_LIBS) $(NODE_LIBS)
build/coverage/fuzz: build/coverage/main.o $(FUZZERS:%.c=build/covered-fuzz/%.o) $(COVERED_ALL)
	@mkdir -p $(@D); $(CC) $(COVERED) -fuse-ld=lld -fsanitize=fuzzer $^ -o $@ $(CORE_LIBS) $(NODE_LIBS)
coverage: build/coverage/unit build/coverage/fuzz
	@tests/fuzz/coverage.sh

# ---- lint ----
LINTED = $(CORE) $(SIM) $(NODE) $(GLUE) $(TESTS) $(NODE_TESTS) $(FUZZERS) $(KIT) tests/fuzz/main.c
LINT_INC = -include tests/kit/lint.h
build/lint/core/base/base.c: LINT_INC =
build/lint/tests/fuzz/main.c: LINT_INC = -Ibuild/replay
build/lint/tests/fuzz/main.c: build/replay/targets.inc
build/lint/browser/%: POSIX = $(WASM) $(WASM_INC)
lint: $(LINTED:%=build/lint/%)
	@echo "$(words $(LINTED)) files, no warning"
build/lint/%: % .clang-tidy | build/.setup
	@mkdir -p $(@D); clang-tidy --quiet --warnings-as-errors='*' $< -- $(STRICT) $(POSIX) $(LINT_INC) 2>/dev/null && touch $@

# ---- pictures, from real nodes and real browsers: the README's, and every mode for looking at (build/shots) ----
picture shots: %: all build/.setup-npm
	node tools/$@.mjs

clean:
	find build -mindepth 1 -maxdepth 1 ! -name deps -exec rm -rf {} +

-include $(shell find build -path build/deps -prune -o -name '*.d' -print 2>/dev/null)
