package image

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"temper/pipeline/service"
)

func TestAssets(t *testing.T) {
	for _, tt := range []struct {
		name string
		// disk is the repository, copy what temper.yaml's files say.
		disk []string
		copy map[string]string
		want []string
		err  string
	}{
		{
			name: "a folder and all below it, whatever its modes are",
			disk: []string{"web/index.html", "web/css/all.css 0640", "web/run.sh 0777", "web/private/ 0700", "web/private/key 0600", "other/not-copied"},
			copy: map[string]string{"web": "/srv/web"},
			want: []string{
				"d0755 0:0 srv/",
				"d0755 0:0 srv/web/",
				"d0755 0:0 srv/web/css/",
				"-0444 0:0 srv/web/css/all.css",
				"-0444 0:0 srv/web/index.html",
				"d0755 0:0 srv/web/private/",
				"-0444 0:0 srv/web/private/key",
				"-0444 0:0 srv/web/run.sh",
			},
		},
		{
			name: "one file, under another name",
			disk: []string{"app.yaml"},
			copy: map[string]string{"app.yaml": "/etc/orders/config.yaml"},
			want: []string{"d0755 0:0 etc/", "d0755 0:0 etc/orders/", "-0444 0:0 etc/orders/config.yaml"},
		},
		{
			name: "an empty folder",
			disk: []string{"spool/"},
			copy: map[string]string{"spool": "/var/spool/orders"},
			want: []string{"d0755 0:0 var/", "d0755 0:0 var/spool/", "d0755 0:0 var/spool/orders/"},
		},
		{
			name: "the root, which no tar has a name for",
			disk: []string{"rootfs/etc/app.yaml"},
			copy: map[string]string{"rootfs": "/"},
			want: []string{"d0755 0:0 etc/", "-0444 0:0 etc/app.yaml"},
		},
		{
			name: "nothing for the root",
			disk: []string{"rootfs/"},
			copy: map[string]string{"rootfs": "/"},
		},
		{
			name: "one file for the root",
			disk: []string{"app.yaml"},
			copy: map[string]string{"app.yaml": "/"},
			err:  "assembling orders for linux/amd64: asset app.yaml cannot stand at /, which is a folder",
		},
		{
			name: "two folders that share folders",
			disk: []string{"a/x/1", "b/x/2"},
			copy: map[string]string{"a": "/srv", "b": "/srv"},
			want: []string{"d0755 0:0 srv/", "d0755 0:0 srv/x/", "-0444 0:0 srv/x/1", "-0444 0:0 srv/x/2"},
		},
		{
			name: "two files of one name",
			disk: []string{"a/x", "b/x"},
			copy: map[string]string{"a": "/srv", "b": "/srv"},
			err:  "assembling orders for linux/amd64: asset b/x cannot stand at /srv/x: asset a/x has a file there",
		},
		{
			name: "names in the order of their bytes, a folder before what is in it",
			disk: []string{"w/a/b", "w/a-b", "w/a.b", "w/B", "w/ä"},
			copy: map[string]string{"w": "/w"},
			want: []string{
				"d0755 0:0 w/",
				"-0444 0:0 w/B",
				"d0755 0:0 w/a/",
				"-0444 0:0 w/a-b",
				"-0444 0:0 w/a.b",
				"-0444 0:0 w/a/b",
				"-0444 0:0 w/ä",
			},
		},
		{
			name: "a name longer than USTAR's",
			disk: []string{"w/" + strings.Repeat("n", 200)},
			copy: map[string]string{"w": "/w"},
			want: []string{"d0755 0:0 w/", "-0444 0:0 w/" + strings.Repeat("n", 200)},
		},
		{
			name: "links that stay in the folder",
			disk: []string{"web/v2/all.css", "web/current -> v2", "web/v2/same.css -> ../v2/all.css"},
			copy: map[string]string{"web": "/web"},
			want: []string{
				"d0755 0:0 web/",
				"l0777 0:0 web/current -> v2",
				"d0755 0:0 web/v2/",
				"-0444 0:0 web/v2/all.css",
				"l0777 0:0 web/v2/same.css -> ../v2/all.css",
			},
		},
		{
			name: "a link out of the folder, but not out of the repository",
			disk: []string{"web/key -> ../secret", "secret"},
			copy: map[string]string{"web": "/web"},
			err:  "assembling orders: files of orders: web/key leads to ../secret, which is not in the folder that is copied: path escapes from parent",
		},
		{
			name: "a link that leaves the folder and comes back",
			disk: []string{"web/all.css", "web/same.css -> ../web/all.css"},
			copy: map[string]string{"web": "/web"},
			err:  "assembling orders: files of orders: web/same.css leads to ../web/all.css, which is not in the folder that is copied: path escapes from parent",
		},
		{
			name: "a link by way of another link out of the folder",
			disk: []string{"web/up -> sub/..", "web/sub/", "web/key -> up/../secret", "secret"},
			copy: map[string]string{"web": "/web"},
			err:  "assembling orders: files of orders: web/key leads to up/../secret, which is not in the folder that is copied: path escapes from parent",
		},
		{
			name: "an absolute link",
			disk: []string{"web/passwd -> /etc/passwd"},
			copy: map[string]string{"web": "/web"},
			err:  "assembling orders: files of orders: web/passwd leads to /etc/passwd, a path of this machine; make the link relative",
		},
		{
			name: "a link to nothing",
			disk: []string{"web/old -> gone"},
			copy: map[string]string{"web": "/web"},
			err:  "assembling orders: files of orders: web/old leads to gone, which is not in the folder that is copied: no such file or directory",
		},
		{
			name: "a link to itself",
			disk: []string{"web/me -> me"},
			copy: map[string]string{"web": "/web"},
			err:  "assembling orders: files of orders: web/me leads to me, which is not in the folder that is copied: too many levels of symbolic links",
		},
		{
			name: "a folder that is a link out of the repository",
			disk: []string{"web -> ../.."},
			copy: map[string]string{"web": "/web"},
			err:  "assembling orders: files of orders: $ROOT/web: path escapes from parent",
		},
		{
			name: "a folder outside of the repository",
			copy: map[string]string{"../web": "/web"},
			err:  "assembling orders: files of orders: $PARENT/web is outside of the repository $ROOT",
		},
		{
			name: "a folder that went away",
			copy: map[string]string{"web": "/web"},
			err:  "assembling orders: files of orders: $ROOT/web: no such file or directory",
		},
		{
			name: "a name that deletes in a layer",
			disk: []string{"web/.wh.passwd"},
			copy: map[string]string{"web": "/etc"},
			err:  "assembling orders for linux/amd64: asset web/.wh.passwd cannot stand at /etc/.wh.passwd: in a layer such a name deletes a file",
		},
		{
			name: "a folder whose name deletes in a layer",
			disk: []string{"web/.wh..wh..opq/x"},
			copy: map[string]string{"web": "/etc"},
			err:  "assembling orders for linux/amd64: asset web/.wh..wh..opq cannot stand at /etc/.wh..wh..opq: in a layer such a name deletes a file",
		},
		{
			name: "a name that is not UTF-8",
			disk: []string{"web/\xff"},
			copy: map[string]string{"web": "/web"},
			err:  `assembling orders: files of orders: "/web/\xff" is not UTF-8; no image can hold that name`,
		},
		{
			name: "a file of the base",
			disk: []string{"passwd"},
			copy: map[string]string{"passwd": "/etc/passwd"},
			err:  "assembling orders for linux/amd64: asset passwd cannot stand at /etc/passwd: the base docker has a file there",
		},
		{
			name: "a folder where the base has a file",
			disk: []string{"passwd/x"},
			copy: map[string]string{"passwd": "/etc/passwd"},
			err:  "assembling orders for linux/amd64: asset passwd cannot stand at /etc/passwd: the base docker has a file there",
		},
		{
			name: "a file where the base has a folder",
			disk: []string{"etc"},
			copy: map[string]string{"etc": "/etc"},
			err:  "assembling orders for linux/amd64: asset etc cannot stand at /etc: the base docker has a folder there",
		},
		{
			name: "a folder below a link of the base",
			disk: []string{"tool"},
			copy: map[string]string{"tool": "/bin/tool"},
			err:  "assembling orders for linux/amd64: asset tool cannot stand at /bin/tool: the base docker has a symbolic link at /bin",
		},
		{
			name: "a folder in the place of a link of the base",
			disk: []string{"bin/tool"},
			copy: map[string]string{"bin": "/bin"},
			err:  "assembling orders for linux/amd64: asset bin cannot stand at /bin: the base docker has a symbolic link there",
		},
		{
			name: "folders of the base keep their modes and owners",
			disk: []string{"x"},
			copy: map[string]string{"x": "/tmp/x"},
			want: []string{"d1777 7:8 tmp/", "-0444 0:0 tmp/x"},
		},
		{
			name: "a folder in the place of one of the base's",
			disk: []string{"x/y"},
			copy: map[string]string{"x": "/tmp"},
			want: []string{"d1777 7:8 tmp/", "-0444 0:0 tmp/y"},
		},
		{
			name: "the binary's place",
			disk: []string{"orders"},
			copy: map[string]string{"orders": "/usr/local/bin/orders"},
			err:  "assembling orders for linux/amd64: the binary cannot stand at /usr/local/bin/orders: asset orders has a file there",
		},
		{
			name: "a folder in the binary's place",
			disk: []string{"orders/x"},
			copy: map[string]string{"orders": "/usr/local/bin/orders"},
			err:  "assembling orders for linux/amd64: the binary cannot stand at /usr/local/bin/orders: asset orders has a folder there",
		},
		{
			name: "a link above the binary's place",
			disk: []string{"usr/lib/", "usr/local -> lib"},
			copy: map[string]string{"usr": "/usr"},
			err:  "assembling orders for linux/amd64: the binary cannot stand at /usr/local/bin/orders: asset usr/local has a symbolic link at /usr/local",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			base := dockerBase(t, "d0755 0:0 etc/", "-0644 0:0 etc/passwd", "d1777 7:8 tmp/", "l0777 0:0 bin -> usr/bin")
			svc := repository(t, tt.disk...)
			for _, from := range []string{"a", "b", "web", "../web", "app.yaml", "spool", "rootfs", "w", "passwd", "etc", "tool", "bin", "x", "orders", "usr"} {
				if to, ok := tt.copy[from]; ok {
					copies(svc, from, to)
				}
			}
			made, err := Assemble(context.Background(), svc, base, Options{}, pretended(t, amd64, []byte("binary")))
			if err != nil {
				got := strings.NewReplacer(svc.Root, "$ROOT", filepath.Dir(svc.Root), "$PARENT").Replace(err.Error())
				if diff := cmp.Diff(tt.err, got); diff != "" {
					t.Errorf("the error is not the expected one (-want +got):\n%s", diff)
				}
				return
			}
			if tt.err != "" {
				t.Fatalf("there is no error, want %s", tt.err)
			}
			layers := must(made.(v1.Image).Layers())(t)
			if len(layers) != 3 {
				t.Fatalf("there are %d layers, want 3: base, assets, binary", len(layers))
			}
			nothingVaries(t, layers[1])
			if diff := cmp.Diff(tt.want, listing(t, layers[1])); diff != "" {
				t.Errorf("the layer of static files is not the expected one (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAssetsRefuseSpecialFiles(t *testing.T) {
	svc := copies(repository(t, "run/"), "run", "/run")
	defer must(net.Listen("unix", filepath.Join(svc.Root, "run", "s")))(t).Close()
	_, err := assets(svc)
	mentions(t, err, filepath.Join("run", "s")+" is a special file (S---------); only files, folders and links can be copied")
}

// A repository is anybody's to write while it is read.
func TestAssetChangesWhileItIsRead(t *testing.T) {
	svc := copies(repository(t, "web/index.html"), "web", "/web")
	entries := must(assets(svc))(t)
	i := len(entries) - 1
	entries[i].size++
	_, err := newLayer(context.Background(), entries, "", nil)
	mentions(t, err, "writing /web/index.html: asset web/index.html is 14 bytes and was 15: it changed while it was read")
	entries[i].size -= 2
	_, err = newLayer(context.Background(), entries, "", nil)
	mentions(t, err, "writing /web/index.html: asset web/index.html is longer than the 13 bytes it was: it changed while it was read")
}

// What lies below a folder is not the service's package to judge, so it is
// looked at here also for a service made by hand.
func TestAssetsStayInTheRepository(t *testing.T) {
	svc := repository(t, "web/index.html")
	svc.Files = []service.Files{{From: filepath.Dir(svc.Root), To: "/all"}}
	_, err := assets(svc)
	mentions(t, err, "is outside of the repository")
}
