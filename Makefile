# Each target is a step of .ci/run, or a few of them.

.PHONY: help check ci test test-noasm race fuzz bench bench-families bench-losses bench-peers bench-pictures bench-products bench-search bench-tokenizers generate cross stores conform arm64 386 slow

help: ## what there is
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' Makefile | expand -t 18

check: ## before pushing: format, vet, staticcheck, floors and all tests
	@.ci/run format vet lint test

ci: ## everything that is checked before a merge
	@.ci/run

test: ## all tests; GOCLIP_SHARED and GOCLIP_DATA name the reference data
	@.ci/run test

test-noasm: ## all tests without assembly
	@.ci/run test-noasm

race: ## the race detector over what runs concurrently
	@.ci/run race

arm64: ## the kernels' tests on an emulated arm64
	@.ci/run arm64

cross: ## build and vet for Linux, macOS and Windows, 32 bits and WebAssembly
	@.ci/run cross

386: ## the tests of what reads files, where int has 32 bits
	@.ci/run 386

fuzz: ## each fuzz test for FUZZTIME, 10s unless told
	@.ci/run fuzz

bench: ## the benchmarks whose names match BENCH, all unless told
	@.ci/run bench

stores: ## contrib/stores, a module of its own, with real databases, installed once from their packages
	@.ci/run stores

bench-peers: ## ours beside PyTorch, ONNX Runtime, OpenVINO and others, in turns; BENCH, ROUNDS, ISA=avx2, GOMAXPROCS
	@.ci/run bench-peers

bench-families: ## image towers of newer families, beside them
bench-losses: ## losses with their gradients, beside PyTorch
bench-pictures: ## image files to pixels, beside Pillow, OpenCV and torchvision
bench-products: ## matrix products of the towers, beside OpenBLAS, MKL and BLIS; ISA=avx2, GOMAXPROCS=1
bench-search: ## the index, beside numpy and faiss
bench-tokenizers: ## tokenizers, beside Hugging Face's library
bench-families bench-losses bench-pictures bench-products bench-search bench-tokenizers:
	@.ci/run $@

conform: ## every case of the reference implementations below GOCLIP_SHARED
	@.ci/run conform

generate: ## write the kernels' assembly again, and show what changed
	cd internal/kernel/_gen && go run .
	git diff --stat -- internal/kernel

slow: ## what takes hours: see .ci/slow -h
	@.ci/slow
