// Temper-vet holds Go code against Temper's rules about it under go vet, package by
// package and with its build cache:
//
//	go build -o temper-vet temper/pipeline/cmd/temper-vet
//	go vet -vettool=$PWD/temper-vet ./...
//
// A rule has the name of its flag without hyphens: -vettool=... -ignorereason ./... runs
// that one alone, and -ignorereason=false all others.
//
// It tells what it finds. What //temper:ignore RULE reason accepts it passes over, and
// what the source does not tell as well; temper check reports both, and knows of
// severities, waivers and baselines. Go vet includes tests, which no rule looks at.
package main

import (
	"golang.org/x/tools/go/analysis/unitchecker"

	"temper/checks/sources"
)

func main() { unitchecker.Main(sources.Analyzers()...) }
