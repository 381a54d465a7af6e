// Command engine measures Temper's module on a Dagger engine beside a plain
// one, which compiles the same services and puts the binaries on an empty base,
// and prints how long each took and the ratio.
//
// Both build the same examples for the same platforms, all side by side in one
// call; Temper's module checks, describes and reports as well. They take turns,
// and times are medians, with the fastest beside them; trust the ratios. The
// engine is the one that dagger finds, and nothing on it is pruned: what is cold
// is given new names.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"slices"
	"time"
)

func main() {
	var b bench
	flag.StringVar(&b.root, "C", ".", "the repository of Temper, in `DIR`")
	flag.StringVar(&b.goProxy, "go-proxy", "", "GOPROXY on the engine, as `URL`")
	flag.StringVar(&b.logs, "logs", "", "keep what dagger says of each call in `DIR`")
	rounds := flag.Int("n", 7, "measure what is not cold this many `TIMES`")
	compile := flag.Bool("compile", false, "measure a cold call that compiles temper too: minutes")
	flag.Parse()
	log.SetFlags(0)
	log.SetPrefix("engine: ")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := b.run(ctx, *rounds, *compile); err != nil {
		log.Fatal(err)
	}
}

func (b *bench) run(ctx context.Context, rounds int, compile bool) error {
	tmp, err := os.MkdirTemp("", "temper-engine-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if b.logs != "" {
		if err := os.MkdirAll(b.logs, 0o777); err != nil {
			return err
		}
	}
	b.tmp, b.nonce = tmp, fmt.Sprint(time.Now().UnixNano())
	if err := b.layDown(ctx); err != nil {
		return err
	}
	fmt.Printf("%-28s  %8s  %8s  %5s  %8s  %8s  %5s\n", fmt.Sprintf("%d services, %d platforms", len(services), len(platforms)),
		"temper", "plain", "ratio", "fastest:", "plain", "ratio")
	if compile {
		if err := b.alone(ctx, "cold, temper compiled as well"); err != nil {
			return err
		}
	}
	if err := b.compare(ctx, "cold", 1, false, unchanged); err != nil {
		return err
	}
	if err := b.compare(ctx, "one service edited", rounds, true, b.edit); err != nil {
		return err
	}
	return b.compare(ctx, "warm, nothing changed", rounds, true, unchanged)
}

// compare measures both in every round, so that noise meets both, and each of
// them comes first in every other one. What is settled is called once before
// the call that is measured: an engine that is short of disk drops caches when
// nobody uses them, such as those of one while the other is called. Where it
// does so all the same, the fastest calls tell more than the medians.
func (b *bench) compare(ctx context.Context, what string, rounds int, settled bool, prepare func() error) error {
	var ours, theirs []time.Duration
	for round := range rounds {
		calls := []struct {
			args  []string
			times *[]time.Duration
		}{{b.temper(), &ours}, {b.plain(), &theirs}}
		if round%2 == 1 {
			slices.Reverse(calls)
		}
		for _, c := range calls {
			if settled {
				if _, err := b.after(ctx, prepare, c.args); err != nil {
					return fmt.Errorf("%s: %w", what, err)
				}
			}
			took, err := b.after(ctx, prepare, c.args)
			if err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
			*c.times = append(*c.times, took)
		}
	}
	slices.Sort(ours)
	slices.Sort(theirs)
	x, y := ours[len(ours)/2].Seconds(), theirs[len(theirs)/2].Seconds()
	p, q := ours[0].Seconds(), theirs[0].Seconds()
	fmt.Printf("%-28s  %7.2fs  %7.2fs  %5.2f  %7.2fs  %7.2fs  %5.2f\n", what, x, y, x/y, p, q, p/q)
	return nil
}

func (b *bench) after(ctx context.Context, prepare func() error, args []string) (time.Duration, error) {
	if err := prepare(); err != nil {
		return 0, err
	}
	return b.call(ctx, args)
}

// alone measures the one call that the plain module has no match for, with
// caches of its own and a module that is new once more thereafter, so that the
// next call is as cold.
func (b *bench) alone(ctx context.Context, what string) error {
	took, err := b.call(ctx, b.check("--repository=alone-"+b.nonce))
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	fmt.Printf("%-28s  %7.2fs\n", what, took.Seconds())
	return b.renew(b.path("temper/pipeline/module/main.go"), "//")
}

func unchanged() error { return nil }
