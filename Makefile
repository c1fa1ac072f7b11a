# Run it, test it, build it for production. Everything else is cargo.

CARGO ?= cargo
RELEASE := $(or $(CARGO_TARGET_DIR),target)/release

# The client for Kafka brings OpenSSL, whose build needs a complete Perl. Without one, Loquet is built without Kafka.
HAS_PERL := $(shell perl -MIPC::Cmd -MFile::Compare -MFindBin -e 1 2>/dev/null && echo yes)
FEATURES := $(if $(HAS_PERL),,--no-default-features)

.PHONY: run test counts release screenshots install-test-tools

run: ## Build and start everything on the embedded store, in ./var, without configuration
	@$(if $(HAS_PERL),,echo "There is no complete Perl here: building without Kafka.")
	$(CARGO) run --locked --quiet --package loquet $(FEATURES) -- serve --dev

# Many tests wait: for a broker, for a browser, for a time to pass. One more than there are cores keeps the cores busy.
export RUST_TEST_THREADS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)

test: install-test-tools ## Install what the tests need, and run them all
	$(CARGO) build --locked --workspace --bin loquet
	$(CARGO) test --locked --workspace --no-fail-fast

counts: install-test-tools ## Count the instructions of what is done most, and fail where a count grew by a tenth
	GUNGRAUN_RUNNER=$(CURDIR)/target/test-tools/cargo/bin/gungraun-runner \
		$(CARGO) bench --locked --profile counts --package loquet-instructions

screenshots: install-test-tools ## Write a picture of each page of the portal into target/screenshots
	LOQUET_SCREENSHOTS=$(CURDIR)/target/screenshots $(CARGO) test --locked --package loquet-tests --test portal pictures_of

# Cargo can't do this on Linux: its `split-debuginfo` leaves the line tables in the program, from where its `strip`
# removes them. Cargo puts the whole program back each time, so that this can be repeated.
release: ## Build the program without symbols, and loquet.debug with them
	$(CARGO) build --locked --release --package loquet
	cd $(RELEASE) && objcopy --only-keep-debug --compress-debug-sections=zlib loquet loquet.debug
	cd $(RELEASE) && objcopy --strip-all --add-gnu-debuglink=loquet.debug loquet loquet.stripped
	cd $(RELEASE) && mv loquet.stripped loquet

install-test-tools:
	./tests/install
