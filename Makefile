# Each target is a step of .ci/run, or a few of them.

.PHONY: help check ci test test-noasm race fuzz bench bench-families bench-losses bench-peers bench-pictures bench-tokenizers generate cross pgvector conform arm64 386 slow

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

pgvector: ## contrib/pgvector, a module of its own, with a real PostgreSQL where there is one
	@.ci/run pgvector

bench-families: ## image towers, ours beside PyTorch, ONNX Runtime and OpenVINO; BENCH chooses rows, ISA=avx2 a set
	@.ci/run bench-families

bench-peers: ## ours beside PyTorch and ONNX Runtime, ROUNDS times each; see BENCHMARKS.md
	@.ci/run bench-peers

bench-losses: ## losses with their gradients, ours beside PyTorch, ROUNDS times each; ISA=avx2 holds both to it
	@.ci/run bench-losses

bench-pictures: ## ours beside Pillow, OpenCV and torchvision, ROUNDS times each
	@.ci/run bench-pictures

bench-tokenizers: ## ours beside Hugging Face's tokenizers library, ROUNDS times each
	@.ci/run bench-tokenizers

conform: ## every case of the reference implementations below GOCLIP_SHARED
	@.ci/run conform

generate: ## write the kernels' assembly again, and show what changed
	cd internal/kernel/_gen && go run .
	git diff --stat -- internal/kernel

slow: ## what takes hours: see .ci/slow -h
	@.ci/slow
