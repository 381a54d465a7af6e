package engine

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"dagger.io/dagger"
)

// On a real engine, against hosts that want a login: modules are fetched with
// the credentials that are given; without them the error says what is missing;
// and nobody sees them.
func TestLiveAccess(t *testing.T) {
	needEngine(t)
	ctx := t.Context()
	c := newCorp(t)
	cloned, fetched := c.repository(t, "team/lib"), proxied(t, c.files, "corp.test/lib")
	command := compiled(t, "linux")
	log := new(written)
	client, err := dagger.Connect(ctx, dagger.WithLogOutput(log))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	login := client.SetSecret("live-access-netrc", netrc)
	stranger, _ := newAgent(t)
	const proxy = "http://" + proxyHost + ":3128"

	secrets := []string{robotPassword, base64.StdEncoding.EncodeToString([]byte(robot + ":" + robotPassword))}
	for _, test := range []struct {
		name   string
		lib    library
		hosts  []string // that the engine reaches by itself
		access Access
		// lacking is the same access without what it takes, and says what the error
		// then is to say.
		lacking Access
		says    []string
		// used are the ways that are to be used, and unused that must not be.
		used, unused []interface{ Load() int32 }
	}{
		{
			name: "a repository over HTTPS", lib: cloned, hosts: []string{gitHost},
			access:  Access{GoPrivate: gitHost, NetRC: login},
			lacking: Access{GoPrivate: gitHost},
			says:    []string{"could not read Username for 'https://" + gitHost + "'", "hint:", "--netrc"},
			used:    []interface{ Load() int32 }{&c.asked}, unused: []interface{ Load() int32 }{&c.cloned, &c.through},
		},
		{
			name: "a repository over SSH", lib: cloned, hosts: []string{gitHost},
			access:  Access{GoPrivate: gitHost, SSH: client.Host().UnixSocket(c.agent)},
			lacking: Access{GoPrivate: gitHost, SSH: client.Host().UnixSocket(stranger)},
			says:    []string{"Permission denied (publickey)", "hint:", "--ssh"},
			used:    []interface{ Load() int32 }{&c.cloned}, unused: []interface{ Load() int32 }{&c.asked, &c.through},
		},
		{
			name: "a proxy of modules", lib: fetched, hosts: []string{moduleHost},
			access:  Access{GoProxy: "https://" + moduleHost, NetRC: login},
			lacking: Access{GoProxy: "https://" + moduleHost},
			says:    []string{"https://" + moduleHost + "/corp.test/lib/@v/v1.0.0.mod: 401 Unauthorized", "hint:", "--netrc"},
			used:    []interface{ Load() int32 }{&c.asked}, unused: []interface{ Load() int32 }{&c.cloned, &c.through},
		},
		{
			name: "a repository behind an HTTP proxy", lib: cloned, hosts: []string{proxyHost},
			access:  Access{GoPrivate: gitHost, NetRC: login, HTTPProxy: proxy},
			lacking: Access{GoPrivate: gitHost, NetRC: login},
			says:    []string{gitHost, "no such host", "hint:", "--http-proxy"},
			used:    []interface{ Load() int32 }{&c.asked, &c.through}, unused: []interface{ Load() int32 }{&c.cloned},
		},
		{
			name: "a proxy of modules that the HTTP proxy is not for", lib: fetched, hosts: []string{proxyHost, moduleHost},
			access:  Access{GoProxy: "https://" + moduleHost, NetRC: login, HTTPProxy: "http://nobody.corp.test:3128", NoProxy: moduleHost},
			lacking: Access{GoProxy: "https://" + moduleHost, NetRC: login, HTTPProxy: "http://nobody.corp.test:3128"},
			says:    []string{"nobody.corp.test", "hint:", "--http-proxy"},
			used:    []interface{ Load() int32 }{&c.asked}, unused: []interface{ Load() int32 }{&c.cloned, &c.through},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			source := client.Host().Directory(consumer(t, test.lib))
			with := func(access Access) *Pipeline {
				return New(client, source, Options{
					Temper: client.Host().File(command), Toolchain: c.toolchain(client, test.hosts...), Access: access, Repository: "live-access",
				})
			}
			_, refused := with(test.lacking).Services(ctx)
			for _, words := range test.says {
				if refused == nil || !strings.Contains(refused.Error(), words) {
					t.Errorf("without what it takes the error is %v\nwant it to say %q", refused, words)
				}
			}
			var before []int32
			for _, way := range append(test.used, test.unused...) {
				before = append(before, way.Load())
			}
			layout, err := with(test.access).Layout(ctx, "consumer")
			if err != nil {
				t.Fatal(err)
			}
			for i, way := range append(test.used, test.unused...) {
				if n := way.Load() - before[i]; (n > 0) != (i < len(test.used)) {
					t.Errorf("way %d was used %d times", i, n)
				}
			}
			exported := t.TempDir()
			if _, err := layout.Export(ctx, exported); err != nil {
				t.Fatal(err)
			}
			for where, text := range map[string]string{"the log": log.String(), "an error": fmt.Sprint(refused), "a layout": everything(t, exported)} {
				for _, secret := range secrets {
					if strings.Contains(text, secret) {
						t.Errorf("%s shows a secret: %q", where, secret)
					}
				}
			}
		})
	}
	if !strings.Contains(log.String(), "temper fetch") {
		t.Error("the log is not that of the steps, so that nothing can be told by it")
	}
}
