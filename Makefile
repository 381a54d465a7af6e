# What people type. CI calls these targets and nothing else.
GO ?= go
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
EXAMPLES = $(wildcard examples/*/go.mod)
DEMO = .temper/demo

.PHONY: all demo demo-steps test test-examples test-sigstore lint bench bench-engine bench-signing sbom cosign admission clean bin/temper

all: bin/temper

# TAGS=kms makes one that speaks to services that hold keys.
bin/temper:
	$(GO) build -tags "$(TAGS)" -trimpath -buildvcs=false -ldflags="-s -w" -o bin/temper ./pipeline/cmd/temper

# The whole way on the examples, with a registry that lives as long as it takes.
demo: bin/temper
	bin/temper registry -- $(MAKE) --no-print-directory demo-steps

demo-steps: export COSIGN_PASSWORD = only for the demo
demo-steps:
	rm -rf $(DEMO) && mkdir -p $(DEMO)
	bin/temper keygen --output-key-prefix $(DEMO)/cosign
	bin/temper build -C examples -o $(DEMO)/oci
	bin/temper release --key $(DEMO)/cosign.key --tag demo $(DEMO)/oci $$TEMPER_REGISTRY/examples
	bin/temper verify --key $(DEMO)/cosign.pub $$TEMPER_REGISTRY/examples/api:demo $$TEMPER_REGISTRY/examples/web:demo $$TEMPER_REGISTRY/examples/worker:demo
	@echo "# and what Temper says of a careless service:"
	bin/temper build -C examples/careless -o $(DEMO)/careless; test $$? -eq 3

test: test-examples
	$(GO) vet ./...
	$(GO) test -timeout 60m ./...
	$(GO) vet -tags kms ./pipeline/release ./pipeline/cmd/temper
	$(GO) test -tags kms -run 'Service|Plugin|Stories/kms' ./pipeline/release ./pipeline/cmd/temper
# What Go remembers of a test knows nothing of files outside of its module.
	cd tools/gosec && GOWORK=off $(GO) vet . && GOWORK=off $(GO) test -count=1 .
	cd tools/sarif && GOWORK=off $(GO) vet . && GOWORK=off $(GO) test -count=1 .
	cd tools/sbom && GOWORK=off $(GO) vet . && GOWORK=off $(GO) test -count=1 .
	cd tools/workflows && GOWORK=off $(GO) vet . && GOWORK=off $(GO) test -count=1 .

# Sigstore's real servers on loopback: minutes to build them, once.
test-sigstore:
	cd tools/sigstore && GOWORK=off $(GO) vet . && GOWORK=off $(GO) test -count=1 .

test-examples:
	@set -e; for mod in $(EXAMPLES); do dir=$$(dirname $$mod); echo "# $$dir"; \
		(cd $$dir && GOWORK=off $(GO) vet ./... && GOWORK=off $(GO) test ./...); done

lint:
	$(GO) run $(STATICCHECK) ./...

# Ratios against ko, in one run on the same sources, against dockle on the same images, against kube-score on the same manifests, and
# against go vet and gosec on the same code. BENCH=-six measures six services with heavy dependencies: a quarter of an hour.
bench:
	$(GO) run -C tools/bench . -C ../.. $(BENCH)
	$(GO) run -C tools/dockle . -C ../..
	GOWORK=off $(GO) run -C tools/kubescore . -C ../..
	GOWORK=off $(GO) run -C tools/vetting . -C ../..

# Ratios against the cosign commands, with one key on one registry.
bench-signing: cosign
	GOWORK=off $(GO) run -C tools/signing . -C ../.. $(BENCH)

# Ratios against a plain module, on the engine that dagger finds.
bench-engine:
	GOWORK=off $(GO) run -C tools/engine . -C ../.. $(BENCH)

# What syft and ko say of the same images: minutes to build them.
sbom:
	GOWORK=off $(GO) run -C tools/sbom . -C ../..

# The real cosign commands, outside of go.mod: minutes to build, and what
# pipeline/release was tested against then verifies with them.
cosign: bin/cosign2 bin/cosign3

bin/cosign2: tools/cosign2/go.mod
	$(GO) build -C tools/cosign2 -trimpath -ldflags="-s -w" -o ../../bin/cosign2 github.com/sigstore/cosign/v2/cmd/cosign

bin/cosign3: tools/cosign3/go.mod
	$(GO) build -C tools/cosign3 -trimpath -ldflags="-s -w" -o ../../bin/cosign3 github.com/sigstore/cosign/v3/cmd/cosign

# The engines that are told of a policy by temper manifest --policy, outside of go.mod:
# a quarter of an hour to build, and what pipeline/cmd/temper was tested against then
# asks them.
admission: bin/policy-tester bin/kyverno

bin/policy-tester: tools/policy-controller/go.mod
	GOWORK=off $(GO) build -C tools/policy-controller -ldflags="-s -w" -o ../../bin/policy-tester github.com/sigstore/policy-controller/cmd/tester

bin/kyverno: tools/kyverno/go.mod
	GOWORK=off $(GO) build -C tools/kyverno -ldflags="-s -w" -o ../../bin/kyverno github.com/kyverno/kyverno/cmd/cli/kubectl-kyverno

clean:
	rm -rf bin $(DEMO)
