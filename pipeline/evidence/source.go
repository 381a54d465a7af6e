//lint:file-ignore SA1019 the structs that replace these are made of protobuf, whose JSON is not the same bytes every time

package evidence

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/in-toto/in-toto-golang/in_toto/slsa_provenance/common"
	slsa "github.com/in-toto/in-toto-golang/in_toto/slsa_provenance/v1"

	"temper/checks/pattern"
)

// A Source says which commit of which repository was built.
type Source struct {
	// URI is the repository's address, without credentials; empty where the
	// repository has no remote.
	URI string
	// Commit is the full hash; empty where nobody knows.
	Commit string
	// Dirty tells that the working tree differed from the commit.
	Dirty bool
}

// String returns git+URI@COMMIT, as people are told, and whether that is all.
func (s Source) String() string {
	text := s.Commit
	if s.URI != "" {
		text = "git+" + s.URI + "@" + s.Commit
	}
	if s.Dirty {
		text += " (with changes that were not committed)"
	}
	return text
}

func (s Source) descriptor() slsa.ResourceDescriptor {
	d := slsa.ResourceDescriptor{Name: "source", Digest: common.DigestSet{"gitCommit": s.Commit}}
	if s.URI != "" {
		d.URI = "git+" + s.URI
	}
	if s.Dirty {
		d.Annotations = map[string]any{"dirty": true}
	}
	return d
}

// GitSource asks git about the working tree that holds a folder. Without git,
// without a repository or without a commit the source is empty: what is not
// known is not claimed.
func GitSource(ctx context.Context, dir string) Source {
	git := func(args ...string) (string, bool) {
		// The file system monitor and hooks of a repository that is only built
		// must not run.
		args = append([]string{"-C", dir, "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"}, args...)
		cmd := exec.CommandContext(ctx, "git", args...)
		cmd.Env = ofTheFolder(os.Environ())
		out, err := cmd.Output()
		return strings.TrimSpace(string(out)), err == nil
	}
	commit, ok := git("rev-parse", "--verify", "HEAD^{commit}")
	if !ok {
		return Source{}
	}
	s := Source{Commit: commit}
	// A tree whose state git cannot tell is not vouched for as clean.
	status, ok := git("status", "--porcelain", "--untracked-files=normal", "--ignore-submodules=none", "--", ".")
	s.Dirty = !ok || status != ""
	// Two more ways in which what is compiled is not what was committed: files
	// that git was told to take for unchanged, and sources that it ignores.
	if !s.Dirty {
		flags, ok := git("ls-files", "-v", "--", ".")
		s.Dirty = !ok || slices.ContainsFunc(strings.Split(flags, "\n"), func(line string) bool {
			return line != "" && (line[0] == 'S' || line[0] >= 'a' && line[0] <= 'z')
		})
	}
	if !s.Dirty {
		ignored, ok := git("ls-files", "--others", "--ignored", "--exclude-standard", "--", "*.go", "*.s", "*go.mod", "*go.work", "*modules.txt")
		s.Dirty = !ok || ignored != ""
	}
	if remote, ok := git("remote", "get-url", "origin"); ok {
		s.URI = withoutCredentials(remote)
	}
	return s
}

// ofTheFolder is an environment in which git looks at the folder it is told to,
// and not at a repository that GIT_DIR and its like name.
func ofTheFolder(env []string) []string {
	return slices.DeleteFunc(env, func(v string) bool {
		for _, name := range []string{"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_NAMESPACE", "GIT_OBJECT_DIRECTORY"} {
			if strings.HasPrefix(v, name+"=") {
				return true
			}
		}
		return false
	})
}

// ParseSource reads URI@COMMIT, as a caller gives it who has no .git at hand.
// The URI may carry the prefix git+; a suffix "-dirty" of the commit says that
// the tree differed from it.
func ParseSource(text string) (Source, error) {
	i := strings.LastIndex(text, "@")
	if i < 0 {
		return Source{}, fmt.Errorf("%q is not URI@COMMIT", text)
	}
	s := Source{URI: withoutCredentials(strings.TrimPrefix(text[:i], "git+"))}
	s.Commit, s.Dirty = strings.CutSuffix(text[i+1:], "-dirty")
	if !commitHash().MatchString(s.Commit) {
		return Source{}, fmt.Errorf("%q is not a full commit hash", s.Commit)
	}
	return s, nil
}

// commitHash is git's, in SHA-1 or SHA-256.
var commitHash = pattern.New(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// withoutCredentials returns a remote's address without user and password, and
// scp-like addresses as URLs. A path on this machine is nobody else's business.
func withoutCredentials(remote string) string {
	if strings.Contains(remote, "::") {
		return "" // a remote helper's address, which can be a command
	}
	if u, err := url.Parse(remote); err == nil && strings.Contains(remote, "://") {
		if !slices.Contains([]string{"https", "http", "ssh", "git"}, u.Scheme) || u.Host == "" {
			return ""
		}
		u.User, u.RawQuery, u.Fragment = nil, "", ""
		return u.String()
	}
	host, path, ok := strings.Cut(remote, ":")
	if _, after, found := strings.Cut(host, "@"); found {
		host = after
	}
	if !ok || host == "" || len(host) == 1 || strings.ContainsAny(host, `/\`) {
		return ""
	}
	return "ssh://" + host + "/" + strings.TrimPrefix(path, "/")
}
