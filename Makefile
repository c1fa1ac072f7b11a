# Run it, test it, build it for production. Everything else is cargo.

CARGO ?= cargo
RELEASE := $(or $(CARGO_TARGET_DIR),target)/release

.PHONY: run test release install-test-tools

run: ## Build and start everything on the embedded store, in ./var, without configuration
	$(CARGO) run --locked --quiet --package loquet -- serve --dev

test: install-test-tools ## Install what the tests need, and run them all
	$(CARGO) build --locked --package loquet
	$(CARGO) test --locked --workspace

# Cargo can't do this on Linux: its `split-debuginfo` leaves the line tables in the program, from where its `strip`
# removes them. Cargo puts the whole program back each time, so that this can be repeated.
release: ## Build the program without symbols, and loquet.debug with them
	$(CARGO) build --locked --release --package loquet
	cd $(RELEASE) && objcopy --only-keep-debug --compress-debug-sections=zlib loquet loquet.debug
	cd $(RELEASE) && objcopy --strip-all --add-gnu-debuglink=loquet.debug loquet loquet.stripped
	cd $(RELEASE) && mv loquet.stripped loquet

install-test-tools:
	./tests/install
