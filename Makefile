# Run it, test it. Everything else is cargo.

CARGO ?= cargo

.PHONY: run test install-test-tools

run: ## Build and start everything on the embedded store, in ./var, without configuration
	$(CARGO) run --locked --quiet --package loquet -- serve --dev

test: install-test-tools ## Install what the tests need, and run them all
	$(CARGO) build --locked --package loquet
	$(CARGO) test --locked --workspace

install-test-tools:
	./tests/install
