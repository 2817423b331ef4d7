# Two commands are all that a newcomer needs:
#   make demo   installs what is missing, builds, converges examples/manifests/site.yaml on this host
#   make test   the tests, real containers included (as root)
# and for a host of yours:
#   make deb    target/bayplan.deb
SHELL := /bin/bash
.DELETE_ON_ERROR:

DEMO_STATE ?= /var/lib/bayplan-demo
DEMO_SITE  := examples/manifests/site.yaml
BAYPLAN    := target/release/bayplan

.PHONY: help deps build deb demo demo-clean test test-long test-vm test-deb bench lint bless

help:
	@sed -n 's/^# \?//p' Makefile | head -5

deps:
	@tools/install-deps.sh

build: deps
	cargo build --release --locked

deb:
	@tools/install-deps.sh dpkg-dev
	cargo build --release --locked
	cp "$$(tools/deb.sh target/release/bayplan)" target/bayplan.deb
	@dpkg-deb --info target/bayplan.deb | sed -n 's/^ \(Package\|Version\|Depends\)/\1/p'

demo: build
	tools/demo.sh $(BAYPLAN) $(DEMO_STATE) $(DEMO_SITE)

demo-clean:
	tools/demo-clean.sh $(BAYPLAN) $(DEMO_STATE)

test: deps
	tools/test.sh

# 100,000 random sites; hours
test-long: deps
	BAYPLAN_CASES=100000 cargo test --locked --release --test it properties

# the host tests in Debian VMs with systemd, pure cgroup v2 and AppArmor: kernels 6.1 and 6.12; an hour without KVM
test-vm: deps
	@status=0; for suite in bookworm trixie; do tools/test-vm.sh $$suite || status=1; done; \
	tail -qn 1 target/vm/{bookworm,trixie}.log; exit $$status

# the package is installed, upgraded and removed in both VMs while a container runs
test-deb: deb
	@status=0; for suite in bookworm trixie; do tools/test-deb.sh $$suite target/bayplan.deb || status=1; done; exit $$status

# make bench FLOOR=PATH measures the floor's program in the same interleaving
bench: deps
	FLOOR="$(FLOOR)" tools/bench.sh $(WORKS)

lint:
	cargo fmt --all --check
	cargo clippy --locked --all-targets -- -D warnings

# writes what is generated (schemas, docs/config-keys.md) and accepts new goldens
bless: deps
	BAYPLAN_BLESS=1 INSTA_UPDATE=always cargo test --locked --test it
