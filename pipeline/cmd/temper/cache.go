package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"temper/pipeline/binary"
	"temper/pipeline/store"
)

// limitVariable says how large the caches may become.
const limitVariable = "TEMPER_CACHE_LIMIT"

// defaultLimit is what they may become where nobody says.
const defaultLimit = "10 GiB"

func newCache(p *person) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "cache [flags]",
		Short: "What lies in Temper's caches; prune makes them smaller",
		Long: `cache says what lies in the folder of Temper's caches ($TEMPER_CACHE, else temper in
the user's cache folder), the largest first: how much, when it was used last, and
what for.

A build removes what was used least lately when there is more than
$` + limitVariable + ` allows, such as 500 MB or 20 GiB (default ` + defaultLimit + `), or
anything if that is off. Nothing in the folder is needed: what is gone is made again.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("there is no command %q", "cache "+args[0]).hint("temper cache --help")
			}
			return nil
		},
		RunE: func(*cobra.Command, []string) error { return showCache(p, asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON object to stdout")
	cmd.AddCommand(newCachePrune(p))
	return cmd
}

func newCachePrune(p *person) *cobra.Command {
	var limit string
	var unused time.Duration
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "prune [flags]",
		Short: "Remove from the caches what was used least lately",
		Long: `prune removes what was used least lately until the caches are no larger than they may
be, and what interrupted builds have left half-written. While somebody builds, what
was used in the last two hours stays.

On stdout it prints how many bytes are left.`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			return pruneCache(c.Context(), p, limit, c.Flags().Changed("unused"), unused, asJSON)
		},
	}
	cmd.Flags().StringVar(&limit, "limit", "", "leave no more than `SIZE`, such as 500 MB, 20 GiB or 0 (default $"+limitVariable+", else "+defaultLimit+")")
	cmd.Flags().DurationVar(&unused, "unused", 0, "also remove what nobody has used for that `TIME`, such as 168h")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON object to stdout")
	return cmd
}

// limit reads how large the caches may become, negative for any size.
func limit(flag string) (int64, error) {
	where, text, next := "--limit", flag, "--limit 20GiB"
	if flag == "" {
		where, text, next = limitVariable, cmp.Or(os.Getenv(limitVariable), defaultLimit), "export "+limitVariable+"=20GiB"
	}
	if text == "off" {
		return -1, nil
	}
	n, err := humanize.ParseBytes(text)
	if err != nil || n > 1<<62 {
		return 0, usagef("%s: %q is no size", where, text).hint("%s, or off", next)
	}
	return int64(n), nil
}

func showCache(p *person, asJSON bool) error {
	dir, err := binary.DefaultCache()
	if err != nil {
		return err
	}
	most, err := limit("")
	if err != nil {
		return err
	}
	units, err := store.Look(dir)
	if err != nil {
		return elsewhere(err)
	}
	total := int64(0)
	for _, u := range units {
		total += u.Bytes
	}
	if asJSON {
		if units == nil {
			units = []store.Unit{}
		}
		return p.json(struct {
			Folder string `json:"folder"`
			Bytes  int64  `json:"bytes"`
			// Limit is how large it may become, in bytes; negative for any size.
			Limit int64        `json:"limit"`
			Units []store.Unit `json:"units"`
		}{dir, total, most, units})
	}
	p.cache(dir, total, most)
	for _, u := range units {
		fmt.Fprintf(p.out, "%9s  %s  %s\n", humanize.IBytes(uint64(u.Bytes)), u.Used.Format(time.DateOnly), described(u))
	}
	return nil
}

// described says what a part of the caches is for.
func described(u store.Unit) string {
	about := map[string]string{
		"lane":   "what services share, compiled",
		"layers": "layers of images",
		"judged": "what rules have seen in layers",
		"looked": "what rules have seen in Go packages",
		"code":   "what rules have said of code",
	}[u.Kind]
	text := []string{u.Kind}
	for _, part := range []string{u.Service, u.Platform, u.Go} {
		if part != "" {
			text = append(text, part)
		}
	}
	if u.Repository != "" {
		text = append(text, "of "+u.Repository)
	}
	if about != "" {
		text = append(text, "("+about+")")
	}
	return strings.Join(text, " ")
}

func pruneCache(ctx context.Context, p *person, flag string, old bool, unused time.Duration, asJSON bool) error {
	dir, err := binary.DefaultCache()
	if err != nil {
		return err
	}
	bounds := store.Bounds{Unused: unused}
	if old && unused <= 0 {
		return usagef("--unused: %v is no time that can have passed", unused).hint("temper cache prune --unused 168h; or --limit 0 to remove everything")
	}
	if bounds.Bytes, err = limit(flag); err != nil {
		return err
	}
	done, err := store.Prune(ctx, dir, bounds)
	if err != nil {
		return elsewhere(err)
	}
	if asJSON {
		return p.json(done)
	}
	p.pruned(done)
	fmt.Fprintf(p.out, "%d\n", done.Left)
	return nil
}

// pruneEvery is how often builds look whether the caches have become too large.
const pruneEvery = 10 * time.Minute

// keepBounds makes the caches smaller if they are too large. The build is done: that they
// could not be made so is no reason to fail.
func keepBounds(ctx context.Context, p *person, cache string, most int64) {
	if ctx.Err() != nil || !store.Due(cache, pruneEvery) {
		return
	}
	done, err := store.Prune(ctx, cache, store.Bounds{Bytes: most})
	if err != nil {
		p.unbounded(err)
		return
	}
	if recent := time.Since(done.Used); done.Files > 0 && recent < 24*time.Hour {
		p.crowded(cache, most)
	}
}

// elsewhere says what to do about a folder that is not Temper's alone.
func elsewhere(err error) error {
	if foreign := (*store.ForeignError)(nil); errors.As(err, &foreign) {
		return hintf("export TEMPER_CACHE="+filepath.Join(foreign.Folder, "temper"), "%v", err)
	}
	return err
}

// unbounded says why the caches may be larger than they should be.
func (p *person) unbounded(err error) {
	fmt.Fprintf(p.err, "temper: the caches are not kept within bounds: %v\n", err)
}

// cache says how full the folder is.
func (p *person) cache(dir string, total, most int64) {
	bound := "of any size"
	if most >= 0 {
		bound = "of at most " + humanize.IBytes(uint64(most))
	}
	fmt.Fprintf(p.err, "temper: %s %s in %s\n", humanize.IBytes(uint64(total)), bound, filepath.ToSlash(dir))
}

// pruned says what was removed.
func (p *person) pruned(done store.Pruned) {
	fmt.Fprintf(p.err, "temper: removed %s in %d files, left %s\n", humanize.IBytes(uint64(done.Bytes)), done.Files, humanize.IBytes(uint64(done.Left)))
	if done.Busy {
		fmt.Fprintf(p.err, "temper: somebody builds: what was used in the last two hours has stayed\n")
	}
}

// crowded warns of caches that do not hold what a day needs.
func (p *person) crowded(dir string, most int64) {
	fmt.Fprintf(p.err, "temper: the caches in %s are full of what was used today, and some of it had to go (%s is %s)\n",
		filepath.ToSlash(dir), limitVariable, humanize.IBytes(uint64(most)))
	fmt.Fprintf(p.err, "temper: hint: export %s='%s'\n", limitVariable, humanize.IBytes(uint64(2*most)))
}
